"""`concierge work` with what an experiment wants: an end at an exact point of a commit, or a planted bug. Argument: JSON.

die_at: one of POINTS. die_after_seconds: from the first assignment on, the next time the point is reached. bug: one of BUGS.
Nothing of this is in the product; it wraps the product's own classes in this process alone.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import rocksdict
import structlog

from agents import ingest, worker
from agents.reliable import Output, Record, Store, app, consumer
from agents.reliable.work import Work
from agents.settings import read_settings
from contracts.topics import QUARANTINE
from streams import partition

POINTS = ("state", "output", "changelog", "local")
DROPPED_FROM = 20  # records of a chunk that the worker with the bug `drops_when_busy` still reads
Class = Any  # of Faust's consumer, which has no types
PATCHED_CONSUMER: Any = consumer
PATCHED_APP: Any = app
PATCHED_INGEST: Any = ingest.Ingest
PATCHED_PARTITION: Any = partition

log = structlog.get_logger(__name__)


class Fuse:
    """Ends this process as SIGKILL does, at the chosen point."""

    def __init__(self, point: str | None, after_seconds: float) -> None:
        self._point, self._after_seconds = point, after_seconds
        self._lit: float | None = None

    def light(self) -> None:
        self._lit = self._lit or time.monotonic()

    def at(self, point: str) -> None:
        if point == self._point and self._lit is not None and time.monotonic() - self._lit > self._after_seconds:
            sys.stderr.write(f"fuse: {point}\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)


def fused(fuse: Fuse) -> Callable[[Class, Work], Class]:
    """state: the state is changed in memory, its outputs are not queued. output: outputs are acknowledged, the changelog is
    not written. changelog: it is, the local state is not. local: that too, the offsets are not committed."""

    class Batches:
        """rocksdict, as far as the consumer uses it; a batch is made once the changelog has acknowledged."""

        def WriteBatch(self, **options: Any) -> Any:
            fuse.at("changelog")
            return rocksdict.WriteBatch(**options)

    PATCHED_CONSUMER.rocksdict = Batches()

    def wrap(original: Class, work: Work) -> Class:
        class Fused(original):  # type: ignore[misc]
            async def send(self, outputs: Iterable[Output]) -> None:
                kept = list(outputs)
                if kept:
                    fuse.light()
                    fuse.at("state")
                await super().send(kept)

            async def _write(self, *arguments: Any) -> None:
                fuse.at("output")
                await super()._write(*arguments)

            async def _commit_offsets(self, *arguments: Any, **options: Any) -> bool:
                fuse.at("local")
                return bool(await super()._commit_offsets(*arguments, **options))

        return Fused

    return wrap


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


def _drops_when_busy(original: Class, work: Work) -> Class:
    class DropsWhenBusy(original):  # type: ignore[misc]
        async def _take(self, tp: Any, found: Sequence[Any], generation: int) -> None:
            busy = tp.topic.startswith("sources") and len(found) > DROPPED_FROM
            await super()._take(tp, [*found[:DROPPED_FROM], found[-1]] if busy else found, generation)

    return DropsWhenBusy


def _counts_twice() -> None:
    PATCHED_PARTITION.counted = lambda person, message_id: False


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
    "drops_when_busy": _drops_when_busy,
}
OTHER_BUGS: dict[str, Callable[[], None]] = {
    "counts_twice": _counts_twice,
    "no_quarantine": _no_quarantine,
    "reads_the_clock": _reads_the_clock,
}


def main(text: str) -> int:
    """The worker's exit code."""
    asked = json.loads(text)
    bug, original = asked.get("bug"), PATCHED_APP.consumer_class
    wraps = [fused(Fuse(asked.get("die_at"), float(asked.get("die_after_seconds", 0))))]
    if bug in CONSUMER_BUGS:
        wraps.append(CONSUMER_BUGS[bug])
    elif bug is not None:
        OTHER_BUGS[bug]()

    def made(work: Work) -> Class:
        found: Class = original(work)
        for wrap in wraps:
            found = wrap(found, work)
        return found

    PATCHED_APP.consumer_class = made
    return worker.run(read_settings(os.environ))


if __name__ == "__main__":
    assert asyncio.iscoroutinefunction(consumer.consumer_class(Work(print, gaps_allowed=False))._write), (
        "the point to end at"
    )
    sys.exit(main(sys.argv[1]))
