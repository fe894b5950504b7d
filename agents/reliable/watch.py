"""Whether this worker gets on: judged from when it last did what, and told in a sentence.

Promise: pure, so that it can be asked from any thread, that of a health endpoint too, and also while the worker's own loop hangs.
"""

from typing import NamedTuple


class Limits(NamedTuple):
    """Seconds of silence after which a worker is to be started again."""

    commit_seconds: float = 60.0  # holding partitions and finishing no commit; twice what acknowledgements may take
    recovery_seconds: float = 15.0  # state is missing and no record of it arrives; a healthy broker answers within one
    still_seconds: float = (
        120.0  # a partition neither advanced nor at its end; longer than a rebalance and its waits take
    )


class Seen(NamedTuple):
    """What the worker was last seen to do; instants are seconds of one monotonic clock."""

    stopping: bool
    rebalancing: bool  # until the group has settled; also before the first assignment
    recovering: bool  # state is missing that the changelog has
    partitions_count: int  # held for work
    moved_at: float  # every partition had advanced or was read to its end, or a recovery got further than any before it
    heard_at: float  # a changelog record arrived, or the recovery began
    committed_at: float  # a commit was finished, or partitions were assigned


class Health(NamedTuple):
    """live: False asks for a restart. ready: False means that nothing is worked on yet, or at the moment. reason: for people."""

    live: bool
    ready: bool
    reason: str


def judge(seen: Seen, now: float, limits: Limits) -> Health:
    """The state of health at `now`, an instant of the clock of `seen`."""
    reason = stalled(seen, now, limits)
    if reason is not None:
        return Health(False, False, reason)
    if seen.stopping:
        return Health(True, False, "stopping: what is done is being committed")
    if seen.recovering:
        return Health(True, False, "recovering: state is being read from the changelog")
    if seen.rebalancing:
        return Health(True, False, "rebalancing: the group is sharing out its partitions")
    if not seen.partitions_count:
        return Health(True, True, "standing by: other workers hold all partitions")
    return Health(True, True, f"working on {seen.partitions_count} partitions")


def stalled(seen: Seen, now: float, limits: Limits) -> str | None:
    """Why this worker will not get on by itself; None while it does."""
    if seen.recovering:
        if now - seen.heard_at > limits.recovery_seconds:
            return "the recovery has read no changelog record for too long"
        if now - seen.moved_at > limits.still_seconds:
            return "recoveries began again and again and got no further for too long"
    elif now - seen.moved_at > limits.still_seconds:
        if seen.stopping:
            return "the worker was asked to stop and did not for too long"
        return "a partition was not read for too long although there is more, or the group did not settle"
    elif seen.partitions_count and now - seen.committed_at > limits.commit_seconds:
        return "nothing was committed for too long although this worker holds partitions"
    return None
