"""Absence: what keeps a person out of each audience in production, from their own records of the log.

A person's state follows from their own signals, the marks and the policies, all in one partition; marks may be as coarse as
one likes. Whether an input was in trouble follows from everybody's. So what follows is held against the decisions that
production wrote about them, and is told only where these agree.
"""

from collections.abc import Iterable, Iterator
from operator import itemgetter

import msgspec

from backtests.why import Why, absences
from contracts import signals
from contracts.decisions import Decision
from contracts.instant import from_rfc3339
from contracts.logged import Logged
from contracts.policy import Policy
from contracts.signals import Marked, Ruled, Signal
from streams.partition import Partition

EVERYBODYS = (b'"t":"marked"', b'"t":"ruled"')
Place = tuple[int, Signal]


class Untold(ValueError):
    """Why nothing can be said; `str()` goes on after a colon."""


def absent(
    person: str, log: Iterable[Logged], written: Iterable[Decision], policy: Policy, *, at_ms: int
) -> dict[str, Why]:
    """By audience, highest first, as of the instant `at_ms`, or of log time where that is earlier. Untold.

    person: the strongest key. log: its partition from the beginning. written: production's decisions about it. policy: in force
    until the log names another.
    """
    partition = Partition(policy, {})
    ours: dict[str, Decision] = {}
    for offset, signal in _coarse(_theirs(person, log, at_ms)):
        made = partition.take(signal, offset).decisions
        ours.update((decision.id, decision) for decision in made if decision.person == person)
    if ours != {decision.id: decision for decision in written if from_rfc3339(decision.at) <= at_ms}:
        raise Untold("what was decided does not follow from this policy and the person's own signals alone")
    state, time_ms = partition.state(person), partition.control.marks.time_ms
    if state is None or time_ms is None:
        raise Untold("nothing had been judged by then")
    return absences(state, time_ms, partition.rulings.at(time_ms).policy)


def _theirs(person: str, log: Iterable[Logged], at_ms: int) -> Iterator[Place]:
    wanted = (*EVERYBODYS, msgspec.json.encode(person))
    for record in log:
        if not any(part in record.value for part in wanted):
            continue
        try:
            signal = signals.decode(record.value)
        except msgspec.DecodeError:
            continue  # in quarantine, and nobody's
        if isinstance(signal, Marked):  # what it proves of its instant, it proves of each before
            yield record.offset, msgspec.structs.replace(signal, at_ms=min(signal.at_ms, at_ms))
        elif isinstance(signal, Ruled):
            if signal.at_ms <= at_ms:
                yield record.offset, signal
        elif signal.person == person and signal.accepted_ms <= at_ms:
            yield record.offset, signal


def _coarse(log: Iterable[Place]) -> Iterator[Place]:
    """Of the marks between two other records the newest of each source: there are many, and no other is needed."""
    marks: dict[str, Place] = {}
    for offset, signal in log:
        if isinstance(signal, Marked):
            marks[signal.source] = offset, signal
            continue
        yield from sorted(marks.values(), key=itemgetter(0))
        yield offset, signal
        marks.clear()
    yield from sorted(marks.values(), key=itemgetter(0))
