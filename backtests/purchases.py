"""Purchases: what a person's orders within a window came to, by the rules by which the thinking counts orders.

Events of one order are one order, the first counts; cancelled and fully refunded ones do not count, and partial refunds are
taken off. Of refunds and cancels only those before the window's end are seen, so that both arms are followed equally long.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from contracts.policy import Policy
from contracts.signals import Tracked
from streams import orders
from streams.person import Order, Orders


class Purchase(NamedTuple):
    """One order, in the policy's currency. value: less refunds; None where it is unknown, as discount and cost may be."""

    at_ms: int
    value: Decimal | None
    discount: Decimal | None
    cost: Decimal | None


def purchases(deals: Iterable[Tracked], policy: Policy, *, until_ms: int) -> list[Purchase]:
    """All orders that count, from a person's orders, refunds and cancels that occurred before `until_ms`."""
    in_order = sorted(deals, key=lambda deal: deal.occurred_ms)
    told: dict[str, Tracked] = {}
    for deal in in_order:
        told.setdefault(deal.id, deal)
    by_order: dict[str, list[Tracked]] = {}
    for deal in told.values():
        if deal.occurred_ms < until_ms:
            by_order.setdefault(f"order {deal.order_id}" if deal.order_id else f"message {deal.id}", []).append(deal)
    found = (_purchase(events, policy) for events in by_order.values())
    return [purchase for purchase in found if purchase is not None]


def _purchase(events: list[Tracked], policy: Policy) -> Purchase | None:
    order = _order(events, policy)
    if order is None or not order.counts() or order.at is None:
        return None
    value = None if order.value is None else max(Decimal(0), order.value - order.refunded)
    first = [event for event in events if event.event in policy.names.orders]
    discount = next((event for event in first if event.discount is not None), None)
    cost = next((event for event in first if event.cost is not None), None)
    return Purchase(
        order.at[0],
        value,
        None if discount is None else policy.converted(discount.discount, discount.currency),
        None if cost is None else policy.converted(cost.cost, cost.currency),
    )


def _order(events: list[Tracked], policy: Policy) -> Order | None:
    """The order that these events of one order id make."""
    held, names = Orders(), policy.names
    for number, event in enumerate(events):
        at = (event.occurred_ms, number)
        if event.event in names.orders:
            orders.place(held, event, at, policy)
        elif event.event in names.cancels:
            orders.cancel(held, event, at)
        else:
            orders.refund(held, event, at, policy, partial=event.event in names.partial_refunds)
    return held.recent[0] if held.recent else None
