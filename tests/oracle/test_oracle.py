"""The thinking and the oracle say the same, on thousands of histories that meet every audience and every reason."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.signals import Item, PersonSignal, Tracked
from tests.oracle import policies
from tests.oracle.comparison import SHIPPED, compare
from tests.oracle.histories import START_MS, history
from tests.oracle.soak import soak

COUNT = 3_000  # about 15 seconds on one quiet core
SEED = 20260302
STOPS = ("purchased", "refunded", "cancelled", "unsubscribed", "in_conversation", "excluded")
MET = {
    "activated qualified",
    *(f"withheld {reason}" for reason in (*STOPS, "outside_hours", "cap", "pressure", "priority", "holdout")),
    *(f"withdrawn {reason}" for reason in (*STOPS, "erased", "no_longer_true", "expired", "priority", "moved")),
    *(f"audience {name}" for name in SHIPPED.audiences),
    "audience vip_at_risk",
    "audience gold_order",
    "a claim",
    "a claim in a moment",
    "outcomes",
}


@st.composite
def _histories(draw: st.DrawFn) -> list[PersonSignal]:
    return history(lambda choices: draw(st.sampled_from(choices)))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(_histories(), st.integers(0, policies.POLICIES - 1))
def test_any_history_is_decided_as_the_oracle_decides_it(signals: list[PersonSignal], policy: int) -> None:
    assert compare(signals, policies.drawn(policy)).difference() == ""


def test_seeded_histories_are_decided_alike_and_meet_every_audience_and_reason() -> None:
    soaked = soak(COUNT, SEED)
    assert soaked.difference == ""
    assert MET - set(soaked.met) == set()


def test_a_decision_that_one_side_lacks_is_a_difference() -> None:
    stamp = {"person": "id:me", "occurred_ms": START_MS, "accepted_ms": START_MS}
    cart = Tracked(**stamp, id="m0", event="Product Added", item=Item("serum", price=Decimal(200)))  # type: ignore[arg-type]
    compared = compare([cart])
    assert compared.difference() == ""
    assert compared.product.total() == 2
    compared.product.clear()
    assert compared.difference().count("only oracle") == 2
