"""Does a condition hold, and until when can that answer not change by time alone.

`Answer(held, until_ms, tell)`: until_ms is exclusive of change: at that instant the answer must be asked again; None never.
`tell()` gives the clauses of a decision. Nearly all answers decide nothing, so their clauses are never put into words.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

import msgspec

from contracts.conditions import (
    Bounds,
    CartBounds,
    ClickedEmail,
    Condition,
    CycleBounds,
    EmailState,
    Happened,
    SegmentTest,
    TraitTest,
    Visited,
)
from contracts.decisions import Clause
from contracts.instant import DAY_MS, to_rfc3339
from contracts.policy import Policy
from contracts.signals import Scalar
from streams import cart, orders
from streams.person import Happening, Moment, Order, State
from streams.traits import holds, trait, truthy

CENT = Decimal("0.01")


Tell = Callable[[], tuple[Clause, ...]]  # stands on the values that were seen, whatever the state becomes


class Answer(msgspec.Struct, frozen=True, gc=False):
    held: bool
    until_ms: int | None
    tell: Tell


class Step(msgspec.Struct, frozen=True, gc=False):
    """A question that may hold an episode back, put into words only where a decision is written."""

    clause: str
    blocked: bool
    until_ms: int | None
    saw: Mapping[str, Scalar] = {}

    def told(self) -> Clause:
        until = {"until": to_rfc3339(self.until_ms)} if self.blocked and self.until_ms else {}
        return Clause(self.clause, not self.blocked, {**until, **self.saw})


def _nothing() -> tuple[Clause, ...]:
    return ()


ALWAYS = Answer(True, None, _nothing)
NEVER = Answer(False, None, _nothing)


class Scene:
    """What a condition looks at: the state at an instant, from an anchor (and its order, where the anchor is one)."""

    __slots__ = ("_cart", "anchor", "at_ms", "order", "policy", "state")

    def __init__(self, state: State, policy: Policy, at_ms: int, anchor: Moment, order: Order | None) -> None:
        self.state, self.policy, self.at_ms = state, policy, at_ms
        self.anchor, self.order = anchor, order
        self._cart: cart.CartView | None = None

    @property
    def cart(self) -> cart.CartView:
        """Summed once, though several conditions ask for it."""
        if self._cart is None:
            self._cart = cart.view(self.state.cart, self.at_ms, self.policy)
        return self._cart


def earlier(one: int | None, other: int | None) -> int | None:
    return other if one is None or (other is not None and other < one) else one


def soonest(*instants: int | None) -> int | None:
    known = [instant for instant in instants if instant is not None]
    return min(known) if known else None


def all_of(conditions: Sequence[Condition], scene: Scene) -> Answer:
    """Every condition is asked, so that a decision shows all values that it stood on."""
    if not conditions:
        return ALWAYS
    if len(conditions) == 1:
        return ask(conditions[0], scene)
    return _joined([ask(condition, scene) for condition in conditions], every=True)


def ask(condition: Condition, scene: Scene) -> Answer:
    word, asked = condition.asked
    return _ANSWERS[word](asked, scene)


def number(value: Decimal | None) -> Scalar:
    """Money as JSON shows it: two digits, half up; None stays unknown."""
    return None if value is None else float(value.quantize(CENT, ROUND_HALF_UP))


def _clause(clause: str, held: bool, **saw: Scalar) -> tuple[Clause, ...]:
    return (Clause(clause, held, saw),)


def _joined(parts: list[Answer], *, every: bool) -> Answer:
    held, until_ms = every, None
    for part in parts:
        if part.held != every:
            held = not every
        until_ms = earlier(until_ms, part.until_ms)
    return Answer(held, until_ms, lambda: tuple(clause for part in parts for clause in part.tell()))


def _any(inner: Sequence[Condition], scene: Scene) -> Answer:
    if len(inner) == 1:
        return ask(inner[0], scene)
    return _joined([ask(condition, scene) for condition in inner], every=False)


def _cart_value(bounds: CartBounds, scene: Scene) -> Answer:
    view = scene.cart
    held = bounds.or_unknown if view.value is None else bounds.contain(view.value)

    def tell() -> tuple[Clause, ...]:
        text = bounds.text() + (" or unknown" if bounds.or_unknown else "")
        return _clause(f"cart_value {text}", held, cart_value=number(view.value))

    return Answer(held, view.until_ms, tell)


def _cart(wanted: Literal["empty", "not_empty"], scene: Scene) -> Answer:
    view = scene.cart
    held = view.empty == (wanted == "empty")
    return Answer(held, view.until_ms, lambda: _clause(f"cart {wanted}", held, cart_empty=view.empty))


def _orders(bounds: Bounds, scene: Scene) -> Answer:
    return _bounded("orders", bounds, Decimal(orders.count(scene.state.orders)))


def _lifetime_value(bounds: Bounds, scene: Scene) -> Answer:
    return _bounded("lifetime_value", bounds, orders.lifetime_value(scene.state.orders))


def _bounded(name: str, bounds: Bounds, value: Decimal) -> Answer:
    held = bounds.contain(value)
    return Answer(held, None, lambda: _clause(f"{name} {bounds.text()}", held, **{name: number(value)}))


def _latest_email(asked: EmailState, scene: Scene) -> Answer:
    sent = [delivery for delivery in scene.state.deliveries.values() if delivery.sent is not None]
    last = max(sent, key=lambda delivery: delivery.sent or (0, 0), default=None)
    held = (
        last is not None
        and (asked.opened is None or last.opened == asked.opened)
        and (asked.clicked is None or last.clicked == asked.clicked)
    )
    opened, clicked = (last.opened, last.clicked) if last else (None, None)
    return Answer(held, None, lambda: _clause("latest_email", held, opened=opened, clicked=clicked))


def _clicked_email(_: ClickedEmail, scene: Scene) -> Answer:
    at = scene.state.clicked
    held = at is not None and at > scene.anchor
    return Answer(
        held, None, lambda: _clause("clicked_email since anchor", held, clicked_at=to_rfc3339(at[0]) if at else None)
    )


def _happened(asked: Happened, scene: Scene) -> Answer:
    events = scene.state.events
    found = [happening for name in asked.name for happening in events.get(name, ())] if events else []
    until_ms = None
    if found:
        found, until_ms = _recent(found, asked, scene)
    count = len(found)
    held = count >= asked.at_least
    return Answer(held, until_ms, lambda: _clause(f"event {' or '.join(asked.name)}", held, count=count))


def _recent(found: list[Happening], asked: Happened, scene: Scene) -> tuple[list[Happening], int | None]:
    """Those that count now, and when time alone makes them fewer or more."""
    if asked.since == "anchor":
        found = [happening for happening in found if happening.at > scene.anchor]
    if asked.same_order and scene.order is not None and scene.order.id is not None:
        found = [happening for happening in found if happening.order in (None, scene.order.id)]
    until_ms = None
    if asked.within is not None:
        found = [happening for happening in found if happening.at[0] > scene.at_ms - asked.within]
        until_ms = soonest(*(happening.at[0] + asked.within for happening in found))
    if asked.at_least_ago is not None:
        waiting = [happening for happening in found if happening.at[0] + asked.at_least_ago > scene.at_ms]
        until_ms = soonest(until_ms, *(happening.at[0] + asked.at_least_ago for happening in waiting))
        found = [happening for happening in found if happening not in waiting]
    return found, until_ms


def _visited(asked: Visited, scene: Scene) -> Answer:
    found = scene.state.pages.get(asked.kind, [])
    if found and asked.since == "anchor":
        found = [moment for moment in found if moment > scene.anchor]
    until_ms = None
    if found and asked.within is not None:
        found = [moment for moment in found if moment[0] > scene.at_ms - asked.within]
        until_ms = soonest(*(moment[0] + asked.within for moment in found))
    visits = len(found)
    held = visits >= asked.at_least if asked.at_least is not None else visits <= (asked.at_most or 0)
    return Answer(held, until_ms, lambda: _pages(asked, held, visits))


def _pages(asked: Visited, held: bool, visits: int) -> tuple[Clause, ...]:
    text = f">= {asked.at_least}" if asked.at_least is not None else f"<= {asked.at_most}"
    return _clause(f"pages {asked.kind} {text}", held, visits=visits)


def _cycle(asked: CycleBounds, scene: Scene) -> Answer:
    known = scene.state.orders
    cycle_ms = orders.cycle_ms(known, scene.policy)
    held = orders.cycle_reaches(known, scene.policy, asked.at_least)
    days = round(cycle_ms / DAY_MS, 3) if cycle_ms is not None else None
    return Answer(held, None, lambda: _clause("cycle long enough", held, cycle_days=days))


def _trait(asked: TraitTest, scene: Scene) -> Answer:
    value = trait(scene.state, asked.name)
    held = holds(asked, value)
    return Answer(held, None, lambda: _clause(f"trait {asked.name}", held, value=value))


def _segment(asked: SegmentTest, scene: Scene) -> Answer:
    member = truthy(trait(scene.state, asked.name))
    return Answer(member, None, lambda: _clause(f"segment {asked.name}", member, member=member))


_ANSWERS: Mapping[str, Callable[[Any, Scene], Answer]] = {  # by the condition's word
    "cart_value": _cart_value,
    "cart": _cart,
    "orders": _orders,
    "lifetime_value": _lifetime_value,
    "latest_email": _latest_email,
    "clicked_email": _clicked_email,
    "event": _happened,
    "pages": _visited,
    "cycle": _cycle,
    "trait": _trait,
    "segment": _segment,
    "any": _any,
    "all": all_of,
}
