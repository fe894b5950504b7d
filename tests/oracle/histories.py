"""Rich histories by chance: signals whose distances hit every edge of the shipped policy exactly, or by one millisecond.

`history(pick)` asks `pick(choices)` for every choice, so that a seeded generator and Hypothesis make the same kind.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from contracts.instant import DAY_MS, HOUR_MS, MINUTE_MS, from_rfc3339
from contracts.signals import (
    Claimed,
    Consented,
    Conversed,
    Erased,
    Identified,
    Item,
    Messaged,
    Paged,
    PersonSignal,
    Scalar,
    Tracked,
)

Pick = Callable[[Sequence[Any]], Any]

START_MS = from_rfc3339("2026-03-02T09:00:00Z")
SHORT_MS = (0, 0, 1, MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS, 10 * HOUR_MS, 12 * HOUR_MS, DAY_MS)
LONG_MS = tuple(days * DAY_MS for days in (1, 2, 3, 7, 14, 15, 20, 30, 40, 46, 59, 60, 90, 120, 180))
LEAVES_MS = tuple(hours * HOUR_MS for hours in (12, 48)) + tuple(days * DAY_MS for days in (7, 14, 90, 180))
SOON_MS = (0, HOUR_MS, HOUR_MS + 1, 90 * MINUTE_MS, 2 * HOUR_MS - 1, 2 * HOUR_MS, 3 * HOUR_MS, 2 * DAY_MS)
NUDGES_MS = (0, 0, 0, 0, 0, -1, 1)
ORDER_IDS = ("o1", "o2", "o3", "o4", None)
SIGNALS_MAX = 22

KINDS = (
    ("cart",) * 7
    + ("order",) * 5
    + ("refund",) * 2
    + ("page",) * 4
    + ("mail",) * 4
    + ("subscription", "subscription", "delivery", "delivery", "talk", "consent", "trait", "trait", "erase")
)


CASTS: tuple[tuple[str, ...], ...] = (
    ("id:me", "id:me", "id:me", "id:other", "anon:a"),
    ("id:me", "id:me", "email:me@x.org", "email:me@x.org", "anon:a"),
    ("id:me", "id:me", "cio:c1", "cio:c1"),
    ("id:me", "id:me", "id:b", "id:b", "anon:a"),
    ("id:me", "id:other", "anon:a", "anon:a"),
    ("id:me", "cio:c1", "email:me@x.org", "anon:a", "conv:c1"),
    ("id:me", "id:b", "id:c", "email:me@x.org"),
)


def history(pick: Pick, cast: Sequence[str] | None = None) -> list[PersonSignal]:
    """In order of acceptance; about one signal in eight occurred earlier, about one in twelve comes twice.

    One in two has claims between its keys. Nothing of two keys occurs in the same millisecond, since there is no order
    between the logs of two keys; claims do.
    """
    claims = cast is None and pick((True, False))
    keys = cast or (pick(CASTS) if claims else CASTS[0])
    signals: list[PersonSignal] = []
    occurred: dict[int, str] = {}
    at_ms = START_MS
    for index in range(pick(range(3, SIGNALS_MAX))):
        at_ms = max(at_ms, at_ms + pick(pick((SHORT_MS, SHORT_MS, SHORT_MS, LONG_MS))) + pick(NUDGES_MS))
        late_ms = max(pick(pick((SHORT_MS, LONG_MS))) + pick(NUDGES_MS) if pick(range(8)) == 7 else 0, 0)
        person, name = pick(keys), f"m{index}"
        if signals and pick(range(12)) == 11:
            told = pick([signal for signal in signals if signal.accepted_ms <= at_ms])
            if pick((True, False)):
                signals.append(replace(told, accepted_ms=at_ms))
                continue
            if not isinstance(told, Claimed):
                person, name = told.person, told.id
        if claims and pick(range(5)) == 0:
            stamp = {"person": pick(keys), "id": f"{name}:claim", "accepted_ms": at_ms, "occurred_ms": at_ms - late_ms}
            signals.append(Claimed(**stamp, owner=pick(keys)))
            continue
        while claims and occurred.setdefault(at_ms - late_ms, person) != person:
            at_ms += 1
        stamp = {"person": person, "id": name, "occurred_ms": at_ms - late_ms, "accepted_ms": at_ms}
        kind = pick(KINDS)
        signals.append(signal(pick, kind, stamp))
        if kind in ("cart", "order", "subscription") and pick(range(6)) == 0:
            signals += soon(pick, signals[-1], keys, claims, occurred)
    return sorted(signals, key=lambda signal: signal.accepted_ms)


def soon(
    pick: Pick, about: PersonSignal, keys: Sequence[str], claims: bool, occurred: dict[int, str]
) -> list[PersonSignal]:
    """What often happens around the instant at which a moment begins: a message is sent; somebody says who she is."""
    at_ms = about.accepted_ms + pick(SOON_MS)
    stamp = {"person": about.person, "id": f"{about.id}:soon {at_ms}", "occurred_ms": at_ms, "accepted_ms": at_ms}
    if claims and pick((True, True, False)):
        return [Claimed(**{**stamp, "id": f"{stamp['id']}:claim"}, owner=pick(keys))]
    if claims and occurred.setdefault(at_ms, about.person) != about.person:
        return []
    return [Messaged(**stamp, channel=pick(("email", "sms")), metric="sent", delivery="d3")]


def item(pick: Pick) -> Item:
    return Item(
        pick(("serum", "cream", "wash")),
        variant=pick(("", "", "big")),
        category=pick(("serums", "retinol", "cleansers", "serums", None)),
        price=pick((Decimal(40), Decimal("75.5"), Decimal(121), Decimal(160), Decimal(310), None)),
        quantity=pick((None, None, Decimal(1), Decimal(2))),
        currency=pick((None, None, None, "USD", "EUR", "CHF")),
    )


def items(pick: Pick) -> tuple[Item, ...]:
    """Up to two lines."""
    return tuple(item(pick) for _ in range(pick((0, 1, 1, 2))))


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
            metric = pick(("sent", "sent", "sent", "opened", "opened", "clicked"))
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
            return Identified(**stamp, traits=traits(pick), email=pick(("me@x.org", "me@x.org", "me@staff.org", None)))


def traits(pick: Pick) -> dict[str, Scalar]:
    return {
        "plan": pick(("gold", "gold", "basic")),
        "score": pick((2, 3, 3.5, "3", None)),
        "vip_at_risk": pick((True, True, "True", 1, False, None)),
        pick(("internal", "wholesale")): pick((True, "true", False, False, False, None)),
    }


def cart(pick: Pick, stamp: dict[str, Any]) -> Tracked:
    event = pick(
        ("Product Added",) * 6
        + ("Product Viewed", *("Product Removed", "Cart Viewed", "Checkout Started", "Checkout Updated") * 2)
    )
    currency = pick((None, "USD", "GBP"))
    if event.startswith("Product"):
        return Tracked(**stamp, event=event, item=item(pick), currency=currency)
    if pick((True, True, False)):
        return Tracked(**stamp, event=event, items=items(pick), currency=currency)
    return Tracked(
        **stamp,
        event=event,
        amount=pick((None, Decimal(0), Decimal(100), Decimal(151), Decimal(400), Decimal(400))),
        currency=currency,
    )


def order(pick: Pick, stamp: dict[str, Any]) -> Tracked:
    return Tracked(
        **stamp,
        event=pick(("Order Completed", "Order Paid", "Order Placed")),
        order_id=pick(ORDER_IDS),
        amount=pick((None, Decimal(80), Decimal(100), Decimal(200), Decimal(500))),
        items=pick((None, items(pick), items(pick))),
    )
