"""Rich histories by chance: signals whose distances hit every edge of the shipped policy exactly, or by one millisecond.

`history(pick)` asks `pick(choices)` for every choice, so that a seeded generator and Hypothesis make the same kind.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from contracts.instant import DAY_MS, HOUR_MS, MINUTE_MS, from_rfc3339
from contracts.signals import Consented, Conversed, Erased, Identified, Item, Messaged, Paged, PersonSignal, Tracked

Pick = Callable[[Sequence[Any]], Any]

START_MS = from_rfc3339("2026-03-02T09:00:00Z")
SHORT_MS = (0, 0, 1, MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS, 10 * HOUR_MS, 12 * HOUR_MS, DAY_MS)
LONG_MS = tuple(days * DAY_MS for days in (1, 2, 3, 7, 14, 15, 20, 30, 40, 46, 59, 60, 90, 120, 180))
LEAVES_MS = tuple(hours * HOUR_MS for hours in (12, 48)) + tuple(days * DAY_MS for days in (7, 14, 90, 180))
NUDGES_MS = (0, 0, 0, 0, 0, -1, 1)
ORDER_IDS = ("o1", "o2", "o3", "o4", None)
SIGNALS_MAX = 22

# Filters: what the two sides are known to read differently, kept out until it is settled. False lets it in.
ONE_LINE_PER_PRODUCT = False  # a `products` list that names one product twice: whose price and category holds
NO_TIES_AT_AN_END = False  # of several signals at the very instant at which a window ends, the first brings the end
LINES_HAVE_CATEGORY = False  # an order whose largest line has no category: the cart's category, or none

KINDS = (
    ("cart",) * 7
    + ("order",) * 5
    + ("refund",) * 2
    + ("page",) * 4
    + ("mail",) * 4
    + ("subscription", "subscription", "delivery", "delivery", "talk", "consent", "trait", "erase")
)


def history(
    pick: Pick, people: Sequence[str] = ("id:me", "id:me", "id:me", "id:other", "anon:a")
) -> list[PersonSignal]:
    """In order of acceptance; about one signal in eight occurred earlier, about one in twelve comes twice."""
    signals: list[PersonSignal] = []
    at_ms = START_MS
    for index in range(pick(range(3, SIGNALS_MAX))):
        at_ms = max(at_ms, at_ms + pick(pick((SHORT_MS, SHORT_MS, SHORT_MS, LONG_MS))) + pick(NUDGES_MS))
        late_ms = pick(pick((SHORT_MS, LONG_MS))) + pick(NUDGES_MS) if pick(range(8)) == 7 else 0
        stamp = {
            "person": pick(people),
            "id": f"m{pick(range(index))}" if index and pick(range(12)) == 11 else f"m{index}",
            "occurred_ms": at_ms - max(late_ms, 0),
            "accepted_ms": at_ms,
        }
        signals.append(signal(pick, pick(KINDS), stamp))
    return _without_ties_at_an_end(signals) if NO_TIES_AT_AN_END else signals


def _without_ties_at_an_end(signals: list[PersonSignal]) -> list[PersonSignal]:
    """Leaves out a signal that shares its person and instant with another where a window of any earlier one ends."""
    ends = {signal.occurred_ms + leave_ms for signal in signals for leave_ms in LEAVES_MS}
    kept: dict[object, PersonSignal] = {}
    for index, signal in enumerate(signals):
        tied = (signal.person, signal.accepted_ms) if signal.accepted_ms in ends else index
        kept.setdefault(tied, signal)
    return list(kept.values())


def item(pick: Pick) -> Item:
    return Item(
        pick(("serum", "cream", "wash")),
        variant=pick(("", "", "big")),
        category=pick(("serums", "retinol", "cleansers", "serums", None)),
        price=pick((Decimal(40), Decimal("75.5"), Decimal(121), Decimal(160), Decimal(310), None)),
        quantity=pick((None, None, Decimal(1), Decimal(2))),
        currency=pick((None, None, None, "USD", "EUR", "CHF")),
    )


def items(pick: Pick, *, with_category: bool = False) -> tuple[Item, ...]:
    """Up to two lines of different products; see the two filters above."""
    lines = [item(pick) for _ in range(pick((0, 1, 1, 2)))]
    if with_category:
        lines = [line for line in lines if line.category is not None]
    if ONE_LINE_PER_PRODUCT:
        lines = list({(line.product, line.variant): line for line in lines}.values())
    return tuple(lines)


def signal(pick: Pick, kind: str, stamp: dict[str, Any]) -> PersonSignal:
    match kind:
        case "cart":
            return cart(pick, stamp)
        case "order":
            return order(pick, stamp)
        case "refund":
            event = pick(("Order Refunded", "Order Partially Refunded", "Order Cancelled", "Order Canceled"))
            amount = pick((None, Decimal(40), Decimal(100), Decimal(200)))
            return Tracked(**stamp, event=event, amount=amount, order_id=pick((*ORDER_IDS, "unseen")))
        case "page":
            path = pick(("/pages/shipping", "/returns", "/help", "/help/FAQ", "/products/x", "/about"))
            if pick(range(4)) == 0:
                return Tracked(
                    **stamp, event=pick(("Viewed Help Page", "Viewed Returns Page")), path=pick((None, path))
                )
            return Paged(**stamp, path=path)
        case "mail":
            metric = pick(("sent", "opened", "opened", "clicked"))
            channel = pick(("email", "email", "email", "sms", "push"))
            human = metric == "sent" or pick((True, True, False))
            return Messaged(**stamp, channel=channel, metric=metric, delivery=pick(("d1", "d2")), human=human)
        case "subscription":
            names = ("Subscription Cancel Started",) * 3 + ("Subscription Kept", "Subscription Cancelled")
            return Tracked(**stamp, event=pick(names))
        case "delivery":
            event = pick(("Delivery Delayed", "Delivery Delayed", "Order Delivered"))
            return Tracked(**stamp, event=event, order_id=pick((None, *ORDER_IDS)))
        case "talk":
            opened = pick((True, False, False))
            topic = "conversation.user.created" if opened else "conversation.admin.closed"
            return Conversed(**stamp, conversation=pick(("c1", "c1", "c2")), open=opened, topic=topic)
        case "consent":
            return Consented(**stamp, tool=pick(("customerio", "intercom")), subscribed=pick((True, False)))
        case "erase" if pick(range(3)) == 0:
            return Erased(**stamp)
        case _:
            traits = {"plan": "gold", pick(("internal", "wholesale")): pick((True, False))}
            return Identified(**stamp, traits=traits, email="me@x.org")


def cart(pick: Pick, stamp: dict[str, Any]) -> Tracked:
    event = pick(("Product Added",) * 3 + ("Product Removed", "Cart Viewed", "Checkout Started", "Checkout Updated"))
    currency = pick((None, "USD", "GBP"))
    if event.startswith("Product"):
        return Tracked(**stamp, event=event, item=item(pick), currency=currency)
    if pick((True, True, False)):
        return Tracked(**stamp, event=event, items=items(pick), currency=currency)
    return Tracked(
        **stamp, event=event, amount=pick((None, Decimal(100), Decimal(151), Decimal(400))), currency=currency
    )


def order(pick: Pick, stamp: dict[str, Any]) -> Tracked:
    return Tracked(
        **stamp,
        event=pick(("Order Completed", "Order Paid", "Order Placed")),
        order_id=pick(ORDER_IDS),
        amount=pick((None, Decimal(80), Decimal(100), Decimal(200), Decimal(500))),
        items=pick(
            (None, items(pick, with_category=LINES_HAVE_CATEGORY), items(pick, with_category=LINES_HAVE_CATEGORY))
        ),
    )
