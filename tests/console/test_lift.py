"""`concierge lift` over a table of customers: the sentence first, numbers below, exit codes, and refusals in one sentence."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from backtests import backtest
from console.cli import app
from tests.backtests.shops import POLICY, POLICY_TEXT, lines
from tests.backtests.shops import shop as shop_history

HISTORY = ("x", "--decisions", "y")
DAY, NEXT = "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"
COLUMNS = ("person", "arm", "orders", "gross", "discount", "cost")


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["lift", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def write(path: Path, rows: list[tuple[Any, ...]], columns: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def shop(people: int, *, lift: float, seed: int = 4) -> list[tuple[Any, ...]]:
    """Rows with two columns of the time before; three in ten are held out."""
    chance = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    for number in range(people):
        held = bool(chance.random() < 0.3)
        keen = chance.gamma(2, 0.4)
        orders = int(chance.poisson(keen * (1 if held else 1 + lift)))
        gross = round(float(orders * chance.gamma(6, 15)), 2)
        before, basket = int(chance.poisson(keen)), round(float(chance.gamma(6, 15)), 2)
        arm = "holdout" if held else "assisted"
        rows.append(
            (f"p-{number}", arm, orders, gross, round(gross * 0.1, 2), round(gross * 0.4, 2), before, before * basket)
        )
    return rows


def plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row[: len(COLUMNS)] for row in rows]


def asked(table: Path, *words: str) -> dict[str, Any]:
    code, told, complaint = run("--from-csv", str(table), "--json", *words)
    assert code in (0, 1) and complaint == ""
    answer: dict[str, Any] = json.loads(told)
    assert (code == 1) == (answer["answer"] in ("cost", "no_difference", "split_broken", "nobody"))
    return answer


def test_the_sentence_comes_first_and_says_that_it_paid(tmp_path: Path) -> None:
    table = write(tmp_path / "customers.csv", plain(shop(6000, lift=0.5)))
    code, told, _ = run("--from-csv", str(table), "--holdout", "0.3")
    assert code == 0
    assert told.splitlines()[0].startswith("It paid: among assisted people margin per customer was ")
    for words in ("conversion", "average order value", "discount rate", "Split of the triggered", "as meant"):
        assert words in told


def test_the_picture_is_one_svg_that_fetches_nothing(tmp_path: Path) -> None:
    table, picture = write(tmp_path / "customers.csv", plain(shop(300, lift=0))), tmp_path / "lift.svg"
    run("--from-csv", str(table), "--picture", str(picture))
    drawn = picture.read_text(encoding="utf-8")
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert "conversion" in drawn and "@font-face" not in drawn
    assert set(re.findall(r"https?://[^\s\"]+", drawn)) <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
    code, _, complaint = run("--from-csv", str(table), "--picture", str(tmp_path / "no" / "lift.svg"))
    assert code == 2 and "cannot be written" in complaint


def test_every_metric_is_what_its_columns_say(tmp_path: Path) -> None:
    rows = plain(shop(3000, lift=0.2))
    metrics = asked(write(tmp_path / "customers.csv", rows))["metrics"]
    held = np.array([row[2:] for row in rows if row[1] == "holdout"])
    rest = np.array([row[2:] for row in rows if row[1] == "assisted"])
    meant: dict[str, Callable[[Any], float]] = {
        "conversion": lambda arm: (arm[:, 0] > 0).mean(),
        "revenue_per_customer": lambda arm: (arm[:, 1] - arm[:, 2]).mean(),
        "aov": lambda arm: (arm[:, 1] - arm[:, 2]).sum() / arm[:, 0].sum(),
        "discount_rate": lambda arm: arm[:, 2].sum() / arm[:, 1].sum(),
        "margin": lambda arm: (arm[:, 1] - arm[:, 2] - arm[:, 3]).mean(),
    }
    for name, values in meant.items():
        found = metrics[name]
        assert (found["holdout"]["value"], found["assisted"]["value"]) == pytest.approx((values(held), values(rest)))
        assert found["relative"]["value"] == pytest.approx(values(rest) / values(held) - 1)
        assert found["relative"]["sequence"]["low"] < found["relative"]["low"] < found["relative"]["high"]
        assert found["relative"]["p_holm"] >= found["relative"]["p"]
    revenue = stats.ttest_ind(rest[:, 1] - rest[:, 2], held[:, 1] - held[:, 2], equal_var=False)
    assert metrics["revenue_per_customer"]["absolute"]["p"] == pytest.approx(revenue.pvalue)
    assert metrics["discount_rate"]["lower_is_better"]
    for name, found in metrics.items():
        higher = found["relative"]["value"] > 0
        assert (found["chance_to_win"] > 0.5) == (higher if name != "discount_rate" else not higher)


def test_what_people_did_before_narrows_the_interval(tmp_path: Path) -> None:
    rows = shop(4000, lift=0.3)
    table = write(tmp_path / "customers.csv", rows, (*COLUMNS, "pre_orders", "pre_gross"))
    adjusted = asked(table)["metrics"]
    bare = asked(write(tmp_path / "bare.csv", plain(rows)))["metrics"]
    for name in ("conversion", "revenue_per_customer", "aov", "margin"):
        assert adjusted[name]["theta"] != 0
        assert name == "aov" or adjusted[name]["absolute"]["se"] < bare[name]["absolute"]["se"]
        for figure in ("value", "se", "p"):
            assert adjusted[name]["unadjusted"]["relative"][figure] == pytest.approx(bare[name]["relative"][figure])
    assert adjusted["discount_rate"]["theta"] == 0, "there is no discount before"


def test_a_split_that_was_not_meant_is_all_that_is_said(tmp_path: Path) -> None:
    rows = plain(shop(3000, lift=0.5))
    told = asked(write(tmp_path / "customers.csv", rows), "--holdout", "0.1")
    assert told["answer"] == "split_broken" and told["splits"]["triggered"]["alarm"]
    assert "not to be trusted" in told["sentence"]


def test_too_few_people_are_told_how_many_it_takes(tmp_path: Path) -> None:
    told = asked(write(tmp_path / "customers.csv", plain(shop(300, lift=0))))
    assert told["answer"] == "not_enough_people"
    assert told["plan"]["people"] == 300 and told["plan"]["needed"] > 300
    assert "Not enough people yet: 300 of " in told["sentence"]


def test_many_alike_are_told_that_nothing_differs(tmp_path: Path) -> None:
    told = asked(write(tmp_path / "customers.csv", plain(shop(4000, lift=0))), "--detect", "0.3")
    assert told["answer"] == "no_difference"


def test_what_costs_is_told_so(tmp_path: Path) -> None:
    told = asked(write(tmp_path / "customers.csv", plain(shop(6000, lift=-0.5))))
    assert told["answer"] == "cost" and told["sentence"].startswith("It did not pay: ")


def test_unknown_costs_take_a_rate_or_refuse_the_margin(tmp_path: Path) -> None:
    rows = [(*row[:5], "") for row in plain(shop(500, lift=0.2))]
    table = write(tmp_path / "customers.csv", rows)
    told = asked(table)
    assert "margin" not in told["metrics"] and "margin rate" in told["refused"]["margin"]
    assert told["primary"] == "revenue_per_customer"
    rules = tmp_path / "shop.yaml"
    rules.write_text(POLICY_TEXT + "margin_rate: 0.4\n", encoding="utf-8")
    rated = asked(table, "--margin-rate", "0.4")["metrics"]
    assert asked(table, "--policy", str(rules))["metrics"] == rated
    assert rated["margin"]["holdout"]["value"] == pytest.approx(0.4 * rated["revenue_per_customer"]["holdout"]["value"])


def test_a_baseline_of_nothing_has_no_relative_lift(tmp_path: Path) -> None:
    rows: list[tuple[Any, ...]] = [(f"h-{n}", "holdout", 0, 0, 0, 0) for n in range(20)]
    rows += [(f"a-{n}", "assisted", n % 2, n % 2 * 50, 0, n % 2 * 20) for n in range(200)]
    told = asked(write(tmp_path / "customers.csv", rows))
    assert told["metrics"]["conversion"]["relative"] is None
    assert "may be zero" in told["metrics"]["conversion"]["relative_refused"]
    assert "nothing to divide by" in told["refused"]["aov"]
    assert run("--from-csv", str(tmp_path / "customers.csv"))[1] != ""


def test_one_huge_order_is_cut_for_both_arms_alike(tmp_path: Path) -> None:
    rows = [*plain(shop(1000, lift=0)), ("whale", "assisted", 1, 1_000_000, 0, 0)]
    table = write(tmp_path / "customers.csv", rows)
    loose, cut = asked(table), asked(table, "--winsorise", "0.99")
    assert loose["metrics"]["revenue_per_customer"]["winsorised_at"] is None
    assert 0 < cut["metrics"]["revenue_per_customer"]["winsorised_at"] < 1000
    assert cut["metrics"]["revenue_per_customer"]["absolute"]["se"] < 10
    assert loose["metrics"]["revenue_per_customer"]["absolute"]["se"] > 300


def test_who_stands_in_both_arms_leaves(tmp_path: Path) -> None:
    rows = [*plain(shop(200, lift=0)), ("twice", "holdout", 1, 5, 0, 1), ("twice", "treatment", 1, 5, 0, 1)]
    told = asked(write(tmp_path / "customers.csv", rows))
    assert told["left_out"] == {"both_arms": 1}
    assert sum(told["people"].values()) == 200


def test_nobody_in_an_arm_is_no_answer(tmp_path: Path) -> None:
    told = asked(write(tmp_path / "customers.csv", [("a", "assisted", 1, 5, 0, 1), ("b", "assisted", 0, 0, 0, 0)]))
    assert told["answer"] == "nobody" and told["metrics"] == {}
    assert run("--from-csv", str(tmp_path / "customers.csv"))[0] == 1


def test_one_person_in_an_arm_is_counted_and_compared_with_nobody(tmp_path: Path) -> None:
    rows = [("a", "assisted", 1, 5, 0, 1), ("b", "holdout", 1, 7, 0, 1), ("c", "holdout", 0, 0, 0, 0)]
    told = asked(write(tmp_path / "customers.csv", rows))
    assert told["answer"] == "nobody" and told["people"] == {"assisted": 1, "holdout": 2}
    for metric in told["metrics"].values():
        assert metric["absolute"] is metric["relative"] is metric["chance_to_win"] is None
        assert "two people" in metric["absolute_refused"]


def test_nothing_is_concluded_before_each_arm_has_a_hundred(tmp_path: Path) -> None:
    def clear(held: int, rest: int) -> list[tuple[Any, ...]]:
        arms = [("holdout", held, 10), ("assisted", rest, 2)]
        return [
            (f"{arm}-{n}", arm, int(n % of == 0), 100 * (n % of == 0), 0, 0)
            for arm, people, of in arms
            for n in range(people)
        ]

    few = asked(write(tmp_path / "few.csv", clear(95, 195)), "--holdout", "0.35")
    assert few["metrics"]["margin"]["absolute"]["sequence"]["low"] > 0 and few["answer"] == "not_enough_people"
    assert few["plan"]["needed"] >= 100 / 0.35
    assert "Not enough people yet" in few["sentence"]
    many = asked(write(tmp_path / "many.csv", clear(100, 195)), "--holdout", "0.35")
    assert many["answer"] == "paid" and not many["metrics"]["margin"]["absolute"]["sequence"]["early"]
    enough = asked(write(tmp_path / "few.csv", clear(95, 195)), "--holdout", "0.35", "--detect", "5")
    assert enough["sentence"].startswith("Not enough people yet: the smaller arm has 95 of the 100")


def test_the_sentence_is_about_what_varies(tmp_path: Path) -> None:
    rows = [(row[0], row[1], row[2], 0, 0, 0) for row in plain(shop(3000, lift=0.6))]
    told = asked(write(tmp_path / "customers.csv", rows))
    assert told["primary"] == "conversion" and told["answer"] == "paid", "nobody's money is known, but who bought is"


def test_how_a_table_is_written_changes_nothing(tmp_path: Path) -> None:
    rows = shop(400, lift=0.2)
    names = (*COLUMNS, "pre_orders", "pre_gross")
    told = asked(write(tmp_path / "customers.csv", rows, names))
    text = (tmp_path / "customers.csv").read_text(encoding="utf-8")
    other = text.replace("person,arm", "Person, ARM ").replace("holdout", " Control").replace("assisted", "TREATMENT")
    (tmp_path / "other.csv").write_text("\ufeff" + other + "\r\n", encoding="utf-8")
    assert asked(tmp_path / "other.csv") == told
    turned = [dict(zip(names, row, strict=True)) for row in rows[::-1]]
    columns = tuple(reversed(names))
    again = asked(write(tmp_path / "turned.csv", [tuple(row[name] for name in columns) for row in turned], columns))
    assert again["metrics"]["margin"]["relative"]["p"] == pytest.approx(told["metrics"]["margin"]["relative"]["p"])


def test_who_has_nothing_before_had_bought_nothing(tmp_path: Path) -> None:
    rows = shop(600, lift=0.3)
    empty = [tuple("" if place >= 6 and cell == 0 else cell for place, cell in enumerate(row)) for row in rows]
    assert any("" in row for row in empty)
    names = (*COLUMNS, "pre_orders", "pre_gross")
    assert asked(write(tmp_path / "a.csv", empty, names)) == asked(write(tmp_path / "b.csv", rows, names))


def test_goals_say_over_what_is_corrected(tmp_path: Path) -> None:
    metrics = asked(write(tmp_path / "customers.csv", plain(shop(500, lift=0))), "--goals", "margin")["metrics"]
    assert metrics["margin"]["relative"]["p_holm"] == metrics["margin"]["relative"]["p"]
    assert metrics["conversion"]["relative"]["p_holm"] is None


def test_the_plan_before_the_start() -> None:
    code, told, _ = run("--plan", "0.08")
    assert code == 0 and told.startswith("At 10% holdout you need 101,198 triggered people")
    assert json.loads(run("--plan", "0.08", "--json")[1])["needed"] == 101_198


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("a", "left", 1, 5, 0, 1), "line 3: arm is none of holdout"),
        (("a", "holdout", "one", 5, 0, 1), "line 3: orders is no number"),
        (("a", "holdout", 1, "nan", 0, 1), "line 3: gross is no number"),
        (("a", "holdout", 1, 5), "line 3: has not as many cells"),
        (("secret@example.com", "holdout", 1, 5, 0, 1), "line 3: this person stands above"),
        (("", "holdout", 1, 5, 0, 1), "line 3: names no person"),
        (("a", "holdout", -1, 5, 0, 1), "line 3: orders is below 0"),
        (("a", "holdout", 1, "1e200", 0, 1), "line 3: gross is no number"),
        (("a", "holdout", 1, "1_000", 0, 1), "line 3: gross is no number"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused_without_naming_anybody(
    row: tuple[Any, ...], sentence: str, tmp_path: Path
) -> None:
    table = write(tmp_path / "customers.csv", [("secret@example.com", "holdout", 1, 5, 0, 1), row])
    code, told, complaint = run("--from-csv", str(table))
    assert (code, told) == (2, "")
    assert sentence in complaint and len(complaint.splitlines()) == 1
    assert "secret" not in complaint


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Missing '--from' and '--to'"),
        ([*HISTORY, "--from", DAY], "Missing '--from' and '--to'"),
        ([*HISTORY, "--from", "now", "--to", DAY], "--from: not an RFC 3339"),
        ([*HISTORY, "--from", DAY, "--to", DAY], "--to: must be later"),
        ([*HISTORY, "--from", DAY, "--to", NEXT], "x: cannot be read"),
        ([*HISTORY, "--from", DAY, "--to", NEXT, "--window", "0"], "--window: write"),
        (["--from-csv", "nowhere.csv"], "nowhere.csv: cannot be read"),
        (["--plan", "0.08", "--holdout", "1"], "--holdout: a share"),
        (["--plan", "1.5"], "between 0 and 1"),
        (["--from-csv", "x", "--goals", "fame"], "--goals: some of conversion"),
        (["--from-csv", "x", "--winsorise", "2"], "--winsorise: a quantile"),
        (["--from-csv", "x", "--detect", "1e-300"], "--detect: a relative lift from 0.0001"),
        (["--from-csv", "x", "--detect", "inf"], "--detect: a relative lift from 0.0001"),
        (["--from-csv", "x", "--tuned-for", "1" + "0" * 400], "--tuned-for: a number of people"),
        (["--plan", "1e-300"], "must both differ from 0"),
        (["y", "--from-csv", "x", "--to", DAY], "--from-csv: reads nothing else; leave out INPUT, --to"),
        (["--plan", "0.08", "--from-csv", "x"], "--plan: reads nothing else; leave out --from-csv"),
    ],
)
def test_misuse_of_lift_is_told_in_one_sentence(words: list[str], sentence: str) -> None:
    code, told, complaint = run(*words)
    assert (code, told) == (2, "")
    assert sentence in complaint and len(complaint.splitlines()) == 1


def test_a_table_without_its_columns_or_that_is_none_is_refused(tmp_path: Path) -> None:
    table = write(tmp_path / "customers.csv", [("a", "holdout")], ("person", "arm"))
    assert "lacks orders, gross, discount, cost" in run("--from-csv", str(table))[2]
    twice = write(tmp_path / "twice.csv", [("a", "holdout", 1, 5, 0, 1, 7)], (*COLUMNS, " Gross"))
    assert "names gross more than once" in run("--from-csv", str(twice))[2]
    table.write_bytes(b"\xff\xfe\x00")
    assert "no CSV in UTF-8" in run("--from-csv", str(table))[2]


def test_a_history_is_held_against_its_decisions(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(
        lines(shop_history(400, held_out_buys=0.2, assisted_buys=0.6)), encoding="utf-8"
    )
    (tmp_path / "shop.yaml").write_text(POLICY_TEXT + "margin_rate: 0.5\n", encoding="utf-8")
    backtest.run(tmp_path / "events.jsonl", POLICY, out=tmp_path / "out")
    words = [
        str(tmp_path / "events.jsonl"),
        "--decisions",
        str(tmp_path / "out"),
        "--policy",
        str(tmp_path / "shop.yaml"),
    ]
    words += ["--from", "2026-03-02T00:00:00Z", "--to", "2026-03-30T00:00:00Z"]
    code, said, _ = run(*words)
    assert code == 0 and said.splitlines()[0].startswith("It paid: ")
    for part in (
        "week by week",
        "Everybody (intention to treat)",
        "an agent wrote first to 0",
        "Split of the assigned",
    ):
        assert part in said
    answer = json.loads(run(*words, "--json")[1])
    assert answer["answer"] == "paid" and answer["rejected"] == {} and answer["currency"] == "USD"
