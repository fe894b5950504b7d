"""Planted bugs: what a worker could do wrong, one at a time, in its own process and by tests only.

Nothing of this is in the product; each wraps the product's own classes, and must turn the experiment it belongs to red.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import rocksdict
import structlog
from confluent_kafka import Consumer, TopicPartition

from agents import ingest
from agents.reliable import Output, Record, Store, app
from agents.reliable.work import Work
from agents.settings import read_settings
from agents.topic_plan import changelog
from contracts.signals import Tracked
from contracts.topics import QUARANTINE
from streams import partition

SECOND_MAX = 30  # signals of one second that the worker with the bug `sheds_load` still thinks about
PERSON_MAX = 60  # signals of one person that the worker with the bug `tires_of_one` thinks about
LEAK_BYTES = 20_000  # that the worker with the bug `remembers_all` keeps of every signal
Class = Any  # of Faust's consumer, which has no types
PATCHED_APP: Any = app
PATCHED_INGEST: Any = ingest.Ingest
PATCHED_PARTITION: Any = partition

log = structlog.get_logger(__name__)


def _commit_ahead(original: Class, work: Work) -> Class:
    """Commits offsets at once and makes what belongs to them durable only every so often."""

    class CommitAhead(original):  # type: ignore[misc]
        _count = 0

        async def _flush(self) -> Any:
            self._count += 1
            if self._count % 20:
                return dict(work.positions)
            return await super()._flush()

    return CommitAhead


def _outputs_last(original: Class, work: Work) -> Class:
    """Writes the state first and what it led to afterwards."""
    held: list[Output] = []

    class OutputsLast(original):  # type: ignore[misc]
        async def send(self, outputs: Iterable[Output]) -> None:
            held.extend(outputs)

        async def force_commit(self, *arguments: Any, **options: Any) -> bool:
            done = bool(await super().force_commit(*arguments, **options))
            late, held[:] = list(held), []
            await super().send(late)
            return done

    return OutputsLast


def _no_final_flush(original: Class, work: Work) -> Class:
    """At a revocation commits where it was, and forgets what is not written yet."""

    class NoFinalFlush(original):  # type: ignore[misc]
        async def _flush(self) -> Any:
            return dict(work.positions) if self._final else await super()._flush()

    return NoFinalFlush


def _no_fence(original: Class, work: Work) -> Class:
    """Takes no notice of the group having gone on without it."""
    stop = work.fail
    work.fail = lambda sentence: None if "another worker" in sentence else stop(sentence)

    async def confirmed(self: Any) -> bool:
        return True

    PATCHED_APP.App.confirmed = confirmed

    class NoFence(original):  # type: ignore[misc]
        async def _fence(self) -> None:
            return None

        async def _hold(self) -> None:
            return None

    return NoFence


def _no_changelog(original: Class, work: Work) -> Class:
    """Keeps its state on this machine alone."""

    class NoChangelog(original):  # type: ignore[misc]
        async def _write(self, tp: Any, store: Store, records: Any) -> None:
            batch = rocksdict.WriteBatch(raw_mode=True)
            for key, value in records.items():
                if value is None:
                    batch.delete(key)
                else:
                    batch.put(key, value)
            try:
                store.local.write(batch)
            except Exception as error:
                log.warning("planted", error=repr(error))

    return NoChangelog


def _unheard_failures(original: Class, work: Work) -> Class:
    """Asks nobody whether what it produced was taken."""

    class UnheardFailures(original):  # type: ignore[misc]
        async def send(self, outputs: Iterable[Output]) -> None:
            await super().send(outputs)
            for output in work.outputs:
                output.add_done_callback(lambda done: done.cancelled() or done.exception())
            work.outputs = []

    return UnheardFailures


def _counts_twice() -> None:
    PATCHED_PARTITION.counted = lambda person, message_id: False


def _sheds_load() -> None:
    """Lets go of what one partition has too much of in a second, and counts it as done."""
    whole = PATCHED_PARTITION.Partition.take
    counts: Counter[tuple[int, int]] = Counter()

    def take(self: Any, signal: Any, position: int) -> Any:
        if isinstance(signal, Tracked):
            second = (id(self), signal.accepted_ms // 1000)
            counts[second] += 1
            if counts[second] > SECOND_MAX:
                return partition.Effects()
        return whole(self, signal, position)

    PATCHED_PARTITION.Partition.take = take


def _tires_of_one() -> None:
    """Lets go of what one person has too much of, however slowly it comes."""
    whole = PATCHED_PARTITION.Partition.take
    counts: Counter[str] = Counter()

    def take(self: Any, signal: Any, position: int) -> Any:
        if isinstance(signal, Tracked):
            counts[signal.person] += 1
            if counts[signal.person] > PERSON_MAX:
                return partition.Effects()
        return whole(self, signal, position)

    PATCHED_PARTITION.Partition.take = take


def _remembers_all() -> None:
    """Keeps something of everything that it ever saw."""
    whole = PATCHED_PARTITION.Partition.take
    kept: list[bytes] = []

    def take(self: Any, signal: Any, position: int) -> Any:
        if isinstance(signal, Tracked):
            kept.append(os.urandom(LEAK_BYTES))
        return whole(self, signal, position)

    PATCHED_PARTITION.Partition.take = take


def _locked_is_new() -> None:
    """Where the state is locked, goes on with an empty one elsewhere and takes it for complete."""
    whole = PATCHED_APP.open_sound

    def opened(path: Path, open_it: Callable[[], Any]) -> Any:
        try:
            return whole(path, open_it)
        except Exception as error:
            if "lock" not in str(error).lower():
                raise
        sys.stderr.write(f"planted: lock of {path.name}\n")
        table, _, number = path.stem.rpartition("-")
        asked = Consumer({"bootstrap.servers": read_settings(os.environ).kafka_bootstrap, "group.id": "planted"})
        end = asked.get_watermark_offsets(TopicPartition(changelog(table), int(number)), timeout=20)[1]
        asked.close()
        database = rocksdict.Rdict(str(path.with_suffix(".other")), rocksdict.Options(raw_mode=True))
        database.put(b"__faust\0offset__", str(end - 1).encode())
        return database

    PATCHED_APP.open_sound = opened


def _no_quarantine() -> None:
    whole = PATCHED_INGEST._one

    def one(self: ingest.Ingest, record: Record, *arguments: Any) -> list[Output]:
        return [output for output in whole(self, record, *arguments) if output.topic != QUARANTINE.name]

    PATCHED_INGEST._one = one


def _reads_the_clock() -> None:
    """Thinks with the time at which it reads instead of the time at which was accepted."""
    whole = PATCHED_PARTITION.Partition.take

    def take(self: Any, signal: Any, position: int) -> Any:
        if hasattr(signal, "accepted_ms"):
            now_ms = read_settings(os.environ).clock_port().now_ms()
            signal = msgspec.structs.replace(signal, accepted_ms=now_ms)
        return whole(self, signal, position)

    PATCHED_PARTITION.Partition.take = take


CONSUMER_BUGS: dict[str, Callable[[Class, Work], Class]] = {
    "commit_ahead": _commit_ahead,
    "outputs_last": _outputs_last,
    "no_final_flush": _no_final_flush,
    "no_fence": _no_fence,
    "no_changelog": _no_changelog,
    "unheard_failures": _unheard_failures,
}
OTHER_BUGS: dict[str, Callable[[], None]] = {
    "counts_twice": _counts_twice,
    "no_quarantine": _no_quarantine,
    "reads_the_clock": _reads_the_clock,
    "sheds_load": _sheds_load,
    "tires_of_one": _tires_of_one,
    "remembers_all": _remembers_all,
    "locked_is_new": _locked_is_new,
}
