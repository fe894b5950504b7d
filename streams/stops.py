"""Hard stops: what forbids a moment, from when and until when; in the order in which they are named.

`holding` gives every stop that holds for an audience at an instant, with the instant at which time alone ends it.
"""

import msgspec

from contracts.decisions import Reason
from contracts.policy import Audience, Policy
from streams import orders
from streams.person import Moment, State
from streams.traits import trait, truthy


class Stop(msgspec.Struct, frozen=True, gc=False):
    reason: Reason
    until_ms: int | None  # None: until a signal ends it


def first(
    state: State, audience: Audience, anchor: Moment, at_ms: int, policy: Policy
) -> tuple[Stop | None, int | None]:
    """The first stop that holds, and the next instant at which time alone changes which stops hold."""
    found = holding(state, audience, anchor, at_ms, policy)
    ends = [stop.until_ms for stop in found if stop.until_ms is not None]
    return (found[0] if found else None), min(ends, default=None)


def holding(state: State, audience: Audience, anchor: Moment, at_ms: int, policy: Policy) -> list[Stop]:
    found: list[Stop] = []
    rescue = audience.kind == "rescue"
    if state.orders.recent:
        if rescue and "purchased" not in audience.not_stopped_by:
            found += _purchased(state, anchor, at_ms, policy)
        if "refunded" not in audience.not_stopped_by:
            found += _refunded(state, at_ms, policy, rescue=rescue)
        found += _cancelled(state, at_ms, policy)
    if state.consents and any(not subscribed for _, subscribed in state.consents.values()):
        found.append(Stop("unsubscribed", None))
    if state.conversations and "in_conversation" not in audience.not_stopped_by:
        found += _in_conversation(state, at_ms, policy)
    if excluded(state, policy):
        found.append(Stop("excluded", None))
    if state.erased:
        found.append(Stop("erased", None))
    return found


def _purchased(state: State, anchor: Moment, at_ms: int, policy: Policy) -> list[Stop]:
    order = orders.newest(state.orders)
    if order is None or order.at is None:
        return []
    if order.at > anchor:
        return [Stop("purchased", None)]
    until_ms = order.at[0] + policy.stops.purchased
    return [Stop("purchased", until_ms)] if until_ms > at_ms else []


def _refunded(state: State, at_ms: int, policy: Policy, *, rescue: bool) -> list[Stop]:
    until_ms = 0
    for order in state.orders.recent:
        if order.refund_ms is None and order.whole_ms is None:
            continue
        full_ms = order.whole_ms if order.at is None else order.refund_ms if order.full_refund() else None
        if full_ms is not None:
            until_ms = max(until_ms, full_ms + policy.stops.refunded)
        if rescue and order.refund_ms is not None:
            until_ms = max(until_ms, order.refund_ms + policy.stops.partially_refunded)
    return [Stop("refunded", until_ms)] if until_ms > at_ms else []


def _cancelled(state: State, at_ms: int, policy: Policy) -> list[Stop]:
    cancels_ms = [order.cancel_ms for order in state.orders.recent if order.cancel_ms is not None]
    until_ms = max(cancels_ms) + policy.stops.cancelled if cancels_ms else 0
    return [Stop("cancelled", until_ms)] if until_ms > at_ms else []


def _in_conversation(state: State, at_ms: int, policy: Policy) -> list[Stop]:
    if any(is_open for _, is_open in state.conversations.values()):
        return [Stop("in_conversation", None)]
    closed_ms = max((at[0] for at, _ in state.conversations.values()), default=None)
    if closed_ms is None or closed_ms + policy.stops.in_conversation <= at_ms:
        return []
    return [Stop("in_conversation", closed_ms + policy.stops.in_conversation)]


def in_conversation(state: State) -> bool:
    """Whether a conversation is open now."""
    return bool(state.conversations) and any(is_open for _, is_open in state.conversations.values())


def excluded(state: State, policy: Policy) -> bool:
    traits = state.traits
    if traits:
        for name in policy.exclude.traits:
            if name in traits and truthy(trait(state, name)):
                return True
    if state.email is None or not policy.exclude.domains:
        return False
    domain = state.email[1].rpartition("@")[2]
    return domain != "" and domain in {listed.lower() for listed in policy.exclude.domains}
