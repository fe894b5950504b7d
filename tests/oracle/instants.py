"""When things happen, for the oracle: the anchor of an audience, the edges of its window, every span of a policy."""

import math
from collections.abc import Sequence

from contracts.conditions import Edge
from contracts.policy import Audience, Policy
from tests.oracle.facts import Facts, Order, When

SPANS: dict[str, tuple[int, ...]] = {}


def edge_of(edge: Edge, anchor: When, facts: Facts) -> int | None:
    """The first whole millisecond at or after it; None where it stands on a cycle that is unknown."""
    if not edge.of_cycle:
        return anchor[0] + edge.span_ms
    return None if facts.cycle_ms is None else anchor[0] + edge.span_ms + math.ceil(facts.cycle_ms)


def anchor_of(audience: Audience, facts: Facts, policy: Policy) -> When | None:
    """The newest occurrence of what the audience counts from."""
    wanted = audience.anchor
    if wanted.cart_touch is not None:
        return facts.cart.touched
    if wanted.order == "newest":
        return facts.counted[-1].when if facts.counted else None
    if wanted.order == "first_with_guide":
        return first_with_guide(facts.counted, policy)
    if wanted.event is not None:
        return max((when for when, name, _ in facts.events if name in wanted.event), default=None)
    assert wanted.together is not None
    page = max((when for when, kind in facts.pages if kind in wanted.together.pages), default=None)
    event = max((when for when, name, _ in facts.events if name in wanted.together.event), default=None)
    if page is None or event is None or abs(page[0] - event[0]) > wanted.together.within:
        return None
    return max(page, event)


def first_with_guide(counted: Sequence[Order], policy: Policy) -> When | None:
    had: set[str] = set()
    found = None
    for order in counted:
        categories = {item.category for item in order.items or () if item.category in policy.guides} - {None}
        new = {category for category in categories if category is not None} - had
        if new:
            found, had = order.when, had | new
    return found


def spans_of(policy: Policy) -> tuple[int, ...]:
    """Every distance from an occurrence at which time alone could change anything."""
    if policy.hash not in SPANS:
        SPANS[policy.hash] = tuple(sorted(_spans_of(policy)))
    return SPANS[policy.hash]


def _spans_of(policy: Policy) -> set[int]:
    spans = {limit.within for limit in policy.caps + policy.pressure.limits} | {policy.cart_forgotten_after}
    spans |= set(policy.stops.model_dump().values())
    for audience in policy.audiences.values():
        spans |= {edge.span_ms for edge in (audience.enter_after, audience.leave_after) if not edge.of_cycle}
        conditions = list(audience.when + audience.exit)
        while conditions:
            condition = conditions.pop()
            conditions += (condition.any or ()) + (condition.all or ())
            for asked in (condition.event, condition.pages):
                spans |= {span for name in ("within", "at_least_ago") if (span := getattr(asked, name, None))}
    return spans
