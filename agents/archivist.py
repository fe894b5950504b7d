"""Archives the log and the decisions as Parquet files, zstd, by day, for any warehouse to read and for replays beyond retention.

Promise: no record is lost or doubled, whatever stops it and when. A file's name says which offsets of which partition it holds;
it appears whole or not at all; the next run goes on after the last one. So nothing but the folder needs to be remembered.
"""

import fcntl
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from agents import kafka_log
from agents.kafka_log import Extent
from agents.settings import Settings
from agents.topic_plan import APP_NAME
from contracts import archive_files, decisions, signals
from contracts.archive_files import ANY_DAY, JUDGED, SUFFIX, UNFINISHED
from contracts.decisions import Decision
from contracts.instant import DAY_MS, from_rfc3339
from contracts.logged import Logged
from contracts.signals import Marked, Ruled, Signal
from contracts.topics import DECISIONS, SIGNALS

ROWS_MAX = 100_000  # of one file; some 20 MB in memory per partition, and large enough for a warehouse
LOCK = ".lock"


class NotArchived(Exception):
    """The message says what is in the way and what to do."""


class Archived(NamedTuple):
    """Of one run: files and rows by topic."""

    files: dict[str, int]
    rows: dict[str, int]


def archive(settings: Settings, folder: Path, *, over_gaps: bool = False) -> Archived:
    """Everything up to the end that the topics have now. NotArchived, Unreachable.

    over_gaps: go on where Kafka has deleted records before they were archived; a reader will still say that they are missing.
    The decisions are looked at before the log, so that whatever is archived of them has its cause in the archive.
    """
    with _alone(folder):
        _clear(folder)
        judged = kafka_log.committed(settings, SIGNALS.name, group=APP_NAME)
        ends = {topic: kafka_log.extents(settings, topic) for topic in (DECISIONS.name, SIGNALS.name)}
        files: dict[str, int] = {}
        rows: dict[str, int] = {}
        for topic, cells in ((SIGNALS.name, _signal_cells), (DECISIONS.name, _decision_cells)):
            left = _left(folder / topic, ends[topic], over_gaps)
            files[topic], rows[topic] = _topic(settings, folder / topic, topic, left, cells)
        _whole(folder / JUDGED, lambda path: path.write_bytes(msgspec.json.encode(judged)))
    return Archived(files, rows)


def _clear(folder: Path) -> None:
    """Takes away what a killed run had begun to write: with its lock gone, nobody finishes it."""
    for topic in (DECISIONS.name, SIGNALS.name):
        for path in (folder / topic).glob(f"{ANY_DAY}/*{UNFINISHED}"):
            if archive_files.held(path.name, suffix=UNFINISHED) is not None:
                path.unlink()
    (folder / JUDGED).with_suffix(UNFINISHED).unlink(missing_ok=True)


def _left(folder: Path, ends: dict[int, Extent], over_gaps: bool) -> dict[int, Extent]:
    """What of each partition is not archived yet."""
    done: dict[int, int] = defaultdict(int)
    for path in folder.glob(f"{ANY_DAY}/*{SUFFIX}"):
        held = archive_files.held(path.name)
        if held is not None:
            done[held.partition] = max(done[held.partition], held.last + 1)
    left = {}
    for number, extent in ends.items():
        if number in done and extent.begin > done[number] and not over_gaps:
            raise NotArchived(
                f"records {done[number]} to {extent.begin - 1} of {folder.name}/{number} are gone from Kafka and not archived; "
                "archive more often, and go on with --over-gaps"
            )
        if number in done and extent.end < done[number]:
            raise NotArchived(
                f"{folder.name}/{number} ends at {extent.end} and is archived up to {done[number]}: this is another "
                "Kafka, or its topics were made anew; name another folder"
            )
        left[number] = Extent(max(extent.begin, done[number]), extent.end)
    return left


Cells = Callable[[bytes], dict[str, Any]]


def _topic(settings: Settings, folder: Path, topic: str, left: dict[int, Extent], cells: Cells) -> tuple[int, int]:
    """Files and rows written. A file ends with its day, at ROWS_MAX, or with the topic."""
    waiting: dict[int, list[Logged]] = defaultdict(list)
    files = rows = 0
    for record in kafka_log.read(settings, topic, partitions=left):
        held = waiting[record.partition]
        if held and (len(held) >= ROWS_MAX or record.appended_ms // DAY_MS > held[0].appended_ms // DAY_MS):
            _write(folder, held, cells)
            files += 1
            held.clear()
        held.append(record)
        rows += 1
    for held in waiting.values():
        if held:
            _write(folder, held, cells)
            files += 1
    return files, rows


def _write(folder: Path, records: list[Logged], cells: Cells) -> None:
    from pyarrow import Table, array, parquet, timestamp  # only here: it takes a second to load

    rows = [cells(record.value) for record in records]
    columns = {
        "partition": array([record.partition for record in records], "int32"),
        "offset": array([record.offset for record in records], "int64"),
        "appended_at": array([record.appended_ms for record in records], timestamp("ms", "UTC")),
        **{
            name: array(
                [row[name] for row in rows],
                timestamp("ms", "UTC") if name.endswith("_at") or name == "at" else "string",
            )
            for name in rows[0]
        },
        "value": array([record.value for record in records], "binary"),
    }
    day = datetime.fromtimestamp(records[0].appended_ms / 1000, tz=UTC).date().isoformat()
    extent = archive_files.Extent(records[0].partition, records[0].offset, records[-1].offset)
    path = folder / archive_files.name_of(extent, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    _whole(path, lambda unfinished: parquet.write_table(Table.from_pydict(columns), unfinished, compression="zstd"))


_NO_SIGNAL: dict[str, Any] = dict.fromkeys(("kind", "person", "id", "event", "occurred_at", "accepted_at"))
_NO_DECISION: dict[str, Any] = dict.fromkeys(
    (
        *("person", "audience", "episode", "outcome", "reason", "at", "occurred_at", "expires_at"),
        *("arm", "tier", "cause", "policy", "id"),
    )
)


def _signal_cells(value: bytes) -> dict[str, Any]:
    """What a warehouse asks for; all else stands in `value`. Of a record that is no signal, nothing."""
    try:
        signal: Signal = signals.decode(value)
    except msgspec.DecodeError:
        return _NO_SIGNAL
    kind = str(type(signal).__struct_config__.tag)
    if isinstance(signal, Marked | Ruled):
        return {**_NO_SIGNAL, "kind": kind, "accepted_at": signal.at_ms}
    return {
        "kind": kind,
        "person": signal.person,
        "id": signal.id,
        "event": getattr(signal, "event", None),
        "occurred_at": signal.occurred_ms,
        "accepted_at": signal.accepted_ms,
    }


def _decision_cells(value: bytes) -> dict[str, Any]:
    try:
        decision: Decision = decisions.decode(value)
    except msgspec.DecodeError:
        return _NO_DECISION
    told = {name: getattr(decision, name) for name in _NO_DECISION}
    return told | {
        name: from_rfc3339(told[name]) if told[name] is not None else None
        for name in ("at", "occurred_at", "expires_at")
    }


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    """The file appears with all its bytes, also over a loss of power."""
    unfinished = path.with_suffix(UNFINISHED)
    write(unfinished)
    _sync(unfinished)
    unfinished.replace(path)
    _sync(path.parent)


def _sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two archivists on one folder would write the same records into files of different names."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise NotArchived(f"{folder}: another archivist is at work in it; wait for it to end") from None
            yield
    except OSError as error:
        raise NotArchived(
            f"{folder}: cannot be written ({error.strerror or error}); see to its space and rights"
        ) from None
