"""Tables in a terminal: nothing is cut at any width, and what the commands print fits in 80 columns."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from backtests import backtest
from console.cli import app
from console.table import name, number, say, show, words
from tests.backtests.shops import POLICY, POLICY_TEXT, lines
from tests.backtests.shops import shop as shop_history
from tests.console.test_compare import ROOT, history

CUT = "…"
DAYS = ["--from", "2026-03-02T00:00:00Z", "--to", "2026-03-30T00:00:00Z"]


@pytest.mark.parametrize("width", [*range(12, 80, 9), 80, 200])
def test_no_name_no_number_and_no_word_is_cut_at_any_width(width: int) -> None:
    rows = [
        ("post_purchase_education", "-1,234.50 .. +1,234.50", "its window was not open yet or over"),
        ("", "7", "a_word_as_long_as_a_name"),
    ]
    table = Table(name("audience"), number("lift\nat any look"), words("why"))
    for row in rows:
        table.add_row(*row)
    console = Console(width=width, file=io.StringIO())
    show(console, table)
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert CUT not in told and console.width == width
    for cell in ("audience", "lift", "at any look", *rows[0][:2], *rows[0][2].split(), *rows[1]):
        assert cell in told
    assert max(map(len, told.splitlines())) <= max(width, 23 + 22 + 24 + 2)


def test_a_sentence_wraps_for_a_terminal_and_is_one_line_elsewhere() -> None:
    sentence = "[not markup] nor :100: " + "some words " * 18
    for looked_at, count in ((True, 3), (False, 1)):
        console = Console(width=80, file=io.StringIO(), force_terminal=looked_at, highlight=False)
        say(console, sentence.strip())
        assert isinstance(console.file, io.StringIO)
        told = console.file.getvalue()
        assert len(told.splitlines()) == count and told.split() == sentence.split()


def run(columns: int, *words: str) -> str:
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, words)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def in_tables(told: str) -> list[str]:
    return [line for line in told.splitlines() if "│" in line or "┃" in line]


def values(told: str) -> list[str]:
    """What the cells hold, without frames and bars."""
    return [word for line in in_tables(told) for word in line.replace("│", " ").replace("┃", " ").split()]


def fits(*asked: str) -> str:
    """What is printed at 80 columns, which is all that is printed where there is room."""
    narrow, wide = run(80, *asked), run(250, *asked)
    assert CUT not in narrow and max(map(len, in_tables(narrow))) <= 80
    assert sorted(values(narrow)) == sorted(values(wide))
    return narrow


def test_a_lift_fits_in_80_columns(tmp_path: Path) -> None:
    calls = shop_history(400, held_out_buys=0.2, assisted_buys=0.6)
    (tmp_path / "events.jsonl").write_text(lines(calls), encoding="utf-8")
    (tmp_path / "shop.yaml").write_text(POLICY_TEXT, encoding="utf-8")
    backtest.run(tmp_path / "events.jsonl", POLICY, out=tmp_path / "out")
    asked = ["lift", str(tmp_path / "events.jsonl"), "--decisions", str(tmp_path / "out"), *DAYS]
    asked += ["--policy", str(tmp_path / "shop.yaml")]
    told = fits(*asked)
    metrics = json.loads(run(80, *asked, "--json"))["metrics"]
    for metric in metrics.values():
        lift = metric["relative"]
        for number_of in (lift["value"], lift["low"], lift["high"]):
            assert f"{number_of:+.1%}" in told
        assert f"{metric['chance_to_win']:.1%}" in told and f"{lift['p_holm']:.4f}" in told
    assert "week by week" in told


def test_a_comparison_and_a_sweep_fit_in_80_columns(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(lines(history()), encoding="utf-8")
    rules = (ROOT / "policies" / "skincare.yaml").read_text(encoding="utf-8")
    (tmp_path / "candidate.yaml").write_text(rules.replace("priority: 80", "priority: 95"), encoding="utf-8")
    source = ["compare", str(tmp_path / "events.jsonl")]
    told = fits(*source, "--candidate", str(tmp_path / "candidate.yaml"), "--person", "id:<b>u-3</b>")
    assert "id:<b>u-3</b>" in told and "high_aov_abandoner" in told
    axes = ("cart_value=100..300:200", "high_aov_abandoner.enter_after=1h..2h:1h", "holdout=0.05..0.1:0.05")
    told = fits(*source, *(word for axis in axes for word in ("--sweep", axis)))
    assert len(in_tables(told)) >= 8 and "0.05" in told
