"""What the watchdog takes for progress: records of a recovery, never its beginnings; each partition's own reading, or its end."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
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
        monkeypatch.setattr(watchdog, "asyncio", SimpleNamespace(sleep=self._next, wait_for=asyncio.wait_for))
        self.recovery = SimpleNamespace(
            active_offsets={CHANGELOG: 0},
            active_highwaters={CHANGELOG: END},
            _active_events_received_at={},
            _recovery_started_at=self.wall.now,
        )
        self.carried: Any = SimpleNamespace(
            in_recovery=True,
            rebalancing=False,
            should_stop=False,
            tables=SimpleNamespace(recovery=self.recovery),
            consumer=SimpleNamespace(highwaters=self._highwaters),
        )
        self.ends: dict[TP, int] | Exception = {}
        self.work = Work(print, gaps_allowed=False)
        self.dog = watchdog.Watchdog(self.work, self.carried, LIMITS)
        self._second, self._seconds_max = 0, 0
        self._each: Callable[[int], None]

    async def run(self, seconds: int, each: Callable[[int], None]) -> str | None:
        """The first reason to stop. `each` is told the second, before the watchdog looks."""
        self._second, self._seconds_max, self._each = 0, seconds, each
        self.carried.should_stop = False
        self._each(0)
        await self.dog._look()
        return stalled(self.dog._seen()._replace(stopping=False), self.wall.now, LIMITS)

    async def _next(self, seconds: float) -> None:
        """Instead of a sleep: the world two seconds later, unless there is a reason to stop."""
        over = self._second >= self._seconds_max
        if over or stalled(self.dog._seen(), self.wall.now, LIMITS) is not None:
            self.carried.should_stop = True
            return
        self.wall.now += seconds
        self._second += int(seconds)
        self._each(self._second)

    async def _highwaters(self, *asked: TP) -> dict[TP, int]:
        if isinstance(self.ends, Exception):
            raise self.ends
        return {tp: self.ends[tp] for tp in asked}


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


async def test_a_first_look_at_a_changelog_only_notes_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each recovery is of other partitions, as it is where a group is shared out anew each time, and none reads anything."""
    watched = Watched(monkeypatch)

    def other(second: int) -> None:
        if second % RESTART_SECONDS == 0:
            watched.recovery._recovery_started_at = watched.wall.now
            changelog = TP("people-changelog", second)
            watched.recovery.active_offsets = {changelog: 700}
            watched.recovery.active_highwaters = {changelog: END}

    assert await watched.run(3600, other) == "recoveries began again and again and got no further for too long"


def settled(watched: Watched, positions: dict[TP, int]) -> None:
    """Nothing to recover, and these partitions to work on, which commit all the time."""
    watched.carried.in_recovery = False
    watched.work.settled = True
    watched.work.positions.update(positions)
    watched.work.stores.update(dict.fromkeys(positions))


STILL = "a partition was not read for too long although there is more, or the group did not settle"
MOVING, STANDING = TP("in", 0), TP("in", 1)


async def test_one_partition_that_stands_still_is_seen_beside_one_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    settled(watched, {MOVING: 0, STANDING: 5})
    watched.ends = {MOVING: END, STANDING: 6}

    def move(second: int) -> None:
        watched.work.positions[MOVING] = second
        watched.work.committed_at = watched.wall.now

    assert await watched.run(3600, move) == STILL
    assert LIMITS.still_seconds < watched.wall.now - 1_000 < LIMITS.still_seconds + 5


async def test_a_partition_that_stands_still_since_before_a_rebalance_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog looked while the group was about to share out anew, and finds the same position after it."""
    watched = Watched(monkeypatch)
    settled(watched, {MOVING: 0, STANDING: 5})
    watched.ends = {MOVING: END, STANDING: 6}

    def move(second: int) -> None:
        watched.carried.rebalancing = second < 4
        watched.work.positions[MOVING] = second
        watched.work.committed_at = watched.wall.now

    assert await watched.run(3600, move) == STILL


async def test_what_is_read_to_its_end_or_was_given_away_stands_still_for_as_long_as_it_likes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    settled(watched, {MOVING: 6, STANDING: 5})
    watched.ends = {MOVING: 6, STANDING: 9}

    def idle(second: int) -> None:
        watched.work.committed_at = watched.wall.now
        if second == 100:
            del watched.work.positions[STANDING], watched.work.stores[STANDING]

    assert await watched.run(3600, idle) is None


async def test_a_rebalance_gives_each_partition_its_time_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    settled(watched, {STANDING: 5})
    watched.ends = {STANDING: 9}

    def shared_out_again(second: int) -> None:
        watched.work.committed_at = watched.wall.now
        watched.carried.rebalancing = second in (100, 200)

    assert await watched.run(310, shared_out_again) is None


async def test_a_broker_that_does_not_say_where_a_partition_ends_is_no_proof_of_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    settled(watched, {STANDING: 5})
    watched.ends = KafkaConnectionError("away")

    def commit(second: int) -> None:
        watched.work.committed_at = watched.wall.now

    assert await watched.run(3600, commit) == STILL


async def test_how_far_recoveries_got_counts_anew_once_the_group_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that was emptied in between is recovered from the first record on, which is progress again."""
    watched = Watched(monkeypatch)

    def twice(second: int) -> None:
        if second == 200:
            settled(watched, {MOVING: 0})
            watched.work.committed_at = watched.wall.now
        elif second == 202:
            watched.carried.in_recovery, watched.work.settled = True, False
            watched.recovery._recovery_started_at = watched.wall.now
        watched.ends = {MOVING: 0}
        watched.recovery.active_offsets[CHANGELOG] = second if second < 202 else second - 202
        watched.recovery._active_events_received_at[CHANGELOG] = watched.wall.now

    assert await watched.run(400, twice) is None


async def test_a_recovery_that_has_all_of_its_changelog_need_not_hear_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust ends it by itself, after seconds; there is nothing left that could be read."""
    watched = Watched(monkeypatch)
    watched.recovery.active_offsets[CHANGELOG] = END

    def nothing(second: int) -> None: ...

    assert await watched.run(110, nothing) is None
    watched.recovery.active_offsets[CHANGELOG] = END - 1
    assert await watched.run(4, nothing) == "the recovery has read no changelog record for too long"


async def test_the_time_counts_from_the_start_not_from_the_making(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two stand the checks of topics and of Intercom, which may take their time."""
    watched, guards = Watched(monkeypatch), list[str]()
    monkeypatch.setattr(
        watchdog,
        "threading",
        SimpleNamespace(Thread=lambda name, **_: SimpleNamespace(start=lambda: guards.append(name))),
    )
    watched.wall.now += LIMITS.still_seconds + 1
    assert not watched.dog.health().live
    watched.dog.start()
    assert watched.dog.health().live
    assert guards == ["watchdog"] and watched.work.watch == watched.dog._look
