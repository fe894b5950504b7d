"""Ends of moments, as signals bring them: at their instant, and early, before the exact judgement has reached it.

An end that was written early stays an end, and the exact judgement is silent about it.
"""

from contracts.decisions import Clause
from contracts.policy import Policy
from contracts.signals import Erased, Moved, PersonSignal
from streams import identity, judgement
from streams.fold import apply
from streams.judgement import Verdict
from streams.person import Person, State, copy_state

Told = tuple[Verdict, PersonSignal | None]  # a change, and the signal that brought it


def applied(
    key: str,
    state: State,
    signal: PersonSignal,
    at_ms: int,
    policy: Policy,
    *,
    ends_nothing: bool = False,
) -> list[Verdict]:
    """Apply one signal and end at once what it ends. ends_nothing: that is known already."""
    if isinstance(signal, Erased) and not state.erased and judgement.active(state) is not None:
        verdict = erased(state, at_ms, policy)
        apply(state, signal, policy)
        return [verdict]
    wish = None
    if isinstance(signal, Moved):
        wish = identity.absorb(state, signal, policy)
    else:
        apply(state, signal, policy)
    verdicts: list[Verdict] = []
    if state.standings and not (ends_nothing or state.erased):
        verdicts = judgement.ends(state, at_ms, policy, by_signal=True)
    if isinstance(signal, Moved):
        verdicts += identity.go_on(state, signal.source, wish, at_ms, policy, own=signal.source == key)
    return verdicts


def erased(state: State, at_ms: int, policy: Policy) -> Verdict:
    trial = copy_state(state)
    current = judgement.active(trial)
    assert current is not None, "asked only of somebody in a moment"
    return judgement.end(trial, current[0], current[1], "erased", at_ms, policy, clauses=(Clause("stop erased", True),))


def unannounced(person: Person, verdicts: list[Told]) -> list[Told]:
    """What was not written early."""
    if not person.announced:
        return verdicts  # nearly always
    fresh = []
    for verdict, signal in verdicts:
        announced = person.announced.get(verdict.audience)
        written = announced is not None and verdict.anchor_ms == announced.anchor_ms and verdict.under is None
        if written and verdict.outcome == "withdrawn":
            del person.announced[verdict.audience]
        else:
            fresh.append((verdict, signal))
    return fresh


def close_announced(person: Person, state: State, at_ms: int, policy: Policy) -> None:
    """An end that was written stays an end, even where signals that came late would not have brought it."""
    current = judgement.active(state) if person.announced else None
    if current is None or (announced := person.announced.get(current[0])) is None or at_ms < announced.at_ms:
        return
    judgement.end(state, current[0], current[1], "no_longer_true", at_ms, policy, clauses=())  # said already
    del person.announced[current[0]]
