"""Tables as people export them: each gives right numbers, or one sentence with the remedy and exit code 2."""

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backtests import backtest
from backtests.customers import COLUMNS
from tests.backtests.shops import POLICY, POLICY_TEXT, lines
from tests.backtests.shops import shop as shop_history
from tests.console.test_lift import asked, plain, run, shop, write

BEFORE = ("pre_orders", "pre_gross")
ROWS = shop(300, lift=0.4)
HEADER = ",".join((*COLUMNS, *BEFORE))
LIFT_PAGE = Path(__file__).parents[2] / "docs" / "lift.md"


def emptied(
    rows: list[tuple[Any, ...]], column: str, where: Callable[[tuple[Any, ...]], bool]
) -> list[tuple[Any, ...]]:
    place = (*COLUMNS, *BEFORE).index(column)
    return [(*row[:place], "", *row[place + 1 :]) if where(row) else row for row in rows]


def of(path: Path, rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    return asked(write(path / "customers.csv", rows, (*COLUMNS, *BEFORE)[: len(rows[0])]))


def test_an_empty_cell_of_who_ordered_nothing_is_nothing(tmp_path: Path) -> None:
    empty = ROWS
    for column in ("gross", "discount", "cost"):
        empty = emptied(empty, column, lambda row: row[2] == 0)
    assert empty != ROWS and of(tmp_path, empty) == of(tmp_path, ROWS)


def test_an_empty_discount_is_none_where_some_are_told(tmp_path: Path) -> None:
    rows = plain(ROWS)
    some = emptied(rows, "discount", lambda row: row[0] in ("p-1", "p-3"))
    none = [(*row[:4], 0, row[5]) if row[0] in ("p-1", "p-3") else row for row in rows]
    assert of(tmp_path, some) == of(tmp_path, none) != of(tmp_path, rows)
    told = of(tmp_path, emptied(rows, "discount", lambda row: True))
    assert told["refused"].keys() == {"discount_rate"}
    gross = [row[3] for row in rows if row[1] == "holdout"]
    assert told["metrics"]["revenue_per_customer"]["holdout"]["value"] == pytest.approx(np.mean(gross))


@pytest.mark.parametrize(
    ("column", "refused"),
    [
        ("orders", {"conversion", "aov"}),
        ("gross", {"revenue_per_customer", "aov", "discount_rate", "margin"}),
        ("cost", {"margin"}),
    ],
)
def test_one_unknown_cell_refuses_what_needs_it_and_nothing_else(
    column: str, refused: set[str], tmp_path: Path
) -> None:
    rows = plain(ROWS)
    buyer = next(row[0] for row in rows if row[2] > 0)
    told, whole = of(tmp_path, emptied(rows, column, lambda row: row[0] == buyer)), of(tmp_path, rows)
    assert told["refused"].keys() == refused
    for name, metric in told["metrics"].items():
        assert metric["relative"]["value"] == whole["metrics"][name]["relative"]["value"]


def test_lines_and_columns_without_anything_are_no_matter(tmp_path: Path) -> None:
    told = of(tmp_path, ROWS)
    path = tmp_path / "customers.csv"
    text = path.read_text(encoding="utf-8").replace("\n", ",,\r\n") + ",,,,,,,,,\r\n\r\n"
    path.write_text(text, encoding="utf-8", newline="")
    assert asked(path) == told and told["ignored_columns"] == []


def test_a_column_of_the_time_before_that_one_arm_lacks_does_not_pass_for_the_lift(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", emptied(ROWS, "pre_gross", lambda row: row[1] == "holdout"), (*COLUMNS, *BEFORE))
    code, told, complaint = run("--from-csv", str(table))
    assert (code, told) == (2, "") and "pre_gross is empty for one whole arm; write 0" in complaint
    nobody_before = emptied(emptied(ROWS, "pre_gross", lambda row: True), "pre_orders", lambda row: True)
    assert of(tmp_path, nobody_before)["metrics"] == of(tmp_path, plain(ROWS))["metrics"]


def test_who_is_what_they_were_before_leaves_no_lift(tmp_path: Path) -> None:
    names = (*COLUMNS, *(f"pre_{name}" for name in COLUMNS[2:]))
    told = asked(write(tmp_path / "t.csv", [(*row, *row[2:]) for row in plain(ROWS)], names))
    assert told["answer"] == "nobody"
    for name in ("conversion", "revenue_per_customer", "margin"):
        metric = told["metrics"][name]
        assert metric["theta"] == pytest.approx(1) and metric["unadjusted"]["relative"]["value"] > 0
        assert "nobody differs" in metric["absolute_refused"] and "nobody differs" in metric["relative_refused"]


def test_assisted_people_who_all_bought_nothing_have_a_lift_but_none_in_per_cent(tmp_path: Path) -> None:
    rows: list[tuple[Any, ...]] = [(f"h-{n}", "holdout", n % 2, n % 2 * 50, 0, 0) for n in range(200)]
    rows += [(f"a-{n}", "assisted", 0, 0, 0, 0) for n in range(200)]
    told = of(tmp_path, rows)
    assert told["answer"] == "cost"
    assert told["metrics"]["conversion"]["absolute"]["value"] == -0.5
    assert "the same for all of the assisted" in told["metrics"]["conversion"]["relative_refused"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEADER.replace(",", ";"), "has semicolons between its cells; export it with commas, and points"),
        (HEADER.replace(",", "\t"), "has tabs between its cells"),
        (HEADER.replace(",cost", ""), "lacks cost; the first line names"),
        ("", "lacks person, arm"),
        (f'{HEADER}\n"a,holdout,1,5,0,1,0,0', "after line 1: is no CSV (unexpected end of data)"),
        (f"{HEADER}\n{'a' * 200_000},holdout,1,5,0,1,0,0", "is no CSV (field larger than"),
        (f'{HEADER}\na,holdout,1,"12,50",0,1,0,0', "line 2: gross is no number; write one such as 12.50"),
        (f"{HEADER}\na,holdout,1,inf,0,1,0,0", "line 2: gross is no number"),
        (f"{HEADER}\na,holdout,1,5,0,1,-1,0", "line 2: pre_orders is below 0"),
        (f"{HEADER}\na,,1,5,0,1,0,0", "line 2: arm is none of holdout, control, assisted, treatment"),
        (f"{HEADER}\na,A,1,5,0,1,0,0", "line 2: arm is none of holdout"),
    ],
)
def test_what_is_no_table_of_customers_is_refused_with_the_remedy(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    code, told, complaint = run("--from-csv", str(tmp_path / "t.csv"), "--json")
    assert (code, told) == (2, "")
    assert sentence in complaint and len(complaint.splitlines()) == 1


def odd_table(seed: int) -> tuple[list[tuple[Any, ...]], tuple[str, ...]]:
    """Few people or many, columns that are constant, empty, huge, tiny, below zero or a copy of another."""
    chance = np.random.default_rng(seed)
    names = [*COLUMNS[2:], *(f"pre_{name}" for name in COLUMNS[2:] if chance.random() < 0.5)]
    people = int(chance.choice([0, 1, 2, 3, 5, 10, 250]))
    columns: dict[str, list[Any]] = {}
    for name in names:
        kind = chance.integers(6)
        scale = 10.0 ** chance.integers(-12, 15)
        values = {
            0: np.zeros(people),
            1: np.full(people, 10 * scale / 1e3),
            2: chance.normal(0, scale, people),
            3: chance.gamma(2, 20, people) * (chance.random(people) < 0.3),
            4: np.array(columns.get(name.removeprefix("pre_"), [7.1] * people), dtype=float),
            5: chance.integers(0, 3, people).astype(float),
        }[int(kind)]
        columns[name] = [int(abs(one) % 50) if name.endswith("orders") else one for one in values.tolist()]
    arms = ["holdout" if chance.random() < 0.4 else "assisted" for _ in range(people)]
    return list(zip([f"p-{n}" for n in range(people)], arms, *columns.values(), strict=True)), ("person", "arm", *names)


def test_odd_tables_are_answered_with_finite_numbers_or_a_reason(tmp_path: Path) -> None:
    told_of, refused = 0, 0
    for seed in range(150):
        words = ["--winsorise", "0.9"] if seed % 3 == 0 else []
        told = asked(write(tmp_path / "t.csv", *odd_table(seed)), *words)
        for metric in told["metrics"].values():
            for kind in ("absolute", "relative"):
                if metric[kind] is None:
                    refused += bool(metric[f"{kind}_refused"])
                    continue
                told_of += 1
                figures = [metric[kind][name] for name in ("low", "value", "high")]
                assert all(map(math.isfinite, figures)) and figures == sorted(figures), f"seed {seed}"
                assert metric[kind]["se"] > 0 and 0 <= metric[kind]["p"] <= metric[kind]["p_holm"] <= 1, f"seed {seed}"
    assert told_of > 200 and refused > 200, "the tables were too much alike"


def keys(told: Any, above: str = "") -> Iterator[str]:
    """Of a JSON; those that are names of metrics, audiences or reasons are left out."""
    if isinstance(told, list):
        for one in told:
            yield from keys(one)
    elif isinstance(told, dict):
        for name, value in told.items():
            if above not in ("metrics", "audiences", "refused", "left_out", "rejected"):
                yield name
            yield from keys(value, name)


def test_every_key_of_the_json_is_documented(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(
        lines(shop_history(40, held_out_buys=0.2, assisted_buys=0.6)), encoding="utf-8"
    )
    (tmp_path / "shop.yaml").write_text(POLICY_TEXT, encoding="utf-8")
    backtest.run(tmp_path / "events.jsonl", POLICY, out=tmp_path / "out")
    words = [str(tmp_path / "events.jsonl"), "--decisions", str(tmp_path / "out"), "--policy"]
    words += [str(tmp_path / "shop.yaml"), "--from", "2026-03-02T00:00:00Z", "--to", "2026-03-30T00:00:00Z", "--json"]
    two = [(arm, arm, 1, 5, 0, 1) for arm in ("holdout", "assisted")]
    told = [json.loads(run(*words)[1]), of(tmp_path, ROWS), of(tmp_path, two)]
    documented = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]*)`", LIFT_PAGE.read_text(encoding="utf-8")))))
    found = set(keys(told))
    assert {"unadjusted", "absolute_refused", "looks", "ignored_columns"} <= found and found - documented == set()
