"""Where a history may come from: a file of calls, an archive of Parquet files, or a topic of Kafka."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agents.settings import Settings
    from backtests.history import History, Reader
    from backtests.tables import Progress
    from contracts.logged import Logged

Input = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="Calls, one a line (JSONL, gzip too); an archive's folder; or kafka://HOST:PORT/TOPIC?from=...&to=...",
    ),
]


def reader(source: str) -> "Reader":
    """Reads what INPUT names. HistoryError or Misconfigured at once, where it makes no sense at first sight."""
    from agents.kafka_log import SCHEME
    from backtests import archive, history, logs

    if source.startswith(SCHEME):
        return _of_topic(source)
    path = Path(source)
    if not archive.is_archive(path):
        return history.of_file(path)

    def records() -> tuple[int, "Iterable[Logged]"]:
        return archive.count(path / "signals"), archive.records(path / "signals")

    return partial(_read, logs.of_signals, records)


def instant(option: str, text: str) -> int:
    """Milliseconds of an RFC 3339 instant that an option names. ValueError, with the option's name."""
    from contracts.instant import from_rfc3339

    try:
        return from_rfc3339(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def own_log(settings: "Settings") -> str:
    """The address of the log that the workers write."""
    from agents.kafka_log import SCHEME
    from contracts.topics import SIGNALS

    return f"{SCHEME}{settings.kafka_bootstrap}/{SIGNALS.name}"


def settings_of(bootstrap: str | None) -> "Settings":
    """Those of a worker. The broker may be named otherwise; TLS and users stand in the environment alone."""
    from agents.settings import read_settings

    named: Mapping[str, str] = {"CONCIERGE_KAFKA_BOOTSTRAP": bootstrap} if bootstrap else {}
    return read_settings({**os.environ, **named})


def refusals() -> tuple[type[Exception], ...]:
    """What reading an input may refuse with one sentence."""
    from agents.kafka_topics import Unreachable
    from agents.settings import Misconfigured
    from backtests.history import HistoryError

    return HistoryError, Misconfigured, Unreachable


@contextmanager
def opened(read: "Reader", progress: "Progress") -> Iterator["History"]:
    """The history, on a spool that is gone afterwards; what cannot be read is counted and dropped."""
    import tempfile

    with tempfile.TemporaryFile() as spool, tempfile.TemporaryFile() as unread:
        yield read(spool=spool, quarantine=unread, progress=progress)


def _of_topic(source: str) -> "Reader":
    from agents import kafka_log
    from backtests import logs
    from backtests.history import HistoryError

    try:
        address = kafka_log.address(source)
    except kafka_log.AddressError as error:
        raise HistoryError(f"INPUT: {error}") from None
    settings = settings_of(address.bootstrap)
    kind = logs.of_signals if logs.holds_signals(address.topic) else logs.of_calls

    def records() -> tuple[int, "Iterable[Logged]"]:
        held = kafka_log.extents(settings, address.topic)
        total = sum(extent.end - extent.begin for extent in held.values())
        return total, kafka_log.read(settings, address.topic, partitions=held, from_ms=address.from_ms)

    return partial(_read, partial(kind, span=logs.Span(address.from_ms, address.to_ms)), records)


def _read(
    kind: "Callable[..., History]",
    records: "Callable[[], tuple[int, Iterable[Logged]]]",
    *,
    spool: IO[bytes],
    quarantine: IO[bytes],
    progress: "Progress",
) -> "History":
    total, found = records()
    return kind(watched(found, total, progress), spool=spool, quarantine=quarantine)


def watched(records: "Iterable[Any]", total: int, progress: "Progress") -> Iterator[Any]:
    """The same, with the progress told."""
    for number, record in enumerate(records, 1):
        progress(number, total)
        yield record
