"""Looks at a worker every two seconds, and ends the process when it will not get on by itself.

Promise: judged from a thread of its own, since a handler that never returns holds the loop; each partition by itself, since one
may stand still while others move.
"""

import asyncio
import threading
import time
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.types import TP

from agents.reliable.watch import Health, Limits, Seen, judge, stalled
from agents.reliable.work import Work

LOOK_SECONDS = 2.0


class Watchdog:
    """`health` may be asked from any thread at any time, also before `start`."""

    def __init__(self, work: Work, carried: faust.App, limits: Limits) -> None:
        self._work, self._carried, self._limits = work, carried, limits
        self._moved: dict[TP, float] = {}  # when each partition last moved, or was read to its end
        self._moved_at = time.monotonic()
        self._reached: dict[TP, int] = {}  # how far recoveries got in each changelog since the group last settled
        self._recovery: Any = None  # Faust makes it once it has started, and on its own loop only

    def health(self) -> Health:
        return judge(self._seen(), time.monotonic(), self._limits)

    def start(self) -> None:
        self._moved_at = time.monotonic()
        self._work.watch = self._look
        threading.Thread(target=self._guard, name="watchdog", daemon=True).start()

    def _guard(self) -> None:
        while True:
            reason = stalled(self._seen(), time.monotonic(), self._limits)
            if reason is not None:
                self._work.fail(reason)
            time.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        """On the worker's loop, for what only that may ask."""
        before: dict[TP, int] = {}
        self._recovery = self._carried.tables.recovery
        while not self._carried.should_stop:
            await self._note(before, time.monotonic())
            before = dict(self._work.positions)
            await asyncio.sleep(LOOK_SECONDS)

    async def _note(self, before: dict[TP, int], now: float) -> None:
        """A beginning is no progress: a group that never settles, or recoveries that begin again and again, would hide a hang."""
        if self._carried.in_recovery or self._carried.rebalancing or not self._work.settled:
            self._moved.clear()
            if self._recovered_further():
                self._moved_at = now
        else:
            self._reached.clear()
            await self._compare(before, now)
            self._moved_at = min(self._moved.values(), default=now)

    def _recovered_further(self) -> bool:
        """Whether any changelog was read beyond what was seen of it; a first look at one only notes where it stands."""
        further = False
        for tp, offset in self._recovery.active_offsets.items():
            if offset is not None:
                further |= offset > self._reached.get(tp, offset)
                self._reached[tp] = max(offset, self._reached.get(tp, offset))
        return further

    async def _compare(self, before: dict[TP, int], now: float) -> None:
        positions = dict(self._work.positions)
        at_end = await self._at_end({tp: at for tp, at in positions.items() if before.get(tp) == at})
        for tp, at in positions.items():
            if tp not in self._moved or before.get(tp) != at or tp in at_end:
                self._moved[tp] = now
        for tp in self._moved.keys() - positions.keys():
            del self._moved[tp]

    async def _at_end(self, positions: dict[TP, int]) -> set[TP]:
        """Which of them the broker has nothing more for; none where it does not answer."""
        if not positions:
            return set()
        try:
            ends = await asyncio.wait_for(self._carried.consumer.highwaters(*positions), LOOK_SECONDS)
        except (KafkaError, TimeoutError):
            return set()
        return {tp for tp, end in ends.items() if positions[tp] >= (end or 0)}

    def _state_missing(self) -> bool:
        """Faust's need_recovery on copies, since another thread may ask."""
        if self._recovery is None:
            return False
        offsets = dict(self._recovery.active_offsets)
        ends = dict(self._recovery.active_highwaters)
        return any(end > offset for tp, end in ends.items() if (offset := offsets.get(tp)) is not None)

    def _heard_at(self) -> float:
        if self._recovery is None:
            return self._moved_at
        arrivals = list(self._recovery._active_events_received_at.values())
        return float(max([*arrivals, self._recovery._recovery_started_at or self._moved_at]))

    def _seen(self) -> Seen:
        return Seen(
            stopping=self._carried.should_stop,
            rebalancing=self._carried.rebalancing or not self._work.settled,
            recovering=self._carried.in_recovery and self._state_missing(),
            partitions_count=len(self._work.stores),
            moved_at=self._moved_at,
            heard_at=self._heard_at(),
            committed_at=self._work.committed_at,
        )
