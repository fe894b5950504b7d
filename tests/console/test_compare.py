"""`concierge compare`: terminal, JSON and page say the same of two policies, and lay a person's two stories side by side."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from console.cli import app
from contracts.instant import DAY_MS, HOUR_MS, MINUTE_MS
from tests.backtests.shops import START_MS, call, cart, lines, order, track
from tests.console.reading import Read, fetched

ROOT = Path(__file__).resolve().parents[2]


def history() -> list[dict[str, Any]]:
    """Carts of two sizes; some look at shipping as well, some buy, one has an angry name."""
    calls = []
    for number in range(40):
        user = f"<b>u-{number}</b>"
        at_ms = START_MS + number * HOUR_MS
        calls.append(cart(at_ms, user))
        if number % 2:
            small = f"small-{number}"
            calls.append(track(at_ms, small, "Product Added", product_id="x", price=120, quantity=1))
            late_ms = (
                at_ms + 110 * MINUTE_MS
            )  # their moment of shipping comes after the one that a lower threshold gives
            item = {"product_id": "x", "price": 120, "quantity": 1}
            calls.append(track(at_ms + 1000, small, "Checkout Started", products=[item]))
            calls.append(call("page", late_ms, small, properties={"path": "/pages/shipping"}))
        if number % 3 == 0:
            calls.append(
                track(at_ms + 1000, user, "Checkout Started", products=[{"product_id": "serum", "price": 200}])
            )
            calls.append(call("page", at_ms + 2000, user, properties={"path": "/pages/shipping"}))
        if number % 5 == 0:
            calls.append(order(at_ms + 4 * HOUR_MS, user, 200))
    calls.append(track(START_MS + 4 * DAY_MS, "u-last", "Product Viewed", product_id="serum"))
    return sorted(calls, key=lambda told: str(told["timestamp"]))


def run(*words: str) -> str:
    result = CliRunner(env={"COLUMNS": "250"}).invoke(app, ["compare", *words])
    if result.exception is not None:
        raise result.exception
    return result.stdout


ME = "id:<b>u-1</b>"  # whose story is the same under both


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], str]:
    """The terminal, the JSON and the page."""
    folder = tmp_path_factory.mktemp("compared")
    (folder / "events.jsonl").write_text(lines(history()), encoding="utf-8")
    rules = (ROOT / "policies" / "skincare.yaml").read_text(encoding="utf-8")
    changed = rules.replace("above: 150", "above: 100").replace("at_most: 120", "at_most: 80")
    changed = changed.replace("priority: 80", "priority: 95")
    assert changed.count("above: 100") == changed.count("priority: 95") == 1
    (folder / "candidate.yaml").write_text(changed, encoding="utf-8")
    words = [str(folder / "events.jsonl"), "--candidate", str(folder / "candidate.yaml"), "--person", ME]
    terminal = run(*words, "--html", str(folder / "page.html"))
    told = json.loads(run(*words, "--json"))
    return terminal, told, (folder / "page.html").read_text(encoding="utf-8")


def rows_of(terminal: str) -> list[list[str]]:
    return [[cell.strip() for cell in line[1:-1].split("│")] for line in terminal.splitlines() if line.startswith("│")]


def test_terminal_and_page_say_the_numbers_of_the_json(said: tuple[str, dict[str, Any], str]) -> None:
    terminal, told, html = said
    read, rows = Read(html), rows_of(terminal)
    tiers: dict[tuple[str, str], list[int]] = {}
    names = ("base", "candidate", "only_candidate", "only_base", "earlier", "later")
    for cell in told["cells"]:
        counts = tiers.setdefault((cell["audience"], cell["tier"]), [0] * len(names))
        tiers[cell["audience"], cell["tier"]] = [
            old + cell[name] for old, name in zip(counts, names, strict=True)
        ]  # fmt: skip
    assert len(tiers) > 1
    shown = [
        [*key, *map(str, counts[:2]), *(str(count or "") for count in counts[2:])] for key, counts in tiers.items()
    ]
    assert read.tables["Audiences"][1:] == shown
    for row in shown:
        gone_first = [*row[:4], row[5], row[4], *row[6:]]  # the terminal's columns
        assert gone_first in rows
    for part, name, words in (
        ("load", "per_hour_p95", "an hour, in the busiest of twenty (p95)"),
        ("delivery", "calls", "calls to Intercom"),
        ("delivery", "minutes_at_limit", "minutes at the rate limit"),
    ):
        row = [words, *(str(told[part][side][name]) for side in ("base", "candidate"))]
        assert row in read.tables["Agents and Intercom"] and row in rows


def test_why_and_who_took_whose_place_stand_in_all_three(said: tuple[str, dict[str, Any], str]) -> None:
    terminal, told, html = said
    read, rows = Read(html), rows_of(terminal)
    why = {word for audience in told["audiences"].values() for words in audience["why"].values() for word in words}
    assert {"threshold", "cap"} <= why
    table = read.tables["What changes, and why"]
    counts = [count for one in told["audiences"].values() for words in one["why"].values() for count in words.values()]
    assert sorted(int(row[2]) for row in table[1:]) == sorted(counts)
    assert all([row[0], row[1], row[2], row[4]] in rows for row in table[1:])
    assert len(told["taken"]) > 1
    head, *matrix = read.tables["Who gave way to whom"]
    cells = {(row[0], thief): cell for row in matrix for thief, cell in zip(head[1:], row[1:], strict=True) if cell}
    assert cells == {(row["from"], row["by"]): f"{row['base']} → {row['candidate']}" for row in told["taken"]}
    for row in told["taken"]:
        assert [row["from"], row["by"], str(row["base"]), str(row["candidate"])] in rows


def test_the_hours_are_told_for_all_and_for_each_audience(said: tuple[str, dict[str, Any], str]) -> None:
    terminal, told, html = said
    audiences = list(dict.fromkeys(cell["audience"] for cell in told["cells"]))
    for name in audiences:
        assert f"<summary>{name} alone</summary>" in html
    assert html.count('class="clock"') == 1 + len(audiences)
    for hour in range(24):
        base, candidate = (
            sum(cell[side] for cell in told["cells"] if cell["hour"] == hour) for side in ("base", "candidate")
        )
        assert f"<title>{hour:02}:00 - base {base}, candidate {candidate}</title>" in html
    bars = [line for line in terminal.splitlines() if "0h |" in line]
    for line, side in zip(bars, ("base", "candidate"), strict=True):
        drawn = line.partition("|")[2].rpartition("|")[0]
        quiet = {hour for hour in range(24) if not sum(cell[side] for cell in told["cells"] if cell["hour"] == hour)}
        assert len(drawn) == 24 and {hour for hour, bar in enumerate(drawn) if bar == " "} == quiet


def test_a_person_s_two_stories_stand_in_all_three(said: tuple[str, dict[str, Any], str]) -> None:
    terminal, told, html = said
    assert told["person"]["person"] == ME
    stories = {side: [(one["at"], one["outcome"]) for one in told["person"][side]] for side in ("base", "candidate")}
    assert stories["base"] == stories["candidate"] != []
    table = Read(html).tables[f"Both stories of {ME}"]
    assert len(table) == 1 + len(stories["base"])
    for row, (at, outcome) in zip(table[1:], stories["base"], strict=True):
        assert row[0] == at[:16].replace("T", " ") and f" {outcome} (" in row[1] and f" {outcome} (" in row[2]
        assert at[11:19] in terminal
    assert html.index(f"Both stories of {ME}".replace("<", "&lt;").replace(">", "&gt;")) < html.index("small-")


def test_its_page_fetches_nothing_and_obeys_nobody(said: tuple[str, dict[str, Any], str]) -> None:
    html = said[2]
    assert fetched(html) == [] and "<b>u-" not in html and "&lt;b&gt;u-" in html
    for tag, attrs in Read(html).tags:
        assert tag != "th" or attrs.get("scope") in ("col", "row")
        assert tag != "svg" or attrs.get("role") == "img" or attrs.get("aria-hidden") == "true"
