"""The oracle: what the page of meanings says must be decided, by the slowest and plainest way.

Collect a person's signals, list every instant at which anything could change, loop over the instants, and at each one
recompute all facts from the list of signals applied so far. Kept between instants: the episode that is active, what was
said last of each, and which anchors are spent. Nothing here is shared with the thinking but the contracts.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from contracts.conditions import Condition, Edge
from contracts.decisions import Arm
from contracts.policy import Audience, Policy
from contracts.signals import PersonSignal, anonymous
from tests.oracle.facts import Facts, Order, When, learn

STOPS = ("purchased", "refunded", "cancelled", "unsubscribed", "in_conversation", "excluded", "erased")


class Told(NamedTuple):
    person: str
    audience: str
    anchor_ms: int
    outcome: str
    reason: str
    at_ms: int
    tier: str


class Episode(NamedTuple):
    audience: str
    anchor: When


def reckon(history: Sequence[PersonSignal], policy: Policy, until_ms: int, arm: Callable[[str], Arm]) -> list[Told]:
    """Every decision about every person up to and including `until_ms`; signals of one instant in the order given."""
    log = sorted(history, key=lambda signal: signal.accepted_ms)
    people: dict[str, dict[str, tuple[When, PersonSignal]]] = {}
    for position, signal in enumerate(log):
        when = (min(signal.occurred_ms, signal.accepted_ms), position)
        people.setdefault(signal.person, {}).setdefault(signal.id, (when, signal))
    told: list[Told] = []
    for key, signals in people.items():
        if not anonymous(key):
            told += Life(key, list(signals.values()), policy, arm(key)).live(until_ms)
    return told


class Life:
    """One person's instants, one after the other."""

    def __init__(self, key: str, signals: list[tuple[When, PersonSignal]], policy: Policy, arm: Arm) -> None:
        self.key, self.signals, self.policy, self.arm = key, signals, policy, arm
        self.applied: list[tuple[When, PersonSignal]] = []
        self.facts = Facts()
        self.active: Episode | None = None
        self.over: set[tuple[str, int]] = set()
        self.said: dict[tuple[str, int], tuple[str, str]] = {}
        self.activations: list[tuple[int, str]] = []
        self.told: list[Told] = []
        self.closed = False
        self.spans = sorted(spans_of(policy))
        self.instants: list[int] = []

    def live(self, until_ms: int) -> list[Told]:
        for when, signal in self.signals:
            self.instants.append(signal.accepted_ms)
            self.instants += [when[0] + span for span in self.spans]
        heapq.heapify(self.instants)
        waiting, last_ms = list(self.signals), -1
        while self.instants and (at_ms := heapq.heappop(self.instants)) <= until_ms:
            if at_ms == last_ms or (waiting and at_ms < waiting[0][1].accepted_ms and not self.applied):
                continue
            last_ms = at_ms
            while waiting and waiting[0][1].accepted_ms == at_ms:
                self._apply(waiting.pop(0), at_ms)
            self._end(self._ends(at_ms), at_ms)
            self._begin(at_ms)
        return self.told

    def _apply(self, pair: tuple[When, PersonSignal], at_ms: int) -> None:
        before = self._ends(at_ms)
        self.applied.append(pair)
        self.facts = learn(self.applied, self.policy)
        for name, audience in self.policy.audiences.items():
            anchor = anchor_of(audience, self.facts, self.policy)
            if anchor is None:
                continue
            if self.active is not None and self.active.audience == name and anchor > self.active.anchor:
                self.over.add((name, anchor[0]))
            if self.facts.cycle_ms is not None:
                for edge in (audience.enter_after, audience.leave_after):
                    heapq.heappush(self.instants, max(at_ms, math.ceil(edge_of(edge, anchor, self.facts) or 0)))
        self._end([reason for reason in self._ends(at_ms) if reason not in before], at_ms)

    def _ends(self, at_ms: int) -> list[str]:
        """All reasons at that instant for which the active episode cannot go on, first to be named first."""
        if self.active is None:
            return []
        name, anchor = self.active
        audience, facts = self.policy.audiences[name], self.facts
        reasons = stops_of(audience, anchor, facts, self.policy, at_ms)
        asks = Asking(facts, self.policy, anchor, at_ms)
        gone = audience.anchor.order is not None and all(order.when[0] != anchor[0] for order in facts.counted)
        untrue = asks.all(audience.exit) if audience.exit else not asks.all(audience.when)
        if gone or untrue:
            reasons.append("no_longer_true")
        leave = edge_of(audience.leave_after, anchor, facts)
        if leave is not None and at_ms >= leave:
            reasons.append("expired")
        return reasons

    def _end(self, reasons: list[str], at_ms: int) -> None:
        if self.active is None or not reasons:
            return
        ended, self.active = self.active, None
        if self.arm == "assisted":
            self._say(ended, "withdrawn", reasons[0], at_ms)

    def _begin(self, at_ms: int) -> None:
        if self.facts.erased:
            return
        for name, audience in sorted(self.policy.audiences.items(), key=lambda pair: -pair[1].priority):
            anchor = anchor_of(audience, self.facts, self.policy)
            if anchor is None or (name, anchor[0]) in self.over:
                continue
            if self.active is not None and self.active.audience == name:
                continue
            enter, leave = (edge_of(edge, anchor, self.facts) for edge in (audience.enter_after, audience.leave_after))
            if enter is None or leave is None or not enter <= at_ms < leave:
                continue
            asks = Asking(self.facts, self.policy, anchor, at_ms)
            if not asks.all(audience.when) or (audience.exit and asks.all(audience.exit)):
                continue
            self._judge(Episode(name, anchor), audience, at_ms)

    def _judge(self, episode: Episode, audience: Audience, at_ms: int) -> None:
        reason = self._held(episode, audience, at_ms)
        if reason is not None:
            if self.said.get((episode.audience, episode.anchor[0])) != ("withheld", reason):
                self._say(episode, "withheld", reason, at_ms)
            return
        self._end(["priority"], at_ms)
        self.active = episode
        self.over.add((episode.audience, episode.anchor[0]))
        self.activations.append((at_ms, audience.kind))
        for limit in self.policy.caps:
            heapq.heappush(self.instants, at_ms + limit.within)
        if self.arm == "assisted":
            self._say(episode, "activated", "qualified", at_ms)
        elif self.said.get((episode.audience, episode.anchor[0])) != ("withheld", "holdout"):
            self._say(episode, "withheld", "holdout", at_ms)

    def _held(self, episode: Episode, audience: Audience, at_ms: int) -> str | None:
        stops = stops_of(audience, episode.anchor, self.facts, self.policy, at_ms)
        if stops:
            return stops[0]
        times = [when_ms for when_ms, kind in self.activations if kind == audience.kind]
        if not audience.through_cap and any(
            rolling(times, limit.within, at_ms) >= limit.count for limit in self.policy.caps
        ):
            return "cap"
        passes = audience.through_pressure or tier_of(self.facts, self.policy, at_ms) == "vip"
        if not passes and any(
            rolling(self.facts.sends, limit.within, at_ms) >= limit.count for limit in self.policy.pressure.limits
        ):
            return "pressure"
        if self.active is not None and self.policy.audiences[self.active.audience].priority > audience.priority:
            return "priority"
        return None

    def _say(self, episode: Episode, outcome: str, reason: str, at_ms: int) -> None:
        self.said[episode.audience, episode.anchor[0]] = (outcome, reason)
        tier = tier_of(self.facts, self.policy, at_ms)
        self.told.append(Told(self.key, episode.audience, episode.anchor[0], outcome, reason, at_ms, tier))


