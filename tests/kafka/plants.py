"""Bugs put into the carrier on purpose, by tests only: each must turn the churn red, or the churn proves nothing."""

import asyncio
import itertools
import os
import signal
from collections.abc import Sequence
from typing import Any

from faust.types import TP

from agents.reliable import app as carrier
from agents.reliable.consumer import consumer_class
from agents.reliable.work import Work

WINDOW_SECONDS = 0.4  # so that a kill meets the moment between two steps of a commit
DAY_SECONDS = 86_400
FENCES_BEFORE_THE_FREEZE = 3


def plant(name: str) -> None:
    """Let every app made from now on have the bug. KeyError where it is unknown."""
    consumer = {
        "commit_first": _commit_first,
        "drop_in_flight": _drop_in_flight,
        "no_fence": _no_fence,
        "stuck_flush": _stuck_flush,
        "stuck_partition": _stuck_partition,
        "slow_flush": _slow_flush,
        "mute_changelog": _mute_changelog,
        "frozen_behind_the_fence": _frozen_behind_the_fence,
    }[name]
    patched: Any = carrier
    patched.consumer_class = lambda work: consumer(work, consumer_class(work))


def _commit_first(work: Work, base: Any) -> Any:
    class CommitFirst(base):  # type: ignore[misc]
        """Offsets before what they cover is durable."""

        async def force_commit(self, *args: Any, **options: Any) -> bool:
            if work.positions:
                await self._commit(dict(work.positions))
            await asyncio.sleep(WINDOW_SECONDS)
            return bool(await super().force_commit(*args, **options))

    return CommitFirst


def _drop_in_flight(work: Work, base: Any) -> Any:
    class DropInFlight(base):  # type: ignore[misc]
        """What was fetched and not yet handled at a rebalance counts as handled."""

        async def _take(self, tp: TP, found: Sequence[Any], generation: int) -> None:
            await super()._take(tp, found, generation)
            if not self._mine(tp, generation) and tp in work.positions:
                work.positions[tp] = found[-1].offset + 1

    return DropInFlight


def _no_fence(work: Work, base: Any) -> Any:
    class NoFence(base):  # type: ignore[misc]
        """A worker that outlived its session writes as if nothing had happened."""

        async def _fence(self) -> None:
            return None

        async def _hold(self) -> None:
            return None

    return NoFence


def _frozen_behind_the_fence(work: Work, base: Any) -> Any:
    fences = itertools.count(1)

    class FrozenBehindTheFence(base):  # type: ignore[misc]
        """No bug, but the worst moment to stand still: the group has answered, and nothing is written yet."""

        async def _fence(self) -> None:
            await super()._fence()
            if next(fences) == FENCES_BEFORE_THE_FREEZE:
                os.kill(os.getpid(), signal.SIGSTOP)

    return FrozenBehindTheFence


def _stuck_flush(work: Work, base: Any) -> Any:
    class StuckFlush(base):  # type: ignore[misc]
        """Acknowledgements never come, and nobody limits the wait for them."""

        async def _flush(self) -> Any:
            await asyncio.sleep(DAY_SECONDS)

    return StuckFlush


def _stuck_partition(work: Work, base: Any) -> Any:
    class StuckPartition(base):  # type: ignore[misc]
        """One partition is not read any more; the others are."""

        async def _take(self, tp: TP, found: Sequence[Any], generation: int) -> None:
            if tp.partition:
                await super()._take(tp, found, generation)

    return StuckPartition


def _slow_flush(work: Work, base: Any) -> Any:
    class SlowFlush(base):  # type: ignore[misc]
        """A broker that takes its time, and is no reason to stop."""

        async def _flush(self) -> Any:
            await asyncio.sleep(2)
            return await super()._flush()

    return SlowFlush


def _mute_changelog(work: Work, base: Any) -> Any:
    class MuteChangelog(base):  # type: ignore[misc]
        """Records of changelogs never arrive."""

        async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109  (Faust's signature)
            found = await super()._getmany(active_partitions, timeout)
            return {tp: records for tp, records in found.items() if not tp.topic.endswith("-changelog")}

    return MuteChangelog
