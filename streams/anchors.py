"""Anchors and windows: the moment that an episode of an audience would count from, and when its window is open."""

from collections.abc import Sequence

import msgspec

from contracts.conditions import Together
from contracts.policy import Audience, Policy
from streams import orders
from streams.person import Moment, Order, State


class Anchored(msgspec.Struct, frozen=True, gc=False):
    moment: Moment
    order: Order | None = None


class Window(msgspec.Struct, frozen=True, gc=False):
    """`[enter_ms, leave_ms)`."""

    enter_ms: int
    leave_ms: int


def possible(state: State, policy: Policy) -> Sequence[tuple[str, Audience]]:
    """By priority, the audiences of which the person may have an anchor at all: nearly all people lack an order or a cart."""
    return policy.by_anchor[state.cart.touched is not None, state.orders.tally.newest is not None, bool(state.events)]


def newest(state: State, audience: Audience, policy: Policy) -> Anchored | None:
    word, asked = audience.anchor.asked
    if word == "cart_touch":
        touched = state.cart.touched
        return Anchored(touched) if touched is not None else None
    if word == "order":
        known = state.orders
        found = known.tally.newest if asked == "newest" else orders.first_with_guide(known, policy)
        return Anchored(found.at, found) if found is not None and found.at is not None else None
    if word == "event":
        event = _newest_event(state, asked)
        return Anchored(event) if event is not None else None
    return _together(state, asked)


def _together(state: State, together: Together) -> Anchored | None:
    event = _newest_event(state, together.event)
    if event is None:
        return None
    page = max((state.pages[kind][-1] for kind in together.pages if state.pages.get(kind)), default=None)
    if page is None or abs(page[0] - event[0]) > together.within:
        return None
    return Anchored(max(page, event))


def is_over(state: State, audience: Audience, at_ms: int) -> bool:
    """A cheap look first: no order at all, or even the newest one's window is over."""
    spans_ms = audience.spans_ms
    if spans_ms is None or audience.anchor.asked[0] != "order":
        return False
    last = state.orders.tally.newest
    return last is None or last.at is None or at_ms >= last.at[0] + spans_ms[1]


def of_active(state: State, audience: Audience, moment: Moment) -> Anchored | None:
    """The anchor of an active episode as the facts are now; None when it is gone, its order being cancelled or refunded."""
    if audience.anchor.order is None:
        return Anchored(moment)
    order = next((order for order in state.orders.recent if order.at == moment and order.counts()), None)
    return Anchored(moment, order) if order is not None else None


def window(state: State, audience: Audience, anchor: Moment, policy: Policy) -> Window | None:
    """None while the window stands on a reorder cycle that is unknown."""
    spans_ms = audience.spans_ms
    if spans_ms is not None:
        return Window(anchor[0] + spans_ms[0], anchor[0] + spans_ms[1])
    enter, leave = audience.enter_after, audience.leave_after
    cycle_ms = orders.cycle_ms(state.orders, policy)
    if cycle_ms is None:
        return None
    enter_ms, leave_ms = (anchor[0] + edge.span_ms + (cycle_ms if edge.of_cycle else 0) for edge in (enter, leave))
    return Window(enter_ms, leave_ms)


def _newest_event(state: State, names: tuple[str, ...]) -> Moment | None:
    newest: Moment | None = None
    for name in names if state.events else ():
        happenings = state.events.get(name)
        if happenings and (newest is None or happenings[-1].at > newest):
            newest = happenings[-1].at
    return newest
