"""Certifies one partition: its log, judged once more from the beginning, gives the decisions that production wrote.

`certify` reads the log as it stands, marks and deployed policies included, at its own positions, and holds each decision against
the written one of the same id, field by field. What production wrote twice, after a crash, counts once.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from contracts import decisions, signals
from contracts.decisions import Decision
from contracts.instant import from_rfc3339
from contracts.logged import Logged
from contracts.policy import Policy
from contracts.signals import Marked
from streams.partition import Partition

DIFFERENCES_MAX = 1_000  # that are told one by one, of a partition; all are counted
TIME = "time"


class Difference(NamedTuple):
    """what: `missing` in production, `extra` in production, or the fields that differ. input: partition/offset of the record
    of the log at which the two first differ, None where the log has no such record."""

    person: str
    policy: str
    episode: str
    decided: str
    at: str
    what: str
    input: str | None


class Found(NamedTuple):
    """Of one partition. waiting: decisions that follow from records that production has not judged yet. repeats: written
    more than once. digest: over the matching decisions, in the order of the log."""

    partition: int
    matching: int
    differing: int
    differences: list[Difference]
    waiting: int
    repeats: int
    digest: bytes


class Span(NamedTuple):
    """Decisions at `[from_ms, to_ms)`; None where it is open."""

    from_ms: int | None = None
    to_ms: int | None = None

    def holds(self, decision: Decision) -> bool:
        at_ms = from_rfc3339(decision.at)
        return (self.from_ms is None or at_ms >= self.from_ms) and (self.to_ms is None or at_ms < self.to_ms)


def certify(
    partition: int,
    log: Callable[[], Iterable[Logged]],
    written: Iterable[Logged],
    policy: Policy,
    *,
    span: Span = Span(),  # noqa: B008  (it never changes)
    judged: int | None = None,
) -> Found:
    """log: reads the partition of `signals`, once more where something differs. policy: of production's own file, in force until
    the log names another. judged: the offset up to which production has committed; None: up to the last decision it wrote.
    """
    theirs, repeats = _once(written)
    digest = hashlib.sha256()
    matching, ahead = 0, 0
    found: list[Difference] = []
    tail: list[Difference] = []
    for offset, decision in _again(log(), policy):
        record = theirs.pop(decision.id, None)
        if not span.holds(decision):
            continue
        place = f"{partition}/{offset}"
        if record is None:
            if judged is not None and offset >= judged:
                ahead += 1
            else:
                tail.append(_difference(decision, "missing", place))
            continue
        found += tail  # production went on after these, so it has judged them
        tail = []
        if record == decision:
            matching += 1
            digest.update(decisions.encode(record))
        else:
            found.append(_difference(record, _fields(record, decision), place))
    if judged is None:
        ahead, tail = len(tail), []  # nobody knows
    extra = [decision for decision in theirs.values() if span.holds(decision)]
    places = _causes(log(), partition, extra) if extra else {}
    found += tail + [_difference(decision, "extra", places.get(decision.id)) for decision in extra]
    found.sort(key=lambda difference: _offset(difference.input))
    return Found(partition, matching, len(found), found[:DIFFERENCES_MAX], ahead, repeats, digest.digest())


def told(found: Iterable[Found]) -> dict[str, Any]:
    """The certificate over all partitions. match_percent is cut, so that it says 100 only where all match."""
    parts = sorted(found)
    matching, differing = sum(part.matching for part in parts), sum(part.differing for part in parts)
    n = matching + differing
    digest = hashlib.sha256(b"".join(part.digest for part in parts)).hexdigest()
    first: dict[str, Difference] = {}
    for part in parts:
        for difference in part.differences:
            first.setdefault(difference.person, difference)
    return {
        "n": n,
        "matching": matching,
        "match_percent": matching * 100_000 // n / 1000 if n else None,
        "hash": digest,
        "waiting": sum(part.waiting for part in parts),
        "repeats": sum(part.repeats for part in parts),
        "partitions": len(parts),
        "differences": [difference._asdict() for difference in first.values()],
    }


def _once(written: Iterable[Logged]) -> tuple[dict[str, Decision], int]:
    theirs: dict[str, Decision] = {}
    repeats = 0
    for record in written:
        decision = decisions.decode(record.value)
        repeats += decision.id in theirs
        theirs.setdefault(decision.id, decision)
    return theirs, repeats


def _again(log: Iterable[Logged], policy: Policy) -> Iterator[tuple[int, Decision]]:
    thinking = Partition(policy, {})
    for record in log:
        try:
            signal = signals.decode(record.value)
        except msgspec.DecodeError:
            continue  # the judge sent it to quarantine
        for decision in thinking.take(signal, record.offset).decisions:
            yield record.offset, decision


def _fields(theirs: Decision, ours: Decision) -> str:
    """The names of the fields that differ; of the clauses, which."""
    names = [name for name in Decision.__struct_fields__ if getattr(theirs, name) != getattr(ours, name)]
    clauses = [one.clause for one, other in zip(theirs.clauses, ours.clauses, strict=False) if one != other]
    return ", ".join([*names, *clauses])


def _difference(decision: Decision, what: str, place: str | None) -> Difference:
    decided = f"{decision.outcome} {decision.reason}"
    return Difference(decision.person, decision.policy, decision.episode, decided, decision.at, what, place)


def _causes(log: Iterable[Logged], partition: int, extra: Iterable[Decision]) -> Mapping[str, str]:
    """Where in the log the cause of each of production's decisions stands: its signal, or the mark that reached its instant."""
    by_message: dict[tuple[str, str], list[str]] = {}
    by_time: list[tuple[int, str]] = []
    for decision in extra:
        if decision.cause == TIME:
            by_time.append((from_rfc3339(decision.at), decision.id))
        else:
            by_message.setdefault((decision.person, decision.cause.partition(":")[2]), []).append(decision.id)
    by_time.sort(reverse=True)
    marks: dict[str, int] = {}
    found: dict[str, str] = {}
    for record in log:
        try:
            signal = signals.decode(record.value)
        except msgspec.DecodeError:
            continue
        place = f"{partition}/{record.offset}"
        if isinstance(signal, Marked):
            marks[signal.source] = max(signal.at_ms, marks.get(signal.source, 0))
            time_ms = min(marks.values()) if len(marks) >= signal.of else -1
            while by_time and by_time[-1][0] <= time_ms:
                found[by_time.pop()[1]] = place
        elif isinstance(signal, signals.PersonSignal):
            for decision_id in by_message.get((signal.person, signal.id), ()):
                found.setdefault(decision_id, place)
    return found


def _offset(place: str | None) -> int:
    return int(place.partition("/")[2]) if place is not None else 1 << 62
