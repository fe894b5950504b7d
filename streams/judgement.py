"""The judgement: which episodes of a person end, begin, are held back or let through, and with which reason.

`ends` may be asked at any time; `judge` once for an instant, when everything accepted by then has been applied. Both change
the state and return Verdicts. Order of judgement: window and conditions, stops, drift, hours, cap, pressure, priority, arm.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from contracts.conditions import Condition
from contracts.decisions import Arm, Clause, Outcome, Reason, Tier
from contracts.instant import to_rfc3339
from contracts.policy import Audience, Policy
from streams import anchors, cart, limits, orders, staffing, stops
from streams.conditions import NEVER, Scene, Step, Tell, all_of, earlier, soonest
from streams.drift import Trouble, saw
from streams.person import ACTIVATIONS_MAX, SAID_MAX, SPENT_MAX, Activation, Episode, Moment, Standing, State


class Verdict(NamedTuple):
    """A change of an episode; `said` is False for what a held-out person's virtual episode does in silence.

    under: the weaker key that the episode began under and ends under, where that is not the person's own.
    """

    audience: str
    anchor_ms: int
    outcome: Outcome
    reason: Reason
    at_ms: int
    expires_ms: int | None
    arm: Arm
    tier: Tier
    clauses: tuple[Clause, ...]
    said: bool = True
    under: str | None = None


Stale = Mapping[str, Sequence[Trouble]]
NOTHING_STALE: Stale = {}


class Judged(msgspec.Struct, frozen=True, gc=False):
    verdicts: list[Verdict]
    due_ms: int | None  # next instant at which time alone may change something


def tier(state: State, at_ms: int, policy: Policy, view: cart.CartView | None = None) -> Tier:
    """view: of the cart at that instant, where it is at hand."""
    tiers = policy.tiers
    if (
        orders.count(state.orders) >= tiers.vip_orders
        or orders.lifetime_value(state.orders) >= tiers.vip_lifetime_value
    ):
        return "vip"
    value = (view or cart.view(state.cart, at_ms, policy)).value
    return "high" if value is not None and value >= tiers.high_cart_value else "standard"


def active(state: State) -> tuple[str, Standing, Episode] | None:
    """The one audience that the person is in, real or virtual."""
    if state.standings:
        for name, standing in state.standings.items():
            if standing.active is not None:
                return name, standing, standing.active
    return None


def waits_for_data(state: State) -> bool:
    """Whether some episode is withheld because its inputs are in trouble."""
    return any(
        said == ("withheld", "stale_data") for standing in state.standings.values() for said in standing.said.values()
    )


def ends(state: State, at_ms: int, policy: Policy, *, by_signal: bool = False) -> list[Verdict]:
    """End the active episode if anything ends it at this instant.

    by_signal: only what would have ended it a moment earlier too; what time alone brings at an instant comes after all of
    that instant's signals.
    """
    current = active(state)
    return _ends(state, current, at_ms, policy, by_signal=by_signal)[0] if current is not None else []


def _ends(
    state: State, current: tuple[str, Standing, Episode], at_ms: int, policy: Policy, *, by_signal: bool
) -> tuple[list[Verdict], int | None]:
    """What `ends` says of the active episode; where it goes on, when time alone may end it."""
    name, standing, episode = current
    reason, until_ms, tell = _end_of(state, name, episode, at_ms, policy)
    if by_signal and reason is not None:
        before = {reason for reason, _, _ in _ends_of(state, name, episode, at_ms - 1, policy)}
        found = _ends_of(state, name, episode, at_ms, policy)
        reason, until_ms, tell = next((end for end in found if end[0] in before), (None, None, NEVER.tell))
    if reason is None:
        spend(state, name, standing, policy)
        return [], until_ms
    return [end(state, name, standing, reason, at_ms, policy, clauses=tell())], None


def end(
    state: State,
    name: str,
    standing: Standing,
    reason: Reason,
    at_ms: int,
    policy: Policy,
    *,
    clauses: tuple[Clause, ...],
) -> Verdict:
    """End the active episode of this standing; the verdict is silent where the episode was virtual."""
    episode = standing.active
    assert episode is not None, "only an active episode ends"
    standing.active, standing.ended_ms = None, at_ms
    for activation in state.activations:
        if activation.at_ms == episode.since_ms and not activation.delivered and episode.arm == "assisted":
            activation.void = True
    said = episode.arm == "assisted"
    if said:
        _say(standing, episode.anchor[0], "withdrawn", reason)
    audience = policy.audiences.get(name)
    window = anchors.window(state, audience, episode.anchor, policy) if audience is not None else None
    expires_ms = window.leave_ms if window is not None else None
    return Verdict(
        name,
        episode.anchor[0],
        "withdrawn",
        reason,
        at_ms,
        expires_ms,
        episode.arm,
        tier(state, at_ms, policy),
        clauses,
        said,
    )


def judge(state: State, at_ms: int, policy: Policy, *, delivered_at_once: bool, stale: Stale = NOTHING_STALE) -> Judged:
    """Ends, then beginnings by priority, at an instant for which everything accepted has been applied.

    stale: the troubles of what an audience stands on, by audience, at this instant.
    """
    state.judged_ms = max(state.judged_ms, at_ms)
    if state.erased:
        return Judged([], None)
    verdicts: list[Verdict] = []
    due_ms = going_on_ms = None
    before = active(state)
    if before is not None:
        verdicts, going_on_ms = _ends(state, before, at_ms, policy, by_signal=False)
    for name, audience in anchors.possible(state, policy):
        standing = state.standings.get(name)
        if standing is not None and standing.active is not None:
            continue
        found, changes_ms = _consider(
            state,
            name,
            audience,
            standing,
            at_ms,
            policy,
            delivered_at_once=delivered_at_once,
            troubles=stale.get(name, ()),
        )
        verdicts += found
        if due_ms is None or (changes_ms is not None and changes_ms < due_ms):
            due_ms = changes_ms
    if before is not None and before[1].active is before[2]:  # it goes on, and nothing has taken over
        due_ms = earlier(due_ms, going_on_ms)
    elif verdicts and active(state) is not None:  # what has begun may hold back, by cap, whoever was asked before it
        due_ms = earlier(due_ms, at_ms + 1)
    assert due_ms is None or due_ms > at_ms, "a timer makes progress"
    return Judged(verdicts, due_ms)


def spend(state: State, name: str, standing: Standing, policy: Policy) -> None:
    """While an episode is active, newer anchors start no episode later; what ends it did not come while it was."""
    audience, episode = policy.audiences.get(name), standing.active
    if audience is None or episode is None:
        return
    anchored = anchors.newest(state, audience, policy)
    if anchored is not None and anchored.moment > episode.anchor:
        standing.spent = [
            (low, max(high, anchored.moment)) if low == episode.anchor else (low, high) for low, high in standing.spent
        ]


def _consider(
    state: State,
    name: str,
    audience: Audience,
    standing: Standing | None,
    at_ms: int,
    policy: Policy,
    *,
    delivered_at_once: bool,
    troubles: Sequence[Trouble],
) -> tuple[Sequence[Verdict], int | None]:
    """What begins, or is held back, in an audience that the person is not in; when time alone may change the answer."""
    anchored = None if anchors.is_over(state, audience, at_ms) else anchors.newest(state, audience, policy)
    if anchored is None:
        return (), None
    window = anchors.window(state, audience, anchored.moment, policy)
    if window is None or at_ms >= window.leave_ms or (standing is not None and _is_spent(standing, anchored.moment)):
        return (), None
    if at_ms < window.enter_ms:
        return (), window.enter_ms
    scene = Scene(state, policy, at_ms, anchored.moment, anchored.order)
    holds = all_of(audience.when, scene)
    leaving = all_of(audience.exit, scene) if audience.exit else NEVER
    due_ms = earlier(earlier(window.leave_ms, holds.until_ms), leaving.until_ms)
    if not holds.held or leaving.held:
        return (), due_ms
    if standing is None:
        standing = state.standings[name] = Standing()
    reason, held_until_ms, steps = _held_back(state, name, audience, anchored.moment, at_ms, policy, troubles)
    due_ms = earlier(due_ms, held_until_ms)
    if reason is not None and standing.said.get(anchored.moment[0]) == ("withheld", reason):
        return (), due_ms
    clauses = (_window_clause(window), *holds.tell(), *leaving.tell(), *(step.told() for step in steps))
    if reason is not None:
        withheld = _withhold(state, name, standing, anchored.moment, reason, at_ms, window.leave_ms, policy, clauses)
        return [withheld], due_ms
    verdicts = _take_over(state, name, at_ms, policy)
    verdicts += _activate(
        state,
        name,
        audience,
        standing,
        anchored.moment,
        at_ms,
        window.leave_ms,
        policy,
        clauses,
        delivered_at_once=delivered_at_once,
    )
    assert standing.active is not None, "just activated"
    return verdicts, _end_of(state, name, standing.active, at_ms, policy)[1]


def _held_back(
    state: State,
    name: str,
    audience: Audience,
    anchor: Moment,
    at_ms: int,
    policy: Policy,
    troubles: Sequence[Trouble],
) -> tuple[Reason | None, int | None, list[Step]]:
    """The first reason that holds the episode back, when time alone may change that, and the steps that were asked."""
    steps: list[Step] = []

    def step(clause: str, blocked: bool, until_ms: int | None) -> bool:
        steps.append(Step(clause, blocked, until_ms))
        return blocked

    stop, stop_until_ms = stops.first(state, audience, anchor, at_ms, policy)
    if step("no stop", stop is not None, stop_until_ms):
        return (stop.reason if stop else None), stop_until_ms, steps
    steps.append(Step("inputs sound", bool(troubles), None, saw(troubles)))
    if troubles:
        return "stale_data", soonest(*(trouble.until_ms for trouble in troubles)), steps
    closed = not staffing.staffed_at(audience, at_ms, policy)
    change_ms = staffing.next_change_ms(audience, at_ms, policy)
    if step("staffed", closed, change_ms):
        return "outside_hours", change_ms, steps
    cap_ms = limits.capped_until_ms(state, name, audience, at_ms, policy)
    if step("below the cap", cap_ms is not None, cap_ms):
        return "cap", soonest(cap_ms, change_ms), steps
    passes = audience.through_pressure or tier(state, at_ms, policy) == "vip"
    pressed_ms = None if passes else limits.pressed_until_ms(state, at_ms, policy)
    if step("no channel pressure", pressed_ms is not None, pressed_ms):
        return "pressure", soonest(pressed_ms, change_ms), steps
    current = active(state)
    higher = current is not None and policy.audiences[current[0]].priority > audience.priority
    if step("no higher moment", higher, None):
        return "priority", change_ms, steps
    return None, None, steps


def _withhold(
    state: State,
    name: str,
    standing: Standing,
    anchor: Moment,
    reason: Reason,
    at_ms: int,
    leave_ms: int,
    policy: Policy,
    clauses: tuple[Clause, ...],
) -> Verdict:
    _say(standing, anchor[0], "withheld", reason)
    return Verdict(name, anchor[0], "withheld", reason, at_ms, leave_ms, state.arm, tier(state, at_ms, policy), clauses)


def _take_over(state: State, higher: str, at_ms: int, policy: Policy) -> list[Verdict]:
    current = active(state)
    if current is None:
        return []
    name, standing, _ = current
    return [end(state, name, standing, "priority", at_ms, policy, clauses=(taken_over_by(higher),))]


def taken_over_by(higher: str) -> Clause:
    return Clause("no higher moment", False, {"higher": higher})


def _activate(
    state: State,
    name: str,
    audience: Audience,
    standing: Standing,
    anchor: Moment,
    at_ms: int,
    leave_ms: int,
    policy: Policy,
    clauses: tuple[Clause, ...],
    *,
    delivered_at_once: bool,
) -> list[Verdict]:
    standing.active = Episode(anchor, state.arm, at_ms)
    standing.spent = [*standing.spent, (anchor, anchor)][-SPENT_MAX:]
    shown_at_once = delivered_at_once or state.arm == "holdout"
    state.activations.append(Activation(at_ms, audience.kind, f"{name}@{to_rfc3339(anchor[0])}", shown_at_once))
    del state.activations[:-ACTIVATIONS_MAX]
    if state.arm == "assisted":
        state.assisted = state.assisted or delivered_at_once
        outcome: tuple[Outcome, Reason] = ("activated", "qualified")
    else:
        outcome = ("withheld", "holdout")
    clauses += (Clause("arm", state.arm == "assisted", {"arm": state.arm}),)
    _say(standing, anchor[0], *outcome)
    return [Verdict(name, anchor[0], *outcome, at_ms, leave_ms, state.arm, tier(state, at_ms, policy), clauses)]


def _end_of(
    state: State, name: str, episode: Episode, at_ms: int, policy: Policy
) -> tuple[Reason | None, int | None, Tell]:
    """What ends an active episode at this instant, else when time alone may; what was seen."""
    return next(_ends_of(state, name, episode, at_ms, policy))


def _ends_of(
    state: State, name: str, episode: Episode, at_ms: int, policy: Policy
) -> Iterator[tuple[Reason | None, int | None, Tell]]:
    """All that ends an active episode at this instant, first to be named first; where it may go on, when time alone ends it."""
    audience = policy.audiences.get(name)
    if audience is None:
        yield "policy_changed", None, NEVER.tell
        return
    for stop in stops.holding(state, audience, episode.anchor, at_ms, policy):
        yield stop.reason, None, partial(_seen, f"stop {stop.reason}", True)
    anchored = anchors.of_active(state, audience, episode.anchor)
    window = anchors.window(state, audience, episode.anchor, policy) if anchored is not None else None
    if anchored is None or window is None:
        yield "no_longer_true", None, partial(_seen, "anchor stands", False)
        return
    asked: tuple[Condition, ...] = audience.exit or audience.when
    answer = all_of(asked, Scene(state, policy, at_ms, anchored.moment, anchored.order))
    if asked and answer.held == bool(audience.exit):
        yield "no_longer_true", None, answer.tell
    if at_ms >= window.leave_ms:
        yield "expired", None, lambda: (_window_clause(window),)
    yield None, earlier(window.leave_ms, answer.until_ms), answer.tell


def _seen(clause: str, held: bool) -> tuple[Clause, ...]:
    return (Clause(clause, held),)


def _window_clause(window: anchors.Window) -> Clause:
    return Clause("window", True, {"opens": to_rfc3339(window.enter_ms), "closes": to_rfc3339(window.leave_ms)})


def _say(standing: Standing, anchor_ms: int, outcome: Outcome, reason: Reason) -> None:
    standing.said.pop(anchor_ms, None)
    standing.said[anchor_ms] = (outcome, reason)
    while len(standing.said) > SAID_MAX:
        del standing.said[next(iter(standing.said))]


def _is_spent(standing: Standing, anchor: Moment) -> bool:
    return any(low <= anchor <= high or low[0] == anchor[0] for low, high in standing.spent)
