"""What counts as a hang and what does not: each limit is passed by a planted silence, and kept by slow but healthy work."""

import pytest

from agents.reliable.watch import Limits, Seen, judge, stalled

LIMITS = Limits(commit_seconds=60, recovery_seconds=15, still_seconds=120)
BUSY = Seen(
    stopping=False, rebalancing=False, recovering=False, partitions_count=4, moved_at=0, heard_at=0, committed_at=0
)


@pytest.mark.parametrize(
    ("seen", "silence", "said"),
    [
        (BUSY._replace(moved_at=61), 61, "nothing was committed"),
        (BUSY._replace(recovering=True), 16, "no changelog record"),
        (BUSY._replace(recovering=True, heard_at=121), 121, "again and again"),
        (BUSY._replace(committed_at=121), 121, "although there is more"),
        (BUSY._replace(rebalancing=True, partitions_count=0), 121, "did not settle"),
        (BUSY._replace(stopping=True, partitions_count=0), 121, "asked to stop"),
    ],
    ids=["no commit", "no changelog record", "no recovery ends", "nothing read", "no group", "no stop"],
)
def test_silence_beyond_a_limit_is_told_and_silence_within_it_is_not(seen: Seen, silence: float, said: str) -> None:
    reason = stalled(seen, silence, LIMITS)
    assert reason is not None
    assert said in reason
    assert judge(seen, silence, LIMITS) == (False, False, reason)
    assert stalled(seen, silence - 2, LIMITS) is None


@pytest.mark.parametrize(
    ("seen", "ready", "said"),
    [
        (BUSY, True, "working on 4"),
        (BUSY._replace(partitions_count=0), True, "standing by"),
        (BUSY._replace(rebalancing=True), False, "rebalancing"),
        (BUSY._replace(recovering=True), False, "recovering"),
        (BUSY._replace(stopping=True), False, "stopping"),
    ],
)
def test_a_live_worker_says_what_it_is_doing(seen: Seen, ready: bool, said: str) -> None:
    health = judge(seen, 1, LIMITS)
    assert (health.live, health.ready) == (True, ready)
    assert said in health.reason


def test_a_slow_recovery_that_hears_something_is_no_hang() -> None:
    """An hour of recovery commits nothing."""
    assert stalled(BUSY._replace(recovering=True, heard_at=3590, moved_at=3590), 3600, LIMITS) is None


def test_a_worker_without_partitions_need_not_commit() -> None:
    assert stalled(BUSY._replace(partitions_count=0, moved_at=1000), 1001, LIMITS) is None
