"""The conditions and stops of a policy, asked of facts at an instant for an anchor."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from contracts.conditions import Bounds, Condition
from contracts.policy import Audience, Policy
from tests.oracle.facts import Facts, When

READ: dict[int, tuple[Condition, str, object]] = {}  # conditions that were asked before, each read once
STOPS = ("purchased", "refunded", "cancelled", "unsubscribed", "in_conversation", "excluded", "erased")


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
        "excluded": any(truthy(facts.traits.get(name)) for name in policy.exclude.traits)
        or domain in {listed.lower() for listed in policy.exclude.domains},
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
        if id(condition) not in READ:
            READ[id(condition)] = (condition, f"_{condition.word()}", condition.inner())
        _, asked, inner = READ[id(condition)]
        return bool(getattr(self, asked)(inner))

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

    def _trait(self, asked) -> bool:  # type: ignore[no-untyped-def]
        value = self.facts.traits.get(asked.name)
        if value is None:
            return False
        if asked.equals is not None and not same(asked.equals, value):
            return False
        wanted = {name: getattr(asked, name) for name in ("above", "at_least", "below", "at_most")}
        if all(bound is None for bound in wanted.values()):
            return True
        number = decimal(value)
        return number is not None and Bounds(**wanted).contain(number)

    def _segment(self, asked) -> bool:  # type: ignore[no-untyped-def]
        return truthy(self.facts.traits.get(asked.name))


def truthy(value: object) -> bool:
    """As Customer.io reads a boolean attribute: true in any spelling, or one."""
    return str(value).lower() in ("true", "1") or (isinstance(value, float) and value == 1)


def same(wanted: object, value: object) -> bool:
    """By the table of traits in docs/architecture.md: the type that the policy writes decides."""
    if isinstance(wanted, bool):
        falsy = str(value).lower() in ("false", "0") or (isinstance(value, float) and value == 0)
        return truthy(value) if wanted else falsy
    if isinstance(wanted, str):
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return wanted == (str(value).lower() if isinstance(value, bool) else str(value))
    return decimal(value) is not None and decimal(value) == decimal(wanted)


def decimal(value: object) -> Decimal | None:
    if isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and "e" not in str(value).lower() else None
