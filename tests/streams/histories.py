"""Histories for the tests of the thinking: signals by hand, by chance, and a driver that plays the marks."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
from hypothesis import strategies as st

from contracts.decisions import Arm, Decision
from contracts.instant import DAY_MS, HOUR_MS, MINUTE_MS, duration_ms, from_rfc3339
from contracts.policy import Policy, load
from contracts.signals import (
    Claimed,
    Consented,
    Conversed,
    Delivered,
    Erased,
    Identified,
    Item,
    Marked,
    Messaged,
    Moved,
    Paged,
    PersonSignal,
    Ruled,
    Tracked,
)
from streams import person
from streams.partition import Partition
from streams.person import Person

START_MS = from_rfc3339("2026-03-02T09:00:00Z")
POLICY = load(Path(__file__).parents[2] / "policies" / "skincare.yaml")
ME = "id:me"


class People(dict[str, Person]):
    """Every read and write goes through bytes, as it does on disk, so that nothing survives that is not in the record."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, bytes] = {}

    def get(self, key: str, default: Person | None = None) -> Person | None:  # type: ignore[override]
        found = self.stored.get(key)
        return default if found is None else person.decode(found)

    def __setitem__(self, key: str, value: Person) -> None:
        self.stored[key] = person.encode(value)

    def items(self) -> Sequence[tuple[str, Person]]:  # type: ignore[override]
        return [(key, person.decode(record)) for key, record in self.stored.items()]


class Run:
    """A partition with the marks of a raw history: before the calls of an instant, time reaches up to just before it."""

    def __init__(
        self, policy: Policy = POLICY, arm: Callable[[str], Arm] | None = None, *, outcomes: bool = False
    ) -> None:
        self.outcomes = outcomes
        self.people = People()
        self.partition = Partition(policy, self.people, arm=arm or (lambda key: "assisted"))
        self.position = 0
        self.decisions: list[Decision] = []
        self.commands: list[object] = []

    def take(self, signal: PersonSignal | Marked | Ruled) -> None:
        self.position += 1
        effects = self.partition.take(signal, self.position)
        self.decisions += effects.decisions
        self.commands += effects.commands
        for passed in effects.signals:
            self.take(passed)

    def mark(self, at_ms: int) -> None:
        self.take(Marked(source="history/0", at_ms=at_ms, of=1, outcomes=self.outcomes))

    def play(self, signals: Sequence[PersonSignal | Ruled], until: str = "0", every_ms: int = 0) -> "Run":
        """Fine marks by default; with `every_ms` only whole multiples of it, as a live run in big steps."""
        self.read(signals, every_ms)
        last_ms = max((_instant(signal) for signal in signals), default=START_MS)
        self.mark(max(last_ms, START_MS + duration_ms(until)))
        return self

    def read(self, signals: Sequence[PersonSignal | Ruled], every_ms: int = 0) -> None:
        for signal in sorted(signals, key=_instant):
            before_ms = _instant(signal) - 1
            self.mark(before_ms if every_ms == 0 else before_ms - before_ms % every_ms)
            self.take(signal)

    def said(self) -> list[tuple[str, str, str]]:
        """(after the start, audience, outcome or the reason of it) of every decision."""
        return [
            (f"{(from_rfc3339(d.at) - START_MS) / MINUTE_MS:g}m", d.audience, f"{d.outcome} {d.reason}")
            for d in self.decisions
        ]


def _instant(signal: PersonSignal | Ruled) -> int:
    return signal.at_ms if isinstance(signal, Ruled) else signal.accepted_ms


def stamp(at: str, key: str = ME, *, name: str = "", occurred: str | None = None) -> dict[str, object]:
    accepted_ms = START_MS + duration_ms(at)
    occurred_ms = accepted_ms if occurred is None else START_MS + duration_ms(occurred)
    return {"person": key, "id": name or f"{at}", "occurred_ms": occurred_ms, "accepted_ms": accepted_ms}


def track(
    event: str, at: str, key: str = ME, *, name: str = "", occurred: str | None = None, **fields: object
) -> Tracked:
    return msgspec.convert(
        {**stamp(at, key, name=name or f"{event} {at}", occurred=occurred), "event": event, "t": "tracked", **fields},
        Tracked,
    )


def added(product: str, price: object, at: str, quantity: object = 1, **more: object) -> Tracked:
    item = Item(
        product,
        price=None if price is None else Decimal(str(price)),
        quantity=Decimal(str(quantity)),
        category="serums",
    )
    return track("Product Added", at, item=msgspec.to_builtins(item), currency="USD", name=f"{product} {at}", **more)  # type: ignore[arg-type]


