"""Inputs: what an audience stands on in the event stream, and what one signal says about the health of each.

Two kinds of input. A *share*: a field that the events of some kind should carry (`price`, `order_id`, ...). A *silence*:
events that should go on coming, because an audience reads something from their absence (`orders`, `email clicks`, ...).
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from contracts.conditions import Condition
from contracts.policy import Audience, Policy
from contracts.signals import Conversed, Identified, Item, Messaged, Paged, PersonSignal, Tracked, anonymous
from streams.fold import REPLACING

SHOP_EVENTS = REPLACING | {"Product Added", "Product Removed", "Product Viewed"}
Health = Literal["good", "bad", "absent"]  # absent: the field is left out, which has a meaning of its own
WORST_FIRST: tuple[Health, ...] = ("bad", "absent", "good")
CLICKS = "email clicks"
TALK = "conversations"


class Limit(msgspec.Struct, frozen=True):
    """The share of occurrences that may lack a field, over twice `half` of them; fewer than `at_least` say nothing."""

    share: float
    half: int
    at_least: int


class Watch:
    """What one policy watches. needs: inputs by audience; an input that no audience needs is not watched.

    limits: by the field that may be missing.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        names, drift = policy.names, policy.drift
        self._own: set[str | None] = {policy.currency}
        shares = drift.missing_above.model_dump()
        self.limits = {name: Limit(share, drift.newest // 2, drift.at_least) for name, share in shares.items()}
        self.needs = {name: frozenset(_needs(audience, policy)) for name, audience in policy.audiences.items()}
        self.watched = frozenset().union(*self.needs.values())
        self.known = frozenset().union(
            SHOP_EVENTS, policy.remembered_events, names.orders, names.refunds, names.partial_refunds, names.cancels
        )
        self._orders = frozenset(names.orders)
        self._corrections = frozenset().union(names.refunds, names.partial_refunds, names.cancels)
        self._silences: dict[str, tuple[str, ...]] = {}
        for silence, events in _silences(policy):
            if silence in self.watched:
                for event in events:
                    self._silences[event] = (*self._silences.get(event, ()), silence)

        speaking = self._orders | self._corrections | REPLACING | {"Product Added"} | self._silences.keys()
        self.silent = self.known - speaking  # known events that break no silence and of which no field is watched

    def heard(self, signal: PersonSignal) -> Iterable[str]:
        """The silences that this signal breaks."""
        if isinstance(signal, Tracked):
            return self._silences.get(signal.event, ())
        if isinstance(signal, Messaged):
            return (CLICKS,) if signal.channel == "email" and signal.metric == "clicked" and signal.human else ()
        if isinstance(signal, Conversed):
            return (TALK,)
        if isinstance(signal, Identified):
            return [trait_input(name) for name in signal.traits]
        return ()

    def is_order(self, signal: PersonSignal) -> bool:
        return isinstance(signal, Tracked) and signal.event in self._orders

    def shares(self, signal: PersonSignal) -> list[tuple[str, Health]]:
        """(input, its health) for every field that a signal of this kind should carry."""
        if isinstance(signal, Paged):
            return [("path", _good("/" in signal.path))]  # without a path the page's name stands there
        if not isinstance(signal, Tracked):
            return []
        if signal.event in self.known:
            return self._fields(signal)
        if signal.event.startswith("Viewed ") and signal.event.endswith(" Page"):
            return [("path", _good(signal.path is not None))]
        return []

    def _fields(self, call: Tracked) -> list[tuple[str, Health]]:
        found: list[tuple[str, Health]] = []
        if call.event in self._orders:
            found.append(("order_person", _good(not anonymous(call.person))))
            found.append(("order_id", "absent" if call.order_id is None else "good"))
            valued = call.amount is not None or (bool(call.items) and _priced(call.items or ()))
            found.append(("order_value", _good(valued)))
            if call.items:
                named = any(item.category is not None for item in call.items)
                found.append(("category", "good" if named else "absent"))
        elif call.event in self._corrections:
            found.append(("order_id", "absent" if call.order_id is None else "good"))
        elif call.event == "Product Added":
            found.append(("price", _good(call.item is not None and call.item.price is not None)))
        elif call.event in REPLACING and call.items:
            found.append(("price", _good(_priced(call.items))))
        else:
            return found
        money = self._money(call)
        if money is not None:
            found.append(("currency", money))
        return found

    def _money(self, call: Tracked) -> Health | None:
        """Of the amounts that the call tells, the worst; None where it tells none."""
        lines = call.items or ((call.item,) if call.item is not None else ())
        priced = {item.currency or call.currency for item in lines if item.price is not None}
        if call.amount is not None:
            priced.add(call.currency)
        if priced == self._own:
            return "good"  # nearly always
        return min((self._currency(currency) for currency in priced), key=WORST_FIRST.index, default=None)

    def _currency(self, currency: str | None) -> Health:
        if currency is None:
            return "absent"
        return _good(currency == self.policy.currency or currency in self.policy.rates)


def trait_input(name: str) -> str:
    return f"trait {name}"


def event_input(names: Iterable[str]) -> str:
    return f"event {' or '.join(names)}"


def _good(good: bool) -> Health:
    return "good" if good else "bad"


def _priced(items: Iterable[Item]) -> bool:
    return all(item.price is not None for item in items)


def _needs(audience: Audience, policy: Policy) -> Iterator[str]:
    anchor = audience.anchor
    if anchor.order is not None:
        yield from ("orders", "order_person", "order_id")
        if anchor.order == "first_with_guide":
            yield "category"
    if anchor.together is not None:
        yield "path"
    if audience.enter_after.of_cycle or audience.leave_after.of_cycle:
        yield "category"
    if audience.kind == "rescue" and "purchased" not in audience.not_stopped_by:
        yield from ("orders", "order_person")
    if "refunded" not in audience.not_stopped_by:
        yield "refunds"
    yield "cancels"
    if "in_conversation" not in audience.not_stopped_by:
        yield TALK
    for condition in audience.when + audience.exit:
        yield from _asks(condition)


def _asks(condition: Condition) -> Iterator[str]:
    """What one condition reads; some of it counts only where the condition is about something's absence."""
    if condition.cart_value is not None:
        yield from ("price", "currency", event_input(["Product Removed"]))
    if condition.cart is not None:
        yield event_input(["Product Removed"])
    if condition.orders is not None:
        yield from ("orders", "order_id", "order_person")
    if condition.lifetime_value is not None:
        yield from ("orders", "order_id", "order_person", "order_value", "currency", "refunds")
    if condition.latest_email is not None or condition.clicked_email is not None:
        yield CLICKS
    if condition.event is not None:
        yield event_input(condition.event.name)
    if condition.pages is not None:
        yield "path"
    if condition.cycle is not None:
        yield from ("order_id", "category")
    if condition.trait is not None:
        yield trait_input(condition.trait.name)
    if condition.segment is not None:
        yield trait_input(condition.segment.name)
    for inner in (condition.any or ()) + (condition.all or ()):
        yield from _asks(inner)


def _silences(policy: Policy) -> Iterator[tuple[str, Iterable[str]]]:
    names = policy.names
    yield "orders", names.orders
    yield "refunds", (*names.refunds, *names.partial_refunds)
    yield "cancels", names.cancels
    yield event_input(["Product Removed"]), ["Product Removed"]
    for audience in policy.audiences.values():
        for condition in audience.when + audience.exit:
            yield from _asked_events(condition)


def _asked_events(condition: Condition) -> Iterator[tuple[str, Iterable[str]]]:
    if condition.event is not None:
        yield event_input(condition.event.name), condition.event.name
    for inner in (condition.any or ()) + (condition.all or ()):
        yield from _asked_events(inner)
