"""What Intercom is to show of a person at an instant: attributes, and the event of an activation.

Money is a float with two digits, instants are unix seconds; the names are those of the field manifest.
"""

import re
from decimal import ROUND_HALF_UP, Decimal

from contracts.commands import ContactEvent
from contracts.fields import PLACE, STRING_CHARS_MAX, segment_field
from contracts.instant import DAY_MS, to_rfc3339
from contracts.policy import Policy
from contracts.signals import Scalar
from streams import anchors, cart, orders
from streams.conditions import number
from streams.judgement import active, tier
from streams.person import Episode, State

RETURNS_PAGE_MS = 30 * DAY_MS


def attributes(state: State, at_ms: int, policy: Policy) -> dict[str, Scalar]:
    """Every attribute of the manifest; flags only of a real activation, never of a held-out person's virtual one."""
    shown = _shown(state)
    facts = _facts(state, at_ms, policy)
    flags: dict[str, Scalar] = {
        segment_field(name): shown is not None and shown[0] == name
        for name in (*policy.audiences, *state.standings)  # one that the policy no longer has is taken back, too
    }
    moment: dict[str, Scalar] = {"cio_moment": None, "cio_moment_reason": None, "cio_moment_expires_at": None}
    if shown is not None:
        name, episode = shown
        sentence = policy.audiences[name].because
        expires_ms = expiry(state, name, episode, policy)
        moment = {
            "cio_moment": name,
            "cio_moment_reason": reason_sentence(sentence, facts, policy),
            "cio_moment_expires_at": expires_ms // 1000 if expires_ms is not None else None,
        }
    facts["intercom_assisted"] = state.assisted or shown is not None  # true as soon as Intercom shows the activation
    return {**flags, **moment, **facts}


def expiry(state: State, name: str, episode: Episode, policy: Policy) -> int | None:
    window = anchors.window(state, policy.audiences[name], episode.anchor, policy)
    return window.leave_ms if window is not None else None


def reason_sentence(template: str, facts: dict[str, Scalar], policy: Policy) -> str:
    """The audience's sentence with `{fact}` filled in; an unknown or empty fact reads as a dash."""

    def fill(match: re.Match[str]) -> str:
        value = policy.currency if match[1] == "currency" else facts.get(match[1])
        if isinstance(value, float):
            return f"{value:.2f}"
        return "-" if value is None else str(value)

    return PLACE.sub(fill, template)[:STRING_CHARS_MAX]


def event(state: State, at_ms: int, policy: Policy) -> ContactEvent | None:
    """The Intercom event of the activation that is shown now, dated with its anchor."""
    shown = _shown(state)
    if shown is None:
        return None
    name, episode = shown
    view = cart.view(state.cart, at_ms, policy)
    largest = state.viewed[1] if state.viewed is not None else None
    expires_ms = expiry(state, name, episode, policy)
    metadata: dict[str, Scalar | dict[str, Scalar]] = {"tier": tier(state, at_ms, policy, view), "reason": name}
    if largest is not None:
        metadata["product"] = largest[:STRING_CHARS_MAX]
    category = None if view.empty else cart.largest_category(state.cart, policy)
    if category is not None:
        metadata["category"] = category[:STRING_CHARS_MAX]
    if view.value is not None and view.value > 0:
        cents = int((view.value * 100).quantize(Decimal(1), ROUND_HALF_UP))
        metadata["value"] = {"amount": cents, "currency": policy.currency.lower()}
    if expires_ms is not None:
        metadata["expires"] = to_rfc3339(expires_ms)
    return ContactEvent(policy.audiences[name].event, episode.anchor[0] // 1000, metadata)


def _shown(state: State) -> tuple[str, Episode] | None:
    current = active(state)
    if current is None or current[2].arm != "assisted":
        return None
    return current[0], current[2]


def _facts(state: State, at_ms: int, policy: Policy) -> dict[str, Scalar]:
    view = cart.view(state.cart, at_ms, policy)
    value = orders.lifetime_value(state.orders)
    ltv = "high" if value >= policy.ltv_tiers.high else "mid" if value >= policy.ltv_tiers.mid else "low"
    returns = state.pages.get("returns", [])
    return {
        "cio_tier": tier(state, at_ms, policy, view),
        "intercom_assisted": state.assisted,
        "last_cart_value": number(view.value),
        "last_cart_category": None if view.empty else cart.largest_category(state.cart, policy),
        "last_viewed_product": state.viewed[1] if state.viewed is not None else None,
        "returns_page_visited": bool(returns) and returns[-1][0] > at_ms - RETURNS_PAGE_MS,
        "lifetime_orders": orders.count(state.orders),
        "predicted_ltv_tier": ltv,
    }