def rolling(times_ms: Sequence[int], span_ms: int, at_ms: int) -> int:
    """How many lie in `(at - span, at]`."""
    return sum(at_ms - span_ms < time_ms <= at_ms for time_ms in times_ms)


def forgotten(facts: Facts, policy: Policy, at_ms: int) -> bool:
    touched = facts.cart.touched
    return touched is None or at_ms >= touched[0] + policy.cart_forgotten_after or facts.cart.empty()


def cart_value(facts: Facts, policy: Policy, at_ms: int) -> Decimal | None:
    return Decimal(0) if forgotten(facts, policy, at_ms) else facts.cart.value(policy)


def tier_of(facts: Facts, policy: Policy, at_ms: int) -> str:
    tiers = policy.tiers
    if len(facts.counted) >= tiers.vip_orders or facts.lifetime_value() >= tiers.vip_lifetime_value:
        return "vip"
    value = cart_value(facts, policy, at_ms)
    return "high" if value is not None and value >= tiers.high_cart_value else "standard"


def edge_of(edge: Edge, anchor: When, facts: Facts) -> Fraction | None:
    if not edge.of_cycle:
        return Fraction(anchor[0] + edge.span_ms)
    return None if facts.cycle_ms is None else anchor[0] + facts.cycle_ms + edge.span_ms


def anchor_of(audience: Audience, facts: Facts, policy: Policy) -> When | None:
    """The newest occurrence of what the audience counts from."""
    wanted = audience.anchor
    if wanted.cart_touch is not None:
        return facts.cart.touched
    if wanted.order == "newest":
        return facts.counted[-1].when if facts.counted else None
    if wanted.order == "first_with_guide":
        return first_with_guide(facts.counted, policy)
    if wanted.event is not None:
        return max((when for when, name, _ in facts.events if name in wanted.event), default=None)
    assert wanted.together is not None
    page = max((when for when, kind in facts.pages if kind in wanted.together.pages), default=None)
    event = max((when for when, name, _ in facts.events if name in wanted.together.event), default=None)
    if page is None or event is None or abs(page[0] - event[0]) > wanted.together.within:
        return None
    return max(page, event)


def first_with_guide(counted: Sequence[Order], policy: Policy) -> When | None:
    had: set[str] = set()
    found = None
    for order in counted:
        categories = {item.category for item in order.items if item.category in policy.guides} - {None}
        new = {category for category in categories if category is not None} - had
        if new:
            found, had = order.when, had | new
    return found


