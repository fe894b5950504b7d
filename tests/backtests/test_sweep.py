"""A sweep tries every combination of the numbers that it is asked for, and says which make no sense."""

from pathlib import Path

import pytest

from backtests.sweep import keep, kept, one, sweep
from backtests.variants import SweepError, axes, variants
from console.sweep import page
from contracts.instant import HOUR_MS
from contracts.policy import parse
from tests.streams.histories import START_MS, added, ordered

POLICY = Path(__file__).parents[2] / "policies" / "skincare.yaml"
SHOP = [
    added("serum", 130, "0m", key="id:a"),
    added("serum", 180, "0m", key="id:b"),
    added("serum", 230, "0m", key="id:c"),
    ordered("o1", 230, "3h", key="id:c"),
]


def tried(folder: Path, *asked: str) -> dict[str, int | None]:
    keep(SHOP, folder / "history")
    swept = axes(POLICY, asked)
    outcomes = sweep(list(variants(POLICY, swept)), folder / "history", until_ms=START_MS + 24 * HOUR_MS)
    return {" ".join(o.values.values()): None if o.refusal else o.entrants for o in outcomes}


def test_a_threshold_is_tried_at_each_value_over_all_cores(tmp_path: Path) -> None:
    assert tried(tmp_path, "cart_value=125..225:50") == {"125": 3, "175": 2, "225": 1}


def test_two_numbers_are_tried_in_every_combination(tmp_path: Path) -> None:
    found = tried(tmp_path, "cart_value=125..175:50", "high_aov_abandoner.enter_after=2h..4h:2h")
    assert found == {"125 2h": 3, "125 4h": 2, "175 2h": 2, "175 4h": 1}, "whoever bought after three hours is gone"


def test_a_variant_that_makes_no_sense_is_refused_and_the_others_are_tried(tmp_path: Path) -> None:
    found = tried(tmp_path, "high_aov_abandoner.enter_after=2h..12h:10h")
    assert found == {"2h": 2, "12h": None}, "a window that ends when it begins"


def test_what_is_counted_of_one_variant(tmp_path: Path) -> None:
    keep(SHOP, tmp_path / "history")
    (variant,) = variants(POLICY, axes(POLICY, ["cart_value=150..150:1"]))
    from backtests.sweep import _Task

    outcome = one(_Task(variant, tmp_path / "history", None, START_MS + 20 * HOUR_MS))
    assert (outcome.entrants, outcome.people, outcome.by_audience["high_aov_abandoner"]) == (2, 2, 2)
    assert outcome.activated == outcome.purchased + 1, "one of them bought"
    assert outcome.per_hour_p95 == 0, "both in one hour of 21; the quiet ones before it count too"
    assert list(kept(tmp_path / "history")) == SHOP


def test_a_variant_with_the_shipped_values_is_the_shipped_policy() -> None:
    (variant,) = variants(POLICY, axes(POLICY, ["cart_value=150..150:1", "exit.cart_value=120..120:1"]))
    assert variant.text is not None
    assert parse(variant.text, name="v").hash == parse(POLICY.read_text(), name="p").hash


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("cart_value", "such as cart_value=100..300:25"),
        ("enter_after=1h..2h:1h", "have it; write AUDIENCE.enter_after"),
        ("nobody.cart_value=1..2:1", "no audience of that name"),
        ("colour=1..2:1", "no audience has it"),
        ("cart_value=300..100:25", "no values"),
        ("cart_value=100..300:0", "no values"),
        ("cart_value=a..b:c", "numbers or durations"),
        ("cart_value=1..100000:1", "too many"),
    ],
)
def test_a_sweep_that_makes_no_sense_says_how_to_write_it(asked: str, says: str) -> None:
    with pytest.raises(SweepError, match=says):
        axes(POLICY, [asked])


def test_the_picture_names_every_value_and_fetches_nothing(tmp_path: Path) -> None:
    rows = [
        {"values": {"cart_value": value}, "refusal": None, "entrants": count, "people": 1, "activated": 1, "purchased": 0,
         "per_hour_p95": 0}
        for value, count in (("100", 7), ("150", 3))
    ]  # fmt: skip
    html = page(["cart_value"], rows)
    assert ">100<" in html and ">7<" in html and "http" not in html.replace("http-equiv", "")


def test_the_map_names_each_row_by_its_values_and_each_cell_in_full() -> None:
    names = ["cart_value", "high_aov_abandoner.enter_after", "holdout"]
    values = [
        dict(zip(names, ("100", after, share), strict=True)) for after in ("1h", "2h") for share in ("0.05", "0.1")
    ]
    figures = {"people": 1, "activated": 1, "purchased": 0, "per_hour_p95": 1}
    rows = [{"values": one, "refusal": None, "entrants": 30 + n, **figures} for n, one in enumerate(values)]
    html = page(names, rows)
    assert "Down: cart_value, high_aov_abandoner.enter_after. Across: holdout." in html
    assert ">100, 1h</text>" in html and ">100, 2h</text>" in html, "the names would not fit beside the map"
    assert "<title>cart_value 100, high_aov_abandoner.enter_after 2h, holdout 0.05: 32</title>" in html
