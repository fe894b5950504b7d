"""The words as JSON Schema files, so that a warehouse, an editor or a foreign service can check what we write and read.

`python -m contracts.schema` writes the published files, `--check` says whether they are up to date. The files follow from the
types: what the types say in code and a schema cannot (money written as a number, order of bounds) is left to the decoders.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from contracts.commands import Command
from contracts.decisions import Decision
from contracts.policy import schema as policy_schema
from contracts.signals import Signal

ROOT = Path(__file__).parent.parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """A JSON Schema (2020-12) for each published word."""
    words = {"signals": msgspec.json.schema(Signal), "decisions": msgspec.json.schema(Decision)}
    words |= {"commands": msgspec.json.schema(Command), "policy": _without_null(policy_schema())}
    return {word: {"$schema": DIALECT, "title": word, **schema} for word, schema in words.items()}


def files() -> dict[Path, str]:
    """The published files and their texts; the policy's stands beside the policies too, where editors look for it."""
    texts = {word: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for word, schema in schemas().items()}
    published = {ROOT / "contracts" / "schemas" / f"{word}.json": text for word, text in texts.items()}
    return published | {ROOT / "policies" / "policy.schema.json": texts["policy"]}


def _without_null(node: Any) -> Any:
    """A policy file leaves a key out where the types hold None; the reader refuses an empty one."""
    if isinstance(node, list):
        return [_without_null(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    node = {key: _without_null(value) for key, value in node.items() if not (key == "default" and value is None)}
    choices = node.get("anyOf")
    if not isinstance(choices, list) or {"type": "null"} not in choices:
        return node
    left = [choice for choice in choices if choice != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**left[0], **rest} if len(left) == 1 else {**rest, "anyOf": left}


def publish(*, check: bool) -> int:
    """Exit code: 1 when `check` finds a file that is not what the types say, else 0 (and the files are written)."""
    stale = [path for path, text in files().items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in stale:
        if check:
            print(
                f"{path.relative_to(ROOT)} is not what the types say; run `make schemas` and commit it", file=sys.stderr
            )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files()[path], encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(publish(check="--check" in sys.argv[1:]))
