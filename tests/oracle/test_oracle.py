"""The thinking and the oracle say the same, on thousands of histories that meet every audience and every reason."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.signals import Item, PersonSignal, Tracked
from tests.oracle.comparison import compare
from tests.oracle.histories import START_MS, history
from tests.oracle.soak import soak
from tests.streams.histories import POLICY

COUNT = 2000  # about 20 seconds on one slow core
SEED = 20260302
REASONS = {
    "activated qualified",
    *(f"withheld {reason}" for reason in ("purchased", "refunded", "cancelled", "unsubscribed", "in_conversation")),
    *(f"withheld {reason}" for reason in ("excluded", "cap", "pressure", "priority", "holdout")),
    *(f"withdrawn {reason}" for reason in ("purchased", "refunded", "cancelled", "unsubscribed", "in_conversation")),
    *(f"withdrawn {reason}" for reason in ("excluded", "erased", "no_longer_true", "expired", "priority")),
}


@st.composite
def _histories(draw: st.DrawFn) -> list[PersonSignal]:
    return history(lambda choices: draw(st.sampled_from(choices)), ("id:me",))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(_histories(), st.sampled_from(["assisted", "holdout"]))
def test_any_history_is_decided_as_the_oracle_decides_it(signals: list[PersonSignal], arm: str) -> None:
    assert compare(signals, "holdout" if arm == "holdout" else "assisted").difference() == ""


def test_seeded_histories_are_decided_alike_and_meet_every_audience_and_reason() -> None:
    soaked = soak(COUNT, SEED)
    assert soaked.difference == ""
    assert {audience for audience, _ in soaked.met} == set(POLICY.audiences)
    assert {said for _, said in soaked.met} == REASONS
    assert soaked.decisions >= COUNT


def test_a_decision_that_one_side_lacks_is_a_difference() -> None:
    stamp = {"person": "id:me", "occurred_ms": START_MS, "accepted_ms": START_MS}
    cart = Tracked(**stamp, id="m0", event="Product Added", item=Item("serum", price=Decimal(200)))  # type: ignore[arg-type]
    compared = compare([cart])
    assert compared.difference() == ""
    assert compared.product.total() == 2
    compared.product.clear()
    assert compared.difference().count("only oracle") == 2
