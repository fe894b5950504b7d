"""What earlier releases wrote is read by this one: their logs, their state, and the same decisions from where they stopped."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents import desired, telling_back
from agents.judge import CODEC, OURS, ControlLog, Judge, Policies
from agents.reliable.disk import ASIDE
from contracts import commands, decisions, quarantined, signals
from contracts.decisions import Decision
from contracts.policy import load
from contracts.received import unframe
from contracts.versions import NewerRecord
from streams import person
from streams.person import Person
from tests.golden import directory, make
from tests.golden.fields import fields, structs
from tests.golden.make import ROOT, new_store, run

RELEASES = sorted(folder for folder in ROOT.iterdir() if (folder / "signals.jsonl").is_file())
DESCRIBED = [release for release in RELEASES if (release / "fields.json").is_file()]
DECODERS: dict[str, Callable[[bytes], Any]] = {
    "signals": signals.decode,
    "decisions": decisions.decode,
    "commands": commands.decode,
    "quarantine": quarantined.decode,
}


def lines(release: Path, topic: str) -> list[bytes]:
    return (release / f"{topic}.jsonl").read_bytes().splitlines()


def state(file: Path) -> dict[bytes, bytes]:
    pairs = (line.split(" ") for line in file.read_text().splitlines())
    return {base64.b64decode(key): base64.b64decode(value) for key, value in pairs}


def stops(release: Path) -> list[tuple[int, Path]]:
    return sorted((int(file.stem.rpartition("-")[2]), file) for file in release.glob("people-at-*.txt"))


def essence(decision: Decision) -> tuple[str, ...]:
    return (
        decision.person,
        decision.episode,
        decision.outcome,
        decision.reason,
        decision.at,
        decision.cause,
        decision.id,
    )


def told(release: Path, begin: int, held: dict[bytes, bytes]) -> list[Decision]:
    """The decisions from an offset on, by a worker that starts with this state."""
    judge, store = Judge(load(release / "policy.yaml")), new_store(held)
    judge.assigned(store, 0, begin or None)
    return [
        decisions.decode(value) for value in run(judge, store, lines(release, "signals")[begin:], begin)["decisions"]
    ]


def test_there_is_a_golden_release() -> None:
    assert [release.name for release in RELEASES] == ["v1", "v1-2"]


def test_this_release_has_a_golden_folder() -> None:
    """Else what it writes is read by no later one: make a folder with `python -m tests.golden.make NAME`."""
    assert json.loads((RELEASES[-1] / "fields.json").read_text()) == fields()


@pytest.mark.parametrize("release", DESCRIBED, ids=lambda release: release.name)
def test_no_field_was_renamed_moved_or_taken_away(release: Path) -> None:
    assert misplaced(json.loads((release / "fields.json").read_text())) == []


def test_what_no_release_may_do_is_noticed() -> None:
    then = fields()
    assert misplaced(then | {"Person": ["ids", "position", *then["Person"][2:]]}) == ["Person"]
    assert misplaced(then | {"Contact": [*then["Contact"], "gone"]}) == ["Contact"]
    assert misplaced(then | {"Contact": list(reversed(then["Contact"]))}) == []


def misplaced(then: dict[str, list[str]]) -> list[str]:
    """Structs whose records of then are not read rightly now: those written as arrays by place, the others by name."""
    now, kinds = fields(), structs()
    return [
        name
        for name, names in then.items()
        if not (
            now[name][: len(names)] == names
            if kinds[name].__struct_config__.array_like
            else set(names) <= set(now[name])
        )
    ]


@pytest.mark.parametrize("name", directory.TABLES_ALL)
@pytest.mark.parametrize("release", DESCRIBED, ids=lambda release: release.name)
def test_a_data_directory_is_opened_where_it_stands_and_holds_what_was_written(
    release: Path, name: str, tmp_path: Path
) -> None:
    shutil.copytree(release / "data", tmp_path / "data")
    found, reached = directory.read(tmp_path / "data", name)
    assert reached == directory.REACHED
    assert found == state(release / f"{name}.txt") != {}
    for data in found.values():
        directory.CODECS[name].decode(data)
    assert not list(tmp_path.rglob(f"*{ASIDE}"))


@pytest.mark.parametrize("topic", DECODERS)
@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_every_record_is_read_whole(release: Path, topic: str) -> None:
    """What this release writes of a record that it read holds all that stood there, with the same values."""
    records = lines(release, topic)
    assert records
    for record in records:
        again = json.loads(msgspec.json.encode(DECODERS[topic](record)))
        lost = {name: value for name, value in json.loads(record).items() if again.get(name, value) != value}
        assert lost == {}


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_the_log_gives_the_decisions_that_were_made(release: Path) -> None:
    then = [decisions.decode(record) for record in lines(release, "decisions")]
    assert len(then) > 10
    assert list(map(essence, told(release, 0, {}))) == list(map(essence, then))


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_a_worker_goes_on_from_the_state_that_was_left(release: Path) -> None:
    then = list(map(essence, told(release, 0, {})))
    for offset, file in stops(release):
        rest = list(map(essence, told(release, offset, state(file))))
        assert rest == then[len(then) - len(rest) :]
        assert rest
    assert len(rest) < len(then)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_every_stored_record_is_read_whole(release: Path) -> None:
    for _, file in stops(release):
        kinds = set()
        for key, data in state(file).items():
            record = CODEC.decode(data)
            kinds.add(type(record))
            assert key.startswith(OURS) != isinstance(record, Person)
            assert beginning(msgspec.msgpack.decode(CODEC.encode(record)[2:]), msgspec.msgpack.decode(data[2:]))
        assert {Person, ControlLog} <= kinds
    assert Policies in kinds, "the last state was taken after a policy was deployed"
    contacts = state(release / "contacts.txt")
    assert contacts
    for data in contacts.values():
        now = msgspec.msgpack.decode(desired.encode(desired.decode(data))[2:])
        assert beginning(now, msgspec.msgpack.decode(data[2:]))
    for data in state(release / "untold.txt").values() if release in DESCRIBED else ():
        now = msgspec.msgpack.decode(telling_back.encode(telling_back.decode(data))[2:])
        assert beginning(now, msgspec.msgpack.decode(data[2:]))


def beginning(now: object, then: object) -> bool:
    """Whether what is written now begins with what was written then: new fields stand at the ends of their structs."""
    if isinstance(now, list) and isinstance(then, list):
        return len(now) >= len(then) and all(beginning(a, b) for a, b in zip(now, then, strict=False))
    if isinstance(now, dict) and isinstance(then, dict):
        return now.keys() >= then.keys() and all(beginning(now[key], then[key]) for key in then)
    return now == then


class Inserted(msgspec.Struct, array_like=True):
    """What a release must not do: a new field in the middle."""

    position: int = -1
    note: str = ""
    forward: str | None = None
    ids: bytes = b""


class Appended(Person, array_like=True):
    """What a release may do."""

    note: str = "new"


def test_a_field_in_the_middle_is_noticed_and_one_at_the_end_is_read_both_ways() -> None:
    people = [data[2:] for key, data in state(stops(RELEASES[0])[0][1]).items() if not key.startswith(OURS)]
    with pytest.raises(msgspec.DecodeError):
        for data in people:
            msgspec.msgpack.decode(data, type=Inserted)
    for data in people:
        newer = msgspec.msgpack.decode(data, type=Appended)
        assert newer.note == "new"
        assert person.decode(msgspec.msgpack.encode(newer)) == person.decode(data)


def test_a_newer_record_is_refused_with_a_sentence_and_not_quarantined() -> None:
    first = json.loads(lines(RELEASES[0], "signals")[1])
    for newer in (first | {"v": 2}, {"t": "a kind of tomorrow", "v": 2}):
        with pytest.raises(NewerRecord, match="this signal has version 2, and this release reads up to 1; upgrade"):
            signals.decode(json.dumps(newer).encode())
    with pytest.raises(msgspec.DecodeError):
        signals.decode(b'{"t": "a kind of nobody"}')
    for decode in (CODEC.decode, desired.decode, telling_back.decode):
        with pytest.raises(NewerRecord, match="written by a newer release; upgrade"):
            decode(b"P2\x90")


def test_what_a_newer_receiver_took_waits_for_the_upgrade() -> None:
    with pytest.raises(NewerRecord, match="received by a newer release; upgrade"):
        unframe(b"concierge2 1772442000000 customerio_webhook\n{}")
    assert unframe(b"concierge2 is a word\n").body == b"concierge2 is a word\n"


def test_what_stands_there_is_never_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    before = {file: file.stat().st_mtime_ns for file in (ROOT / "v1").iterdir()}
    assert make.main("v1") == 1
    assert "never made again" in capsys.readouterr().err
    assert {file: file.stat().st_mtime_ns for file in (ROOT / "v1").iterdir()} == before
