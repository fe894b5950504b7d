"""`concierge work` with what an experiment wants: an end at an exact point of a commit, or a planted bug. Argument: JSON.

die_at: one of POINTS. die_after_seconds: from the first decision on, the next time the point is reached. bug: see bugs.py.
Nothing of this is in the product; it wraps the product's own classes in this process alone.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from faust.types import TP

from agents import worker
from agents.reliable import Output, app, consumer
from agents.reliable.store import keep
from agents.reliable.work import Work
from agents.settings import read_settings
from contracts.topics import DECISIONS
from tests.faults.bugs import CONSUMER_BUGS, OTHER_BUGS, Class

POINTS = ("state", "output", "changelog", "local")
PATCHED_CONSUMER: Any = consumer
PATCHED_APP: Any = app


class Fuse:
    """Ends this process as SIGKILL does, at the chosen point."""

    def __init__(self, point: str | None, after_seconds: float) -> None:
        self._point, self._after_seconds = point, after_seconds
        self._lit: float | None = None
        self.told: set[TP] = set()  # partitions with decisions since the last flush began
        self.due: set[TP] = set()  # those whose decisions belong to the flush that runs

    def light(self) -> None:
        self._lit = self._lit or time.monotonic()

    def at(self, point: str) -> None:
        if point == self._point and self._lit is not None and time.monotonic() - self._lit > self._after_seconds:
            sys.stderr.write(f"fuse: {point}\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)


def fused(fuse: Fuse) -> Callable[[Class, Work], Class]:
    """state: the state is changed in memory, its outputs are not queued. output: outputs are acknowledged, the changelog is
    not written. changelog: it is, for a partition whose people were decided on, and the local state is not. local: that too,
    the offsets are not committed."""
    taking: list[TP] = []
    writing: list[TP] = []

    def kept(*arguments: Any) -> None:
        """As the consumer calls it: once the changelog has acknowledged."""
        if writing[-1] in fuse.due:
            fuse.at("changelog")
        keep(*arguments)

    PATCHED_CONSUMER.keep = kept

    def wrap(original: Class, work: Work) -> Class:
        class Fused(original):  # type: ignore[misc]
            async def send(self, outputs: Iterable[Output]) -> None:
                kept = list(outputs)
                decides = any(output.topic == DECISIONS.name for output in kept)
                if decides:
                    fuse.light()
                    fuse.at("state")
                await super().send(kept)
                if decides:
                    fuse.told.add(taking[-1])

            async def _take(self, tp: TP, *arguments: Any) -> None:
                taking[:] = [tp]
                await super()._take(tp, *arguments)

            async def _flush(self) -> Any:
                fuse.due, fuse.told = fuse.told, set()
                return await super()._flush()

            async def _write(self, tp: TP, *arguments: Any) -> None:
                fuse.at("output")
                writing[:] = [tp]
                await super()._write(tp, *arguments)

            async def _commit_offsets(self, *arguments: Any, **options: Any) -> bool:
                if fuse.due:
                    fuse.at("local")
                return bool(await super()._commit_offsets(*arguments, **options))

        return Fused

    return wrap


def main(text: str) -> int:
    """The worker's exit code."""
    asked = json.loads(text)
    bug, original = asked.get("bug"), PATCHED_APP.consumer_class
    wraps = []
    if bug in CONSUMER_BUGS:
        wraps.append(CONSUMER_BUGS[bug])
    elif bug is not None:
        OTHER_BUGS[bug]()
    fuse = Fuse(asked.get("die_at"), float(asked.get("die_after_seconds", 0)))
    wraps.append(fused(fuse))  # outermost: it sees what a bug withholds

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
