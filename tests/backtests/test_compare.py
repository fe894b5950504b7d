"""Two policies over one history: who differs, why, who gave way to whom, and what it means for agents and Intercom."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from backtests.compare import Compared, compare
from backtests.delivery import DryRun
from backtests.traces import Traces
from console.compare_page import page
from console.compare_words import sentence
from contracts.instant import HOUR_MS
from contracts.policy import Policy, parse
from contracts.signals import PersonSignal
from tests.intercom.scene import activation, withdrawal
from tests.streams.histories import POLICY, START_MS, added, ordered, track
from tests.streams.histories import page as visited
from tests.streams.test_merging import MAIL, claim

TEXT = (Path(__file__).parents[2] / "policies" / "skincare.yaml").read_text()
ME = "id:me"


def changed(change: Any) -> Policy:
    rules = yaml.safe_load(TEXT)
    change(rules)
    return parse(yaml.safe_dump(rules, sort_keys=False), name="changed")


def high_cart(**told: Any) -> Policy:
    return changed(lambda rules: rules["audiences"]["high_aov_abandoner"].update(told))


def judged(history: Sequence[PersonSignal], candidate: Policy, base: Policy = POLICY, hours: int = 48) -> Compared:
    ordered_by_time = sorted(history, key=lambda signal: signal.accepted_ms)
    until_ms = START_MS + hours * HOUR_MS
    return compare(ordered_by_time, base, candidate, traces=Traces(io.BytesIO()), until_ms=until_ms)


def differences(found: Compared) -> list[tuple[str, str, str]]:
    return [(one["audience"], one["kind"], one["why"]) for one in found.differences]


LOWER = {"when": [{"cart_value": {"above": 80}}], "exit": [{"cart_value": {"at_most": 50, "or_unknown": True}}]}


def test_the_same_policy_changes_nothing() -> None:
    found = judged([added("serum", 200, "0m")], POLICY)
    assert found.told["entrants"] == {
        "base": 1, "candidate": 1, "same": 1, "earlier": 0, "later": 0, "only_base": 0, "only_candidate": 0,
    }  # fmt: skip
    assert differences(found) == []
    assert "Nothing changes" in sentence(found.told)


def test_a_lower_threshold_lets_new_people_in_and_says_what_the_cart_was_worth() -> None:
    found = judged([added("serum", 100, "0m")], high_cart(**LOWER))
    assert differences(found) == [("high_aov_abandoner", "only_candidate", "threshold")]
    assert found.differences[0]["detail"] == "cart_value > 150 (cart_value 100.00)"
    back = judged([added("serum", 100, "0m")], POLICY, base=high_cart(**LOWER))
    assert differences(back) == [("high_aov_abandoner", "only_base", "threshold")]


def test_a_wider_window_brings_the_same_moment_earlier() -> None:
    found = judged([added("serum", 200, "0m")], high_cart(enter_after="1h"))
    assert differences(found) == [("high_aov_abandoner", "earlier", "window")]
    assert (found.differences[0]["base"][11:16], found.differences[0]["candidate"][11:16]) == ("11:00", "10:00")


def test_the_same_anchor_makes_a_pair_though_one_is_over_before_the_other_begins() -> None:
    found = judged([added("serum", 200, "0m")], high_cart(enter_after="4h"), base=high_cart(leave_after="3h"))
    assert differences(found) == [("high_aov_abandoner", "later", "window")]


def test_two_moments_of_other_anchors_that_overlap_make_a_pair() -> None:
    history = [added("serum", 200, "0m"), added("cream", 200, "2h30m")]
    found = judged(history, high_cart(enter_after="3h"))
    assert differences(found) == [("high_aov_abandoner", "later", "window")]
    assert (found.differences[0]["base"][11:16], found.differences[0]["candidate"][11:16]) == ("11:00", "14:30")


def test_a_later_start_meets_the_purchase_that_came_before_it() -> None:
    history = [added("serum", 200, "0m"), ordered("o1", 200, "3h")]
    assert differences(judged(history, high_cart(enter_after="4h"))) == [("high_aov_abandoner", "only_base", "window")]


def test_a_stop_that_the_other_policy_does_not_have_is_named() -> None:
    history = [ordered("o1", 20, "0m"), added("serum", 200, "10m")]
    found = judged(history, high_cart(not_stopped_by=["purchased"]))
    assert differences(found) == [("high_aov_abandoner", "only_candidate", "stop")]
    assert found.differences[0]["detail"] == "purchased"


TWO_CARTS = [
    added("serum", 200, "0m"),
    track("Product Removed", "3h", item={"p": "serum"}),
    added("cream", 200, "4h"),
]


def test_a_tighter_cap_holds_the_second_moment_back_and_names_whose_moment_used_it_up() -> None:
    loose = changed(lambda rules: rules.update(caps=[{"count": 5, "within": "24h"}]))
    found = judged(TWO_CARTS, POLICY, base=loose)
    assert differences(found) == [("high_aov_abandoner", "only_base", "cap")]
    assert found.differences[0]["detail"] == "high_aov_abandoner had the place"
    assert found.told["taken"] == [
        {"from": "high_aov_abandoner", "by": "high_aov_abandoner", "base": 0, "candidate": 1}
    ]


def test_priority_turned_round_takes_the_place_of_the_other_audience() -> None:
    def turn(rules: Any) -> None:
        rules["caps"] = [{"count": 5, "within": "24h"}]
        rules["audiences"]["shipping_friction"]["priority"] = 95

    loose = changed(lambda rules: rules.update(caps=[{"count": 5, "within": "24h"}]))
    history: list[PersonSignal] = [
        added("serum", 200, "0m"),
        track("Checkout Started", "5m", items=[{"p": "serum", "price": "200"}], currency="USD"),
        visited("/pages/shipping", "6m"),
    ]
    found = judged(history, changed(turn), base=loose)
    assert ("high_aov_abandoner", "only_base", "priority") in differences(found)
    places = {(row["from"], row["by"]): (row["base"], row["candidate"]) for row in found.told["taken"]}
    assert places["shipping_friction", "high_aov_abandoner"] == (1, 0)
    assert places["high_aov_abandoner", "shipping_friction"] == (0, 1)


def test_a_moment_that_is_handed_over_to_a_stronger_key_is_one_moment() -> None:
    history: list[PersonSignal] = [added("serum", 200, "0m", key=MAIL), claim(MAIL, ME, "3h")]
    assert judged(history, POLICY).told["entrants"]["same"] == 1


def test_moments_before_the_span_are_left_out() -> None:
    history = [added("serum", 200, "0m"), added("cream", 200, "10h", key="id:later")]
    until_ms = START_MS + 24 * HOUR_MS
    for from_ms, count in ((START_MS, 2), (START_MS + 3 * HOUR_MS, 1)):
        found = compare(history, POLICY, POLICY, traces=Traces(io.BytesIO()), from_ms=from_ms, until_ms=until_ms)
        assert found.told["entrants"]["base"] == count


def test_an_audience_that_is_gone_is_the_reason_itself() -> None:
    found = judged([added("serum", 200, "0m")], changed(lambda rules: rules["audiences"].pop("high_aov_abandoner")))
    assert differences(found) == [("high_aov_abandoner", "only_base", "audience")]


def test_cells_say_audience_tier_and_hour_of_the_brand() -> None:
    berlin = changed(lambda rules: rules.update(time_zone="Europe/Berlin"))
    found = judged([added("serum", 400, "0m")], POLICY, base=berlin)
    (cell,) = found.told["cells"]
    assert (cell["audience"], cell["tier"], cell["hour"], cell["same"]) == ("high_aov_abandoner", "high", 12, 1)


def test_load_counts_the_hours_of_the_whole_span_and_only_what_agents_see() -> None:
    found = judged([added("serum", 200, "0m")], POLICY)
    load_of_base = found.told["load"]["base"]
    assert (load_of_base["activations"], load_of_base["hours"], load_of_base["per_hour_max"]) == (1, 49, 1)
    held = changed(lambda rules: rules["holdout"].update(share=1.0))
    assert judged([added("serum", 200, "0m")], held).told["load"]["candidate"]["activations"] == 0
    assert judged([added("serum", 200, "0m")], held).told["entrants"]["same"] == 1, "every check before the arm is met"


def test_the_delivery_would_create_once_and_update_when_the_moment_ends() -> None:
    found = judged([added("serum", 200, "0m"), ordered("o1", 200, "3h")], POLICY)
    delivery = found.told["delivery"]["base"]
    assert (delivery["creates"], delivery["updates"], delivery["calls"], delivery["minutes_at_limit"]) == (1, 1, 4, 0)


def test_a_purchase_within_the_settle_time_spares_the_call() -> None:
    history = [added("serum", 200, "0m"), ordered("o1", 200, "2h0m2s")]
    delivery = judged(history, POLICY).told["delivery"]["base"]
    assert (delivery["creates"], delivery["overtaken"]) == (0, 1)


def test_what_the_contact_shows_already_is_not_written() -> None:
    dry = DryRun(POLICY)
    for command in (activation(), withdrawal(2), withdrawal(3)):
        dry.take(msgspec.structs.replace(command, decided_ms=START_MS + command.revision * HOUR_MS))
    told = dry.told()
    assert (told["creates"], told["updates"], told["no_ops"]) == (1, 1, 1)


def test_a_persons_two_stories_can_be_laid_side_by_side() -> None:
    traces = Traces(io.BytesIO())
    history = [added("serum", 200, "0m"), ordered("o1", 200, "3h")]
    compare(history, POLICY, high_cart(enter_after="4h"), traces=traces, until_ms=START_MS + 24 * HOUR_MS)
    base, candidate = traces.of(ME)
    assert [one.outcome for one in base] == ["activated", "withdrawn"]
    assert candidate == []
    compare(history, POLICY, high_cart(enter_after="1h"), traces=(earlier := Traces(io.BytesIO())))
    assert [story[0].at[11:16] for story in earlier.of(ME)] == ["11:00", "10:00"]


def test_the_page_fetches_nothing_and_shows_reason_and_person() -> None:
    traces = Traces(io.BytesIO())
    history = [added("<b>serum</b>", 100, "0m")]
    found = compare(history, POLICY, high_cart(**LOWER), traces=traces, until_ms=START_MS + 24 * HOUR_MS)
    html = page(found, traces)
    assert "the conditions did not hold" in html and ME in html and "cart_value &gt; 150 (cart_value 100.00)" in html
    for fetching in ("http://", "https://", "<script", "<link", "<img", "@import", "url("):
        assert fetching not in html, fetching
