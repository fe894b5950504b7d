"""What the watchdog takes for progress of a worker that has not settled: records of a recovery, never its beginnings."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from agents.reliable import watchdog
from agents.reliable.watch import Limits, stalled
from agents.reliable.work import Work

LIMITS = Limits(commit_seconds=60, recovery_seconds=15, still_seconds=120)
CHANGELOG = TP("people-changelog", 0)
RESTART_SECONDS = 10  # a rebalance each time, before the recovery is silent for too long
END = 10_000


class Wall:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


class Watched:
    """A watchdog over a member of a group with state to recover, looked at every two seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall = Wall()
        monkeypatch.setattr(watchdog, "time", self.wall)
        self.recovery = SimpleNamespace(
            active_offsets={CHANGELOG: 0},
            active_highwaters={CHANGELOG: END},
            _active_events_received_at={},
            _recovery_started_at=self.wall.now,
        )
        self.carried: Any = SimpleNamespace(in_recovery=True, rebalancing=False, should_stop=False)
        self.work = Work(print, gaps_allowed=False)
        self.dog = watchdog.Watchdog(self.work, self.carried, LIMITS)
        self.dog._recovery = self.recovery

    async def run(self, seconds: int, each: Callable[[int], None]) -> str | None:
        """The first reason to stop."""
        for second in range(0, seconds, 2):
            self.wall.now += 2
            each(second)
            await self.dog._note({}, self.wall.now)
            reason = stalled(self.dog._seen(), self.wall.now, LIMITS)
            if reason is not None:
                return reason
        return None


async def test_recoveries_that_begin_again_and_again_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)

    def again(second: int) -> None:
        if second % RESTART_SECONDS == 0:
            watched.recovery._recovery_started_at = watched.wall.now
            watched.recovery.active_offsets[CHANGELOG] = 0

    assert await watched.run(3600, again) == "recoveries began again and again and got no further for too long"
    assert watched.wall.now - 1_000 < LIMITS.still_seconds + 5


async def test_recoveries_that_read_the_same_records_each_time_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)

    def again(second: int) -> None:
        watched.recovery.active_offsets[CHANGELOG] = 100 * (second % RESTART_SECONDS)
        watched.recovery._active_events_received_at[CHANGELOG] = watched.wall.now

    assert await watched.run(3600, again) == "recoveries began again and again and got no further for too long"


async def test_a_group_that_never_settles_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.carried.in_recovery = False

    def flip(second: int) -> None:
        watched.carried.rebalancing = second % 4 == 0

    assert "did not settle" in (await watched.run(3600, flip) or "")


async def test_recoveries_that_are_interrupted_and_get_further_each_time_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)

    def further(second: int) -> None:
        watched.recovery.active_offsets[CHANGELOG] = second
        watched.recovery._active_events_received_at[CHANGELOG] = watched.wall.now

    assert await watched.run(3600, further) is None
