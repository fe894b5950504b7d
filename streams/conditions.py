"""Does a condition hold, and until when can that answer not change by time alone.

`Answer(held, until_ms, clauses)`: until_ms is exclusive of change: at that instant the answer must be asked again; None never.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from contracts.conditions import Bounds, Condition, Happened, Visited
from contracts.decisions import Clause
from contracts.instant import DAY_MS, to_rfc3339
from contracts.policy import Policy
from contracts.signals import Scalar
from streams import cart, orders
from streams.person import Moment, Order, State
from streams.traits import holds, trait, truthy

CENT = Decimal("0.01")


class Answer(NamedTuple):
    held: bool
    until_ms: int | None
    clauses: tuple[Clause, ...]


class Scene(NamedTuple):
    """What a condition looks at: the state at an instant, from an anchor (and its order, where the anchor is one)."""

    state: State
    policy: Policy
    at_ms: int
    anchor: Moment
    order: Order | None


def soonest(*instants: int | None) -> int | None:
    return min((instant for instant in instants if instant is not None), default=None)


def all_of(conditions: Iterable[Condition], scene: Scene) -> Answer:
    """Every condition is asked, so that a decision shows all values that it stood on."""
    return _joined([ask(condition, scene) for condition in conditions], every=True)


def ask(condition: Condition, scene: Scene) -> Answer:
    state, policy, at_ms = scene.state, scene.policy, scene.at_ms
    if condition.cart_value is not None:
        view = cart.view(state.cart, at_ms, policy)
        bounds = condition.cart_value
        held = bounds.or_unknown if view.value is None else bounds.contain(view.value)
        text = bounds.text() + (" or unknown" if bounds.or_unknown else "")
        return _answer(f"cart_value {text}", held, {"cart_value": number(view.value)}, view.until_ms)
    if condition.cart is not None:
        view = cart.view(state.cart, at_ms, policy)
        held = view.empty == (condition.cart == "empty")
        return _answer(f"cart {condition.cart}", held, {"cart_empty": view.empty}, view.until_ms)
    if condition.orders is not None:
        return _bounded("orders", condition.orders, Decimal(orders.count(state.orders)))
    if condition.lifetime_value is not None:
        return _bounded("lifetime_value", condition.lifetime_value, orders.lifetime_value(state.orders))
    if condition.latest_email is not None:
        sent = [delivery for delivery in state.deliveries.values() if delivery.sent is not None]
        last = max(sent, key=lambda delivery: delivery.sent or (0, 0), default=None)
        asked = condition.latest_email
        held = (
            last is not None
            and (asked.opened is None or last.opened == asked.opened)
            and (asked.clicked is None or last.clicked == asked.clicked)
        )
        saw: dict[str, Scalar] = {"opened": last.opened if last else None, "clicked": last.clicked if last else None}
        return _answer("latest_email", held, saw, None)
    if condition.clicked_email is not None:
        held = state.clicked is not None and state.clicked > scene.anchor
        clicked = to_rfc3339(state.clicked[0]) if state.clicked is not None else None
        return _answer("clicked_email since anchor", held, {"clicked_at": clicked}, None)
    if condition.event is not None:
        return _happened(condition.event, scene)
    if condition.pages is not None:
        return _visited(condition.pages, scene)
    if condition.cycle is not None:
        cycle_ms = orders.cycle_ms(state.orders, policy)
        held = cycle_ms is not None and cycle_ms >= condition.cycle.at_least
        days = round(cycle_ms / DAY_MS, 3) if cycle_ms is not None else None
        return _answer("cycle long enough", held, {"cycle_days": days}, None)
    if condition.trait is not None:
        value = trait(state, condition.trait.name)
        return _answer(f"trait {condition.trait.name}", holds(condition.trait, value), {"value": value}, None)
    if condition.segment is not None:
        value = trait(state, condition.segment.name)
        return _answer(f"segment {condition.segment.name}", truthy(value), {"member": truthy(value)}, None)
    parts = [ask(inner, scene) for inner in condition.any or condition.all or ()]
    return _joined(parts, every=condition.all is not None)


def number(value: Decimal | None) -> Scalar:
    """Money as JSON shows it: two digits, half up; None stays unknown."""
    return None if value is None else float(value.quantize(CENT, ROUND_HALF_UP))


def _answer(clause: str, held: bool, saw: dict[str, Scalar], until_ms: int | None) -> Answer:
    return Answer(held, until_ms, (Clause(clause, held, saw),))


def _joined(parts: list[Answer], *, every: bool) -> Answer:
    held = all(part.held for part in parts) if every else any(part.held for part in parts)
    return Answer(held, soonest(*(part.until_ms for part in parts)), tuple(c for part in parts for c in part.clauses))


def _bounded(name: str, bounds: Bounds, value: Decimal) -> Answer:
    return _answer(f"{name} {bounds.text()}", bounds.contain(value), {name: number(value)}, None)


def _happened(asked: Happened, scene: Scene) -> Answer:
    found = [happening for name in asked.name for happening in scene.state.events.get(name, ())]
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
    held = len(found) >= asked.at_least
    return _answer(f"event {' or '.join(asked.name)}", held, {"count": len(found)}, until_ms)


def _visited(asked: Visited, scene: Scene) -> Answer:
    found = scene.state.pages.get(asked.kind, [])
    if asked.since == "anchor":
        found = [moment for moment in found if moment > scene.anchor]
    until_ms = None
    if asked.within is not None:
        found = [moment for moment in found if moment[0] > scene.at_ms - asked.within]
        until_ms = soonest(*(moment[0] + asked.within for moment in found))
    if asked.at_least is not None:
        held, text = len(found) >= asked.at_least, f">= {asked.at_least}"
    else:
        held, text = len(found) <= (asked.at_most or 0), f"<= {asked.at_most}"
    return _answer(f"pages {asked.kind} {text}", held, {"visits": len(found)}, until_ms)
