"""The job: fold one call (of some 430 bytes in the race) into a record of some 600 bytes; every tenth event of a person is told.

Standard library only, since each carrier runs it in an environment of its own.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

PARTITIONS = 8
COMMIT_SECONDS = 1.0
RECENT_MAX = 8  # events that a record keeps
TOLD_EVERY = 10
Record = dict[str, Any]


class Place(NamedTuple):
    """Where one run works. Topics: `<name>-in`, `<name>-out`; state below `folder`; `first` is written at the first event."""

    name: str
    bootstrap: str
    folder: Path
    first: Path


def place() -> Place:
    """From the command line: one JSON object."""
    told = json.loads(sys.argv[1])
    return Place(told["name"], told["bootstrap"], Path(told["folder"]), Path(told["first"]))


class Job:
    """fold one call; `began` notes the instant of the first, once."""

    def __init__(self, first: Path) -> None:
        self._first: Path | None = first

    def fold(self, record: Record | None, call: Record) -> Record:
        if self._first is not None:
            self._first.write_text(str(time.time()))
            self._first = None
        record = record or {"n": 0, "value": 0, "recent": [], "products": {}}
        properties = call["properties"]
        record["n"] += 1
        record["value"] += properties.get("price", 0) * properties.get("quantity", 1)
        product = properties.get("product_id", "")
        record["products"][product] = record["products"].pop(product, 0) + 1
        if len(record["products"]) > RECENT_MAX:
            del record["products"][next(iter(record["products"]))]
        record["recent"] = [*record["recent"], [call.get("event"), call.get("timestamp"), product]][-RECENT_MAX:]
        return record


def tells(record: Record) -> bool:
    return bool(record["n"] % TOLD_EVERY == 0)


def told(record: Record) -> bytes:
    return b'{"n":%d,"value":%d}' % (record["n"], record["value"])


def fresh(folder: Path) -> Path:
    """The folder, made; a run starts with an empty one."""
    os.makedirs(folder, exist_ok=True)
    return folder
