"""A history: signals read once and given back in the order in which they were accepted; here those of a file of calls.

A raw history's calls, in any envelope, one a line, are accepted when they occurred. Readable signals go to a spool on disk; in
memory stay 24 bytes a signal, and about 170 more while a history that is out of order is sorted. Lines that cannot be read
are quarantined with their number, a reason and their original bytes.
"""

import base64
import gzip
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple, Protocol, cast

import msgspec

from backtests.tables import GZIP_MAGIC, Progress, quiet
from contracts import calls, signals
from contracts.instant import INSTANT_MS_MAX
from contracts.signals import PersonSignal

LINE_BYTES_MAX = 16 << 20  # far above the largest message that is taken; what a longer line has beyond is not kept
SPOOL_BUFFER_BYTES = 1 << 20


class HistoryError(ValueError):
    """A history that cannot be read; `str()` says which, why and what to do."""


class History:
    """signals: in order of acceptance, ties by rank. The spool must stay open while they are read."""

    def __init__(self, spool: IO[bytes]) -> None:
        self.lines = 0
        self.calls = 0
        self.rejected: Counter[str] = Counter()
        self.ignored: Counter[str] = Counter()
        self.in_order = True
        self._spool = spool
        self._times = array("q")
        self._ranks = array("q")
        self._offsets = array("q")
        self._end = 0

    def __len__(self) -> int:
        return len(self._times)

    def append(self, signal: PersonSignal, *, rank: int = 0) -> None:
        """rank: what tells the order of those accepted at one instant; where it is the same, they stay as they came."""
        record = signals.encode(signal)
        if self._times:
            self.in_order = self.in_order and (self._times[-1], self._ranks[-1]) <= (signal.accepted_ms, rank)
        self._times.append(signal.accepted_ms)
        self._ranks.append(rank)
        self._offsets.append(self._end)
        self._end += self._spool.write(record)

    def signals(self) -> Iterator[PersonSignal]:
        self._spool.flush()
        for index in self._order():
            offset = self._offsets[index]
            after = self._offsets[index + 1] if index + 1 < len(self) else self._end
            self._spool.seek(offset)
            yield cast(PersonSignal, signals.decode(self._spool.read(after - offset)))

    def _order(self) -> Sequence[int]:
        if self.in_order:
            return range(len(self))
        times, ranks = self._times, self._ranks
        return sorted(range(len(self)), key=lambda index: (times[index], ranks[index]))


class Reader(Protocol):
    """Reads a history from wherever it is. HistoryError when it cannot be read."""

    def __call__(self, *, spool: IO[bytes], quarantine: IO[bytes], progress: Progress) -> History: ...


class _Line(NamedTuple):
    number: int
    value: bytes
    cut: bool


def check(path: Path) -> None:
    """HistoryError when the file cannot be opened, before anything is written because of it."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise HistoryError(f"{path}: cannot be read ({error.strerror or error}); name an existing file") from None


def of_file(path: Path) -> Reader:
    """HistoryError at once when the file cannot be opened."""
    check(path)

    def reader(*, spool: IO[bytes], quarantine: IO[bytes], progress: Progress) -> History:
        return read(path, spool=spool, quarantine=quarantine, progress=progress)

    return reader


def read(path: Path, *, spool: IO[bytes], quarantine: IO[bytes], progress: Progress = quiet) -> History:
    """Read `path` (JSONL, gzip too) into `spool`, bad lines into `quarantine`. HistoryError when it is unreadable."""
    history = History(spool)
    try:
        for line in _lines(path, progress):
            if line.value.strip():
                history.lines += 1
                _take(line, history, quarantine)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise HistoryError(f"{path}: the compressed data is damaged or cut; fetch or write the file again") from None
    except OSError as error:
        raise HistoryError(f"{path}: cannot be read ({error.strerror or error}); name an existing file") from None
    return history


def _take(line: _Line, history: History, quarantine: IO[bytes]) -> None:
    parsed = calls.parse(line.value, accepted_ms=INSTANT_MS_MAX)
    refused = [(str(rejected.reason), rejected.value) for rejected in parsed.rejected]
    timeless = False
    for signal in parsed.signals:
        if signal.occurred_ms >= INSTANT_MS_MAX:
            timeless = True  # only a live feed could say when it came
        else:
            history.append(msgspec.structs.replace(signal, accepted_ms=signal.occurred_ms))
    history.calls += len({signal.id for signal in parsed.signals if signal.occurred_ms < INSTANT_MS_MAX})
    history.ignored.update(parsed.ignored)
    if timeless:
        refused.append(("no_time", line.value))
    for reason, value in refused:
        history.rejected[reason] += 1
        entry = {"line": line.number, "reason": reason, "bytes": base64.b64encode(value).decode()}
        if line.cut:
            entry["cut"] = True
        quarantine.write(msgspec.json.encode(entry) + b"\n")


def _lines(path: Path, progress: Progress) -> Iterator[_Line]:
    total = path.stat().st_size
    with path.open("rb") as raw:
        compressed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        file = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if compressed else raw
        number = 0
        while value := file.readline(LINE_BYTES_MAX):
            number += 1
            rest, cut = value, False
            while not rest.endswith(b"\n") and (rest := file.readline(LINE_BYTES_MAX)):
                cut = True
            progress(raw.tell(), total)
            yield _Line(number, value.rstrip(b"\r\n"), cut)
