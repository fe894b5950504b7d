"""What a policy says otherwise than another, and when it moves too many moments to be deployed in passing."""

import io
from pathlib import Path
from typing import Any

import pytest
import yaml

from backtests.compare import compare
from backtests.gate import Moved, verdict
from backtests.traces import Traces
from contracts.instant import HOUR_MS
from contracts.policy import parse
from contracts.policy_changes import Change, changes
from tests.streams.histories import POLICY, START_MS, added

TEXT = (Path(__file__).parents[2] / "policies" / "skincare.yaml").read_text()


def told(base: int, candidate: int, **audiences: tuple[int, int]) -> dict[str, Any]:
    return {
        "entrants": {"base": base, "candidate": candidate},
        "audiences": {name: {"base": one, "candidate": other} for name, (one, other) in audiences.items()},
    }


@pytest.mark.parametrize(
    ("base", "candidate", "beyond"),
    [
        (100, 120, False),
        (100, 121, True),
        (100, 79, True),
        (100, 80, False),
        (5, 14, False),
        (5, 15, True),
        (0, 9, False),
    ],
)
def test_an_audience_may_move_by_a_share_and_by_a_few(base: int, candidate: int, beyond: bool) -> None:
    moved = verdict(told(1000, 1000, a=(base, candidate)), limit=0.2)
    assert [one.audience for one in moved] == (["a"] if beyond else [])


def test_of_none_any_number_is_beyond_and_the_whole_counts_too() -> None:
    assert verdict(told(0, 30, a=(0, 30)), limit=9) == [Moved("a", 0, 30, None), Moved("all", 0, 30, None)]


def test_a_lower_threshold_over_a_history_is_beyond_the_limit() -> None:
    history = [added("serum", 130 if number < 15 else 200, "0m", key=f"id:{number}") for number in range(30)]
    lower = parse(TEXT.replace("cart_value: {above: 150}", "cart_value: {above: 125}"), name="lower")
    found = compare(history, POLICY, lower, traces=Traces(io.BytesIO()), until_ms=START_MS + 5 * HOUR_MS)
    (audience, whole) = verdict(found.told, limit=0.2)
    assert (audience.audience, audience.base, audience.candidate, audience.share) == ("high_aov_abandoner", 15, 30, 1.0)
    assert whole.audience == "all"
    assert verdict(found.told, limit=1.0) == []


def test_changes_are_told_in_the_words_of_the_files() -> None:
    other = TEXT.replace("cart_value: {above: 150}", "cart_value: {above: 100}")
    other = other.replace("guides: [serums, retinol]", "guides: [serums]")
    assert changes(TEXT, other) == [
        Change("guides", "serums, retinol", "serums"),
        Change("audiences.high_aov_abandoner.when.1.cart_value.above", "150", "100"),
    ]


def test_comments_and_the_order_of_keys_are_no_change() -> None:
    again = yaml.safe_dump(yaml.safe_load(TEXT), sort_keys=True)
    assert changes(TEXT, again) == []


def test_an_audience_that_is_new_or_gone_is_one_change() -> None:
    rules = yaml.safe_load(TEXT)
    del rules["audiences"]["winback_vip"]
    without = yaml.safe_dump(rules)
    assert changes(TEXT, without) == [Change("audiences.winback_vip", "there", "-")]
    assert changes(without, TEXT) == [Change("audiences.winback_vip", "-", "there")]
