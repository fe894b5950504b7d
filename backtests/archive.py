"""The archive: topics as Parquet files, each named after its records as contracts/archive_files.py says.

A file's name says which records it holds, and holds all of them; so the folder alone says what is archived, and a reader sees
where something is missing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from backtests.history import HistoryError
from contracts import archive_files
from contracts.archive_files import ANY_DAY, JUDGED, SUFFIX
from contracts.logged import Logged
from contracts.topics import SIGNALS

BATCH_ROWS = 4_096
COLUMNS = ("partition", "offset", "appended_at", "value")


class Piece(NamedTuple):
    """One file: the records `[first, last]` of a partition."""

    first: int
    last: int
    path: Path


def is_archive(path: Path) -> bool:
    return (path / SIGNALS.name).is_dir()


def pieces(folder: Path) -> dict[int, list[Piece]]:
    """The files of one topic's folder by partition, in order. HistoryError where records are missing or doubled."""
    found: dict[int, list[Piece]] = defaultdict(list)
    for path in folder.glob(f"{ANY_DAY}/*{SUFFIX}"):
        held = archive_files.held(path.name)
        if held is not None:
            found[held.partition].append(Piece(held.first, held.last, path))
    for number, files in found.items():
        files.sort()
        for before, after in pairwise(files):
            if after.first != before.last + 1:
                wrong = "are missing" if after.first > before.last + 1 else "stand twice"
                raise HistoryError(
                    f"{folder}: records of partition {number} {wrong} between {before.path.name} and {after.path.name}; "
                    "bring the folder to what the archivist wrote"
                )
    return dict(found)


def records(folder: Path, *, partition: int | None = None, people: Collection[str] | None = None) -> Iterator[Logged]:
    """Of one topic's folder, partition by partition in order; of these people alone where some are named. HistoryError."""
    for number, held in sorted(pieces(folder).items()):
        if partition in (None, number):
            for piece in held:
                yield from _rows(piece.path, people)


def count(folder: Path) -> int:
    """How many records of the topic are archived. HistoryError."""
    return sum(piece.last - piece.first + 1 for held in pieces(folder).values() for piece in held)


def newest(folder: Path) -> Iterator[Logged]:
    """The records of each partition's last file. HistoryError."""
    for _, held in sorted(pieces(folder).items()):
        yield from _rows(held[-1].path)


def judged(folder: Path) -> dict[int, int]:
    """How far production had judged each partition of the log when its decisions were archived; nothing where nobody wrote it."""
    try:
        return msgspec.json.decode((folder / JUDGED).read_bytes(), type=dict[int, int])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError):
        raise HistoryError(
            f"{folder / JUDGED}: cannot be read; bring it again from where the archive is kept"
        ) from None


def _rows(path: Path, people: Collection[str] | None = None) -> Iterator[Logged]:
    from pyarrow import ArrowException, parquet  # only here: it takes a second to load

    try:
        if people is not None:
            found = parquet.read_table(
                path, columns=list(COLUMNS), filters=[("person", "in", sorted(people))], partitioning=None
            )
            yield from _logged(found.to_batches(BATCH_ROWS))
            return
        with parquet.ParquetFile(path) as table:
            yield from _logged(table.iter_batches(batch_size=BATCH_ROWS, columns=list(COLUMNS)))
    except (ArrowException, OSError) as error:
        reason = str(error).splitlines()[0][:200]
        raise HistoryError(
            f"{path}: cannot be read ({reason}); bring it again from where the archive is kept"
        ) from None


def _logged(batches: Iterable[Any]) -> Iterator[Logged]:
    for batch in batches:
        columns = [batch.column(name) for name in COLUMNS]
        columns[2] = columns[2].cast("int64")
        for row in zip(*(column.to_pylist() for column in columns), strict=True):
            yield Logged(row[0], row[1], row[2], row[3])
