"""Why: what kept a person out of a moment under one policy, at the instant at which another policy lets them in.

`why` looks at the facts first (audience, anchor, window, conditions) and, where these agree, at what the policy said last of the
episode. Words: audience, anchor, window, threshold, exit, stop, cap, priority, pressure, hours, data, spent;
or unknown.
"""

from typing import NamedTuple

from backtests import story_words
from contracts.decisions import Clause, Decision
from contracts.instant import from_rfc3339, to_rfc3339
from contracts.policy import Policy
from streams import anchors
from streams.conditions import Scene, all_of
from streams.person import State

HELD_BACK = {
    "cap": "cap",
    "priority": "priority",
    "pressure": "pressure",
    "outside_hours": "hours",
    "stale_data": "data",
}
UNKNOWN = "unknown"


class Why(NamedTuple):
    """word: one of those above. detail: the clause with what it saw, the window, the stop; a few words."""

    word: str
    detail: str


def why(state: State | None, audience: str, anchor: str, at_ms: int, policy: Policy) -> Why:
    """state: the person under `policy`, with everything up to `at_ms` applied. anchor: RFC 3339, of the other's episode."""
    rule = policy.audiences.get(audience)
    if rule is None:
        return Why("audience", "this policy has no such audience")
    if state is None:
        return Why("anchor", "the person is not known")
    anchored = anchors.newest(state, rule, policy)
    if anchored is None:
        return Why("anchor", "nothing that the audience counts from")
    window = anchors.window(state, rule, anchored.moment, policy)
    if window is None:
        return Why("window", "the person's cycle is unknown")
    scene = Scene(state, policy, at_ms, anchored.moment, anchored.order)
    holds = all_of(rule.when, scene)
    if not window.enter_ms <= at_ms < window.leave_ms:
        opens = f"open from {to_rfc3339(window.enter_ms)} to {to_rfc3339(window.leave_ms)}"
        return Why("window", opens if holds.held else f"{opens}; nor did {_failing(holds.tell(), held=False)} hold")
    if not holds.held:
        return Why("threshold", _failing(holds.tell(), held=False))
    leaving = all_of(rule.exit, scene) if rule.exit else None
    if leaving is not None and leaving.held:
        return Why("exit", _failing(leaving.tell(), held=True))
    standing = state.standings.get(audience)
    said = standing.said.get(anchored.moment[0]) if standing is not None else None
    if said is not None and said[0] == "withheld" and said[1] != "holdout":
        word = HELD_BACK.get(said[1], "stop")
        return Why(word, said[1] if word == "stop" else _holder(state, audience, word, at_ms, policy))
    if standing is not None and (standing.active is not None or standing.spent):
        return Why("spent", "this moment, or an earlier one of the audience, had begun before")
    if to_rfc3339(anchored.moment[0]) != anchor:
        return Why("anchor", f"counts from {to_rfc3339(anchored.moment[0])}")
    return Why(UNKNOWN, "nothing that the facts show")


def absences(state: State, at_ms: int, policy: Policy) -> dict[str, Why]:
    """By audience of the policy, highest first, what keeps the person out of its newest moment."""
    found = {}
    for name, audience in policy.by_priority:
        anchored = anchors.newest(state, audience, policy)
        anchor = to_rfc3339(anchored.moment[0]) if anchored is not None else ""
        found[name] = why(state, name, anchor, at_ms, policy)
    return found


def cause_of(decision: Decision, state: State | None, policy: Policy) -> str:
    """Which audience's moment had the place of one that was withheld or withdrawn by `cap` or `priority`."""
    for clause in decision.clauses:
        higher = clause.saw.get("higher")
        if isinstance(higher, str):
            return higher
    if state is None:
        return UNKNOWN
    return _latest(state, decision.audience, decision.reason, from_rfc3339(decision.at), policy) or UNKNOWN


def _holder(state: State, audience: str, word: str, at_ms: int, policy: Policy) -> str:
    if word not in ("cap", "priority"):
        return word
    return f"{_latest(state, audience, word, at_ms, policy) or UNKNOWN} had the place"


def _latest(state: State, audience: str, word: str, at_ms: int, policy: Policy) -> str | None:
    """The newest moment by then; for the cap, of the kinds that count for it. Episodes are named `<audience>@<anchor>`."""
    kind = policy.audiences[audience].kind if word == "cap" and audience in policy.audiences else None
    for activation in reversed(state.activations):
        if activation.at_ms <= at_ms and not activation.void and kind in (None, activation.kind):
            return activation.episode.partition("@")[0]
    return None


def _failing(clauses: tuple[Clause, ...], *, held: bool) -> str:
    """Those clauses that decided, with the values that they saw."""
    deciding = [clause for clause in clauses if clause.held == held] or clauses
    return "; ".join(map(story_words.clause, deciding))