def ordered(order_id: str | None, total: object, at: str, event: str = "Order Completed", **more: object) -> Tracked:
    return track(event, at, order_id=order_id, amount=None if total is None else str(total), **more)  # type: ignore[arg-type]


def page(path: str, at: str, key: str = ME) -> Paged:
    return Paged(path=path, **{**stamp(at, key), "id": f"{path} {at}"})  # type: ignore[arg-type]


_KEYS = st.sampled_from([ME, "id:other", "email:me@x.org", "anon:a1", "cio:c1"])
_EVENTS = st.sampled_from(
    ["Product Added"] * 3
    + ["Product Removed", "Cart Viewed", "Checkout Started", "Order Completed", "Order Paid", "Order Refunded"]
    + ["Order Partially Refunded", "Order Cancelled", "Subscription Cancel Started", "Subscription Kept"]
    + ["Delivery Delayed", "Order Delivered", "Product Viewed"]
)
_ITEMS = st.builds(
    Item,
    st.sampled_from(["serum", "cream"]),
    category=st.sampled_from(["serums", "retinol", None]),
    price=st.sampled_from([Decimal(40), Decimal(90), Decimal(160), None]),
    quantity=st.sampled_from([None, Decimal(1), Decimal(2)]),
    currency=st.sampled_from([None, "USD", "EUR", "CHF"]),
)
_GAPS = st.sampled_from([0, 1000, MINUTE_MS, 20 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS, 7 * HOUR_MS, DAY_MS, 40 * DAY_MS])


@st.composite
def histories(draw: st.DrawFn, *, late: bool = True, merges: bool = True) -> list[PersonSignal]:
    """Up to 25 signals of a few keys, in order of acceptance; some occurred earlier."""
    signals: list[PersonSignal] = []
    at_ms = START_MS
    for index in range(draw(st.integers(1, 25))):
        at_ms += draw(_GAPS)
        occurred_ms = at_ms - (draw(_GAPS) if late and draw(st.integers(0, 4)) == 0 else 0)
        key = draw(_KEYS) if merges else draw(st.sampled_from([ME, "id:other"]))
        signals.append(_signal(draw, index, key, occurred_ms, at_ms, merges=merges))
    return signals


def _signal(draw: st.DrawFn, index: int, key: str, occurred_ms: int, accepted_ms: int, *, merges: bool) -> PersonSignal:
    common = {"person": key, "id": f"m{index}", "occurred_ms": occurred_ms, "accepted_ms": accepted_ms}
    kind = draw(
        st.sampled_from(
            ["tracked"] * 8 + ["paged"] * 2 + ["messaged", "conversed", "consented", "identified", "claimed", "erased"]
        )
    )
    if kind == "tracked":
        event = draw(_EVENTS)
        return Tracked(
            **common,  # type: ignore[arg-type]
            event=event,
            item=draw(_ITEMS) if event.startswith("Product") else None,
            items=tuple(draw(st.lists(_ITEMS, max_size=2))) if draw(st.booleans()) else None,
            amount=draw(st.sampled_from([None, Decimal(100), Decimal(200)])),
            order_id=draw(st.sampled_from([None, "o1", "o2"])) if "Order" in event or "Deliver" in event else None,
        )
    if kind == "paged":
        return Paged(**common, path=draw(st.sampled_from(["/pages/shipping", "/returns", "/help", "/products/x"])))  # type: ignore[arg-type]
    if kind == "messaged":
        metric = draw(st.sampled_from(["sent", "opened", "clicked"]))
        return Messaged(**common, channel="email", metric=metric, delivery="d1", human=draw(st.booleans()))  # type: ignore[arg-type]
    if kind == "conversed":
        return Conversed(**common, conversation="c1", open=draw(st.booleans()), topic="conversation.user.created")  # type: ignore[arg-type]
    if kind == "consented":
        return Consented(**common, tool="customerio", subscribed=draw(st.integers(0, 2)) > 0)  # type: ignore[arg-type]
    if kind == "claimed" and merges:
        return Claimed(**common, owner=draw(st.sampled_from([ME, "email:me@x.org", "id:other"])))  # type: ignore[arg-type]
    if kind == "erased" and draw(st.integers(0, 3)) == 0:
        return Erased(**common)  # type: ignore[arg-type]
    return Identified(**common, traits={"plan": "gold", "internal": draw(st.integers(0, 4)) == 0}, email="me@x.org")  # type: ignore[arg-type]


__all__ = ["Delivered", "Moved", "People", "Run", "added", "histories", "ordered", "page", "stamp", "track"]
