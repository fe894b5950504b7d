"""The published JSON Schemas and our decoders agree: what passes one passes the other, what fails one fails the other."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from contracts import commands, decisions, policy, schema, signals

FOLDER = Path(schema.__file__).parent / "schemas"
FAILING_MIN = 3

DECODERS: dict[str, Callable[[bytes], object]] = {
    "signals": signals.decode,
    "decisions": decisions.decode,
    "commands": commands.decode,
    "policy": lambda text: policy.parse(text.decode(), name="example"),  # JSON is YAML
}
REFUSALS = (msgspec.DecodeError, policy.PolicyError)


def examples(side: str) -> list[Path]:
    return sorted((FOLDER / "examples" / side).glob("*.json"))


def word_of(example: Path) -> str:
    return example.name.partition("-")[0]


def published(word: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((FOLDER / f"{word}.json").read_text()))


def named(example: Path) -> str:
    return example.stem


@pytest.mark.parametrize("word", DECODERS)
def test_published_schema_is_a_schema(word: str) -> None:
    Draft202012Validator.check_schema(published(word).schema)


def test_published_files_are_what_the_types_say() -> None:
    stale = [path.name for path, text in schema.files().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `make schemas` and commit the result"


def test_a_stale_file_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = tmp_path / "signals.json"
    stale.write_text("{}")
    monkeypatch.setattr(schema, "ROOT", tmp_path)
    monkeypatch.setattr(schema, "files", lambda: {stale: "{} \n"})
    assert schema.publish(check=True) == 1
    assert "make schemas" in capsys.readouterr().err
    assert schema.publish(check=False) == 0
    assert schema.publish(check=True) == 0


@pytest.mark.parametrize("example", examples("pass"), ids=named)
def test_good_example_passes_schema_and_decoder(example: Path) -> None:
    published(word_of(example)).validate(json.loads(example.read_text()))
    DECODERS[word_of(example)](example.read_bytes())


@pytest.mark.parametrize("example", examples("fail"), ids=named)
def test_bad_example_fails_schema_and_decoder(example: Path) -> None:
    assert not published(word_of(example)).is_valid(json.loads(example.read_text()))
    with pytest.raises(REFUSALS):
        DECODERS[word_of(example)](example.read_bytes())


@pytest.mark.parametrize("word", DECODERS)
def test_every_schema_has_examples_that_must_fail(word: str) -> None:
    assert sum(word_of(example) == word for example in examples("fail")) >= FAILING_MIN
    assert any(word_of(example) == word for example in examples("pass"))


def test_every_example_belongs_to_a_word() -> None:
    assert {word_of(example) for example in examples("pass") + examples("fail")} == set(DECODERS)
    assert {path.stem for path in FOLDER.glob("*.json")} == set(DECODERS)


def test_every_kind_of_signal_has_an_example() -> None:
    kinds = {json.loads(example.read_text())["t"] for example in examples("pass") if word_of(example) == "signals"}
    assert kinds == set(json.loads((FOLDER / "signals.json").read_text())["discriminator"]["mapping"])


def test_what_we_write_passes_the_schema() -> None:
    for example in examples("pass"):
        again: dict[str, Callable[[Any], bytes]] = {
            "signals": signals.encode,
            "decisions": decisions.encode,
            "commands": commands.encode,
        }
        word = word_of(example)
        if word in again:
            published(word).validate(json.loads(again[word](DECODERS[word](example.read_bytes()))))


def test_shipped_policy_passes_the_schema_that_editors_use() -> None:
    folder = Path(schema.__file__).parent.parent / "policies"
    editors = Draft202012Validator(json.loads((folder / "policy.schema.json").read_text()))
    editors.validate(yaml.safe_load((folder / "skincare.yaml").read_text()))
