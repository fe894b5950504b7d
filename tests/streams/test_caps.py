"""What counts for a cap, and from when."""

from pathlib import Path

from contracts.policy import load
from tests.streams.histories import Run, ordered, track
from tests.streams.test_meaning import message

POLICY_FILE = Path(__file__).parents[2] / "policies" / "skincare.yaml"


def test_what_a_lower_audience_begins_counts_for_the_cap_of_a_higher_one_from_the_next_millisecond() -> None:
    fresh = load(POLICY_FILE)  # a copy of one that was asked before would keep what it has worked out
    lower = fresh.audiences["post_purchase_education"].model_copy(update={"through_pressure": True})
    run = Run(fresh.model_copy(update={"audiences": fresh.audiences | {"post_purchase_education": lower}}))
    bought = ordered("o1", 20, "0m", items=[{"p": "serum", "category": "serums"}])
    run.play([bought, message("sent", "23h20m"), track("Delivery Delayed", "23h30m", order_id="o1")], until="24h10m")
    assert run.said() == [
        ("1410m", "post_purchase_risk", "withheld pressure"),
        ("1440m", "post_purchase_education", "activated qualified"),
        ("1440m", "post_purchase_risk", "withheld cap"),
    ]
