"""Orders, refunds and cancels: by order id, in any order of arrival; what counts, what it was worth, how often it comes.

Rules: docs/architecture.md, "Orders".
"""

from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise

from contracts.instant import DAY_MS
from contracts.policy import Policy
from contracts.signals import Item, Tracked
from streams.person import ORDERS_MAX, Moment, Order, Orders, Tally

ZERO = Decimal(0)
OCCASIONS_MIN = 3  # buying occasions from which a cycle is measured
OCCASIONS_MAX = 6  # the newest so many are looked at
CATEGORIES_MAX = 8  # categories of one order that are kept


def amount_of(call: Tracked, policy: Policy) -> Decimal | None:
    """Its total, else revenue, else value, else the sum of its products, in the policy's currency; None where unreadable."""
    if call.amount is not None:
        return policy.converted(call.amount, call.currency)
    if not call.items:
        return None
    total = ZERO
    for item in call.items:
        price = policy.converted(item.price, item.currency or call.currency)
        if price is None:
            return None
        total += price * (Decimal(1) if item.quantity is None else max(item.quantity, ZERO))
    return total


def find(orders: Orders, order_id: str | None) -> Order | None:
    if order_id is None:
        return None
    return next((order for order in orders.recent if order.id == order_id), None)


def place(orders: Orders, call: Tracked, at: Moment, policy: Policy) -> Order | None:
    """The order when this call is its first; None when it was seen before, of which only gaps are then filled."""
    known = find(orders, call.order_id)
    order = known or Order(call.order_id)
    first = order.at is None
    if first:
        order.at = at
    if order.value is None:
        order.value = amount_of(call, policy)
    if call.items and not order.lined:
        order.lined = True
        order.category = _largest_category(call.items, call.currency, policy)
        order.categories = tuple(dict.fromkeys(item.category for item in call.items if item.category))[:CATEGORIES_MAX]
    if known is None:
        orders.recent.append(order)
    arrange(orders)
    return order if first else None


def refund(orders: Orders, call: Tracked, at: Moment, policy: Policy, *, partial: bool) -> None:
    order = _found_or_new(orders, call.order_id)
    amount = amount_of(call, policy)
    order.refund_ms = max(order.refund_ms or 0, at[0])
    if amount is not None:
        order.refunded += max(amount, ZERO)
        order.refund_named = order.refund_named or not partial
    elif not partial:
        order.whole_ms = max(order.whole_ms or 0, at[0])
    arrange(orders)


def cancel(orders: Orders, call: Tracked, at: Moment) -> None:
    order = _found_or_new(orders, call.order_id)
    order.cancel_ms = max(order.cancel_ms or 0, at[0])
    arrange(orders)


def counting(orders: Orders) -> list[Order]:
    """Orders that count, oldest first."""
    return [order for order in orders.recent if order.counts()]


def counted(orders: Orders) -> None:
    """Bring the tally up to date; called after every change of an order."""
    live = counting(orders)
    cycle_ms, half = _measured_cycle(live)
    worth = (max(ZERO, (order.value or ZERO) - order.refunded) for order in live)
    orders.tally = Tally(
        count=len(live) + orders.older_count,
        value=sum(worth, orders.older_value),
        newest=live[-1] if live else None,
        cycle_ms=cycle_ms,
        cycle_half=half,
    )


def count(orders: Orders) -> int:
    return orders.tally.count


def lifetime_value(orders: Orders) -> Decimal:
    return orders.tally.value


def newest(orders: Orders) -> Order | None:
    return orders.tally.newest


def first_with_guide(orders: Orders, policy: Policy) -> Order | None:
    """The newest order that is the person's first with a line of some category that has a guide."""
    seen = set(orders.older_categories)
    found = None
    for order in counting(orders):
        fresh = [category for category in order.categories if category in policy.guides and category not in seen]
        seen.update(order.categories)
        found = order if fresh else found
    return found


def cycle_ms(orders: Orders, policy: Policy) -> int | None:
    """Median gap between buying occasions, else the policy's days for the newest order's category; None unknown.

    The first whole millisecond that is not below it, as what a window counts from.
    """
    if orders.tally.cycle_ms is not None:
        return orders.tally.cycle_ms
    last = newest(orders)
    category = (last.category or last.emptied) if last is not None else None
    days = policy.reorder_days.get(category) if category is not None else None
    return None if days is None else days * DAY_MS


def cycle_reaches(orders: Orders, policy: Policy, at_least_ms: int) -> bool:
    """Whether the cycle, which may end on half a millisecond, is known and that long."""
    known_ms = cycle_ms(orders, policy)
    return known_ms is not None and known_ms - orders.tally.cycle_half >= at_least_ms


def _measured_cycle(live: list[Order]) -> tuple[int | None, bool]:
    occasions: list[int] = []
    for order in live:
        assert order.at is not None, "an order that counts was seen"
        if not occasions or order.at[0] >= occasions[-1] + DAY_MS:
            occasions.append(order.at[0])
    occasions = occasions[-OCCASIONS_MAX:]
    if len(occasions) < OCCASIONS_MIN:
        return None, False
    gaps = sorted(later - earlier for earlier, later in pairwise(occasions))
    middle = len(gaps) // 2
    twice = gaps[middle] + gaps[middle if len(gaps) % 2 else middle - 1]
    return (twice + 1) // 2, bool(twice % 2)


def _found_or_new(orders: Orders, order_id: str | None) -> Order:
    order = find(orders, order_id)
    if order is None:
        order = Order(order_id)
        orders.recent.append(order)
    return order


def _largest_category(items: Iterable[Item], currency: str | None, policy: Policy) -> str | None:
    def rank(item: Item) -> tuple[bool, Decimal, str, str]:
        price = policy.converted(item.price, item.currency or currency)
        quantity = Decimal(1) if item.quantity is None else item.quantity
        return price is None, -(price or ZERO) * quantity, item.product, item.variant

    return min(items, key=rank).category


def arrange(orders: Orders) -> None:
    """Oldest first; an order of which only a refund or cancel is known stands at that instant."""
    orders.recent.sort(key=lambda order: order.at or (max(order.refund_ms or 0, order.cancel_ms or 0), 0))
    while len(orders.recent) > ORDERS_MAX:
        gone = orders.recent.pop(0)
        if gone.counts():
            orders.older_count += 1
            orders.older_value += max(ZERO, (gone.value or ZERO) - gone.refunded)
            categories = dict.fromkeys(orders.older_categories + gone.categories)
            orders.older_categories = tuple(categories)[:CATEGORIES_MAX]
    counted(orders)
