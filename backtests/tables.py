"""Tables: the rows of a CSV or Parquet file, gzip too, one by one, each under the number of its line.

Reading holds a few rows at a time, whatever the size of the file. A row that cannot be read comes as a Reject and stops
no neighbour; a file that cannot be read raises TableError with one sentence.
"""

import csv
import gzip
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

LINES_PER_ROW_MAX = 50  # a quoted value may span lines; a stray quote must not swallow the rest of the file
LINE_BYTES_MAX = 1 << 20  # a longer line is no row of a table
FIELD_CHARS_MAX = 1 << 20  # as long as a line may be
PARQUET_BATCH_ROWS = 4_096
GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"

Progress = Callable[[int, int], None]  # done, total, in one unit (bytes or rows)


class Row(NamedTuple):
    """One row as text: `""` where it is empty. number: line of a CSV (the header is 1), row of a Parquet file (from 1)."""

    number: int
    fields: dict[str, str]


class Reject(NamedTuple):
    number: int
    reason: str
    text: str


class TableError(ValueError):
    """A file that is no readable table; `str()` says which, why and what to do."""


def quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""


def rows(path: Path, *, separator: str = ",", progress: Progress = quiet) -> Iterator[Row | Reject]:
    """Rows in file order. The kind of file is told by its first bytes, not by its name."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic == PARQUET_MAGIC:
            yield from _parquet(path, progress)
        else:
            yield from _csv(_lines(path, magic.startswith(GZIP_MAGIC), progress), path, separator)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise TableError(f"{path}: the compressed data is damaged or cut; fetch the file again") from None
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or error}); name an existing file") from None


def _lines(path: Path, compressed: bool, progress: Progress) -> Iterator[bytes]:
    total = path.stat().st_size
    with path.open("rb") as raw:
        file: BinaryIO = gzip.GzipFile(fileobj=raw) if compressed else raw  # type: ignore[assignment]  # it reads bytes
        while line := file.readline(LINE_BYTES_MAX):
            progress(raw.tell(), total)
            yield line


def _csv(lines: Iterator[bytes], path: Path, separator: str) -> Iterator[Row | Reject]:
    csv.field_size_limit(FIELD_CHARS_MAX)
    waiting: deque[bytes] = deque()
    header: list[str] | None = None
    number = 1
    while True:
        if not waiting:
            line = next(lines, None)
            if line is None:
                break
            waiting.append(line)
        width = None if header is None else len(header)
        used, parsed = _record(waiting, lines, width, separator)
        text = b"".join(waiting.popleft() for _ in range(used))
        if header is None:
            if isinstance(parsed, str) or len(set(parsed)) != len(parsed):
                raise TableError(f"{path}: the first line is no CSV header; write the column names there, each once")
            header = [name.lstrip("\ufeff").strip() for name in parsed]
        elif isinstance(parsed, str):
            yield Reject(number, parsed, text.decode("utf-8", "backslashreplace").rstrip("\r\n"))
        elif parsed:
            yield Row(number, dict(zip(header, parsed, strict=True)))
        number += used
    if header is None:
        raise TableError(f"{path}: is empty; it needs a line of column names and rows")


def _record(
    waiting: deque[bytes], lines: Iterator[bytes], width: int | None, separator: str
) -> tuple[int, list[str] | str]:
    """How many of the waiting lines make the next record, and its fields or the reason why it is none."""
    reason = "an opening quote is never closed"
    for used in range(1, LINES_PER_ROW_MAX + 1):
        if used > len(waiting):
            line = next(lines, None)
            if line is None:
                break
            waiting.append(line)
        parsed = _fields(b"".join(waiting[index] for index in range(used)), separator)
        if parsed is None:
            continue  # the quote stays open: the value may go on in the next line
        if isinstance(parsed, str):
            return 1, parsed if used == 1 else reason
        if width is not None and parsed and len(parsed) != width:
            return 1, f"{len(parsed)} fields where the header has {width}" if used == 1 else reason
        return used, parsed
    return 1, reason


def _fields(record: bytes, separator: str) -> list[str] | str | None:
    """The fields of a record, the reason why it is none, or None where a quoted value is still open."""
    try:
        text = record.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8 text"
    if "\x00" in text:
        return "a NUL byte"
    try:
        return next(csv.reader([text], strict=True, delimiter=separator), [])
    except csv.Error as error:
        return None if "unexpected end of data" in str(error) else f"no CSV: {error}"


def _parquet(path: Path, progress: Progress) -> Iterator[Row | Reject]:
    from pyarrow import ArrowException, parquet  # only here: it takes a second to load

    try:
        with parquet.ParquetFile(path) as table:
            total, number = table.metadata.num_rows, 0
            for batch in table.iter_batches(batch_size=PARQUET_BATCH_ROWS):
                for fields in batch.to_pylist():
                    number += 1
                    yield Row(number, {name: _text(value) for name, value in fields.items()})
                progress(number, total)
    except ArrowException as error:
        reason = str(error).splitlines()[0][:200]
        raise TableError(f"{path}: no readable Parquet file ({reason}); fetch or write the file again") from None


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):  # a naive one is read as UTC
        return (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return str(value)
