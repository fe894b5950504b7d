"""What Intercom would be shown of a person's facts at an instant, by the oracle."""

from decimal import ROUND_HALF_UP, Decimal

from contracts.instant import DAY_MS
from contracts.policy import Policy
from contracts.signals import Scalar
from tests.oracle.asking import cart_value, forgotten, tier_of
from tests.oracle.facts import Facts, largest

RETURNS_MS = 30 * DAY_MS


def shown(facts: Facts, policy: Policy, at_ms: int, *, assisted: bool) -> dict[str, Scalar]:
    """The facts among the attributes; of somebody erased nothing is known."""
    if facts.erased:
        facts, assisted = Facts(), False
    value, worth, tiers = cart_value(facts, policy, at_ms), facts.lifetime_value(), policy.ltv_tiers
    return {
        "cio_tier": tier_of(facts, policy, at_ms),
        "intercom_assisted": assisted,
        "last_cart_value": None if value is None else float(value.quantize(Decimal("0.01"), ROUND_HALF_UP)),
        "last_cart_category": None if forgotten(facts, policy, at_ms) else largest(facts.cart.lines, policy),
        "last_viewed_product": facts.viewed,
        "returns_page_visited": any(kind == "returns" and when[0] > at_ms - RETURNS_MS for when, kind in facts.pages),
        "lifetime_orders": len(facts.counted),
        "predicted_ltv_tier": "low" if worth < tiers.mid else "mid" if worth < tiers.high else "high",
    }