def stops_of(audience: Audience, anchor: When, facts: Facts, policy: Policy, at_ms: int) -> list[str]:
    """The stops that hold at that instant, in the order of their table."""
    rescue, spans = audience.kind == "rescue", policy.stops
    full = any(at_ms < refund_ms + spans.refunded for refund_ms, whole in facts.refunds if whole)
    partly = any(at_ms < refund_ms + spans.partially_refunded for refund_ms, _ in facts.refunds)
    domain = (facts.email or "").rpartition("@")[2]
    talking = any(is_open or at_ms < when[0] + spans.in_conversation for when, is_open in facts.conversations.values())
    holds = {
        "purchased": rescue and any(o.when > anchor or at_ms < o.when[0] + spans.purchased for o in facts.counted),
        "refunded": full or (rescue and partly),
        "cancelled": any(at_ms < cancel_ms + spans.cancelled for cancel_ms in facts.cancels),
        "unsubscribed": not all(facts.consents.values()),
        "in_conversation": talking,
        "excluded": any(facts.traits.get(name) is True for name in policy.exclude.traits)
        or domain in policy.exclude.domains,
        "erased": facts.erased,
    }
    return [name for name in STOPS if holds[name] and name not in audience.not_stopped_by]


class Asking(NamedTuple):
    """The conditions of a policy, asked of facts at an instant for an anchor."""

    facts: Facts
    policy: Policy
    anchor: When
    at_ms: int

    def all(self, conditions: Sequence[Condition]) -> bool:
        return all(self.holds(condition) for condition in conditions)

    def holds(self, condition: Condition) -> bool:
        word = condition.word()
        return bool(getattr(self, f"_{word}")(condition.inner()))

    def _any(self, inner: Sequence[Condition]) -> bool:
        return any(self.holds(condition) for condition in inner)

    def _all(self, inner: Sequence[Condition]) -> bool:
        return self.all(inner)

    def _cart_value(self, bounds) -> bool:  # type: ignore[no-untyped-def]
        value = cart_value(self.facts, self.policy, self.at_ms)
        return bool(bounds.or_unknown if value is None else bounds.contain(value))

    def _cart(self, wanted: str) -> bool:
        return forgotten(self.facts, self.policy, self.at_ms) == (wanted == "empty")

    def _orders(self, bounds) -> bool:  # type: ignore[no-untyped-def]
        return bool(bounds.contain(Decimal(len(self.facts.counted))))

    def _lifetime_value(self, bounds) -> bool:  # type: ignore[no-untyped-def]
        return bool(bounds.contain(self.facts.lifetime_value()))

    def _latest_email(self, state) -> bool:  # type: ignore[no-untyped-def]
        if self.facts.opened is None:
            return False
        return state.opened in (None, self.facts.opened) and state.clicked in (None, self.facts.clicked)

    def _clicked_email(self, _: object) -> bool:
        return any(when > self.anchor for when in self.facts.clicks)

    def _cycle(self, bounds) -> bool:  # type: ignore[no-untyped-def]
        return self.facts.cycle_ms is not None and self.facts.cycle_ms >= bounds.at_least

    def _event(self, asked) -> bool:  # type: ignore[no-untyped-def]
        ids = {order.order_id for order in self.facts.counted if order.when == self.anchor}
        times = [
            when[0]
            for when, name, order_id in self.facts.events
            if name in asked.name
            and (asked.since is None or when > self.anchor)
            and (asked.within is None or self.at_ms - asked.within < when[0])
            and (not asked.same_order or order_id is None or None in ids or order_id in ids)
        ]
        old_enough = asked.at_least_ago is None or (bool(times) and min(times) <= self.at_ms - asked.at_least_ago)
        return len(times) >= asked.at_least and old_enough

    def _pages(self, asked) -> bool:  # type: ignore[no-untyped-def]
        count = sum(
            kind == asked.kind
            and (asked.since is None or when > self.anchor)
            and (asked.within is None or self.at_ms - asked.within < when[0])
            for when, kind in self.facts.pages
        )
        return bool(count >= asked.at_least if asked.at_least is not None else count <= asked.at_most)


def spans_of(policy: Policy) -> set[int]:
    """Every distance from an occurrence at which time alone could change anything."""
    spans = {limit.within for limit in policy.caps + policy.pressure.limits} | {policy.cart_forgotten_after}
    spans |= set(policy.stops.model_dump().values())
    for audience in policy.audiences.values():
        spans |= {edge.span_ms for edge in (audience.enter_after, audience.leave_after) if not edge.of_cycle}
        conditions = list(audience.when + audience.exit)
        while conditions:
            condition = conditions.pop()
            conditions += (condition.any or ()) + (condition.all or ())
            for asked in (condition.event, condition.pages):
                spans |= {span for name in ("within", "at_least_ago") if (span := getattr(asked, name, None))}
    return spans
