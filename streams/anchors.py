"""Anchors and windows: the moment that an episode of an audience would count from, and when its window is open."""

from collections.abc import Sequence

import msgspec

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
    anchor = audience.anchor
    if anchor.cart_touch is not None:
        return Anchored(state.cart.touched) if state.cart.touched is not None else None
    if anchor.order is not None:
        found = (
            orders.newest(state.orders) if anchor.order == "newest" else orders.first_with_guide(state.orders, policy)
        )
        return Anchored(found.at, found) if found is not None and found.at is not None else None
    if anchor.event is not None:
        event = _newest_event(state, anchor.event)
        return Anchored(event) if event is not None else None
    together = anchor.together
    assert together is not None, "an anchor has exactly one key"
    event = _newest_event(state, together.event)
    if event is None:
        return None
    page = max((state.pages[kind][-1] for kind in together.pages if state.pages.get(kind)), default=None)
    if page is None or abs(page[0] - event[0]) > together.within:
        return None
    return Anchored(max(page, event))


def is_over(state: State, audience: Audience, at_ms: int) -> bool:
    """A cheap look first: no order at all, or even the newest one's window is over."""
    if audience.anchor.order is None or audience.leave_after.of_cycle:
        return False
    last = state.orders.tally.newest
    return last is None or last.at is None or at_ms >= last.at[0] + audience.leave_after.span_ms


def of_active(state: State, audience: Audience, moment: Moment) -> Anchored | None:
    """The anchor of an active episode as the facts are now; None when it is gone, its order being cancelled or refunded."""
    if audience.anchor.order is None:
        return Anchored(moment)
    order = next((order for order in state.orders.recent if order.at == moment and order.counts()), None)
    return Anchored(moment, order) if order is not None else None


def window(state: State, audience: Audience, anchor: Moment, policy: Policy) -> Window | None:
    """None while the window stands on a reorder cycle that is unknown."""
    enter, leave = audience.enter_after, audience.leave_after
    if not enter.of_cycle and not leave.of_cycle:
        return Window(anchor[0] + enter.span_ms, anchor[0] + leave.span_ms)
    cycle_ms = orders.cycle_ms(state.orders, policy)
    if cycle_ms is None:
        return None
    enter_ms, leave_ms = (anchor[0] + edge.span_ms + (cycle_ms if edge.of_cycle else 0) for edge in (enter, leave))
    return Window(enter_ms, leave_ms)


def _newest_event(state: State, names: tuple[str, ...]) -> Moment | None:
    if not state.events:
        return None
    return max((state.events[name][-1].at for name in names if state.events.get(name)), default=None)
