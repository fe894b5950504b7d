"""The page of a lift: it says and draws what the JSON says, fetches nothing, and can be read in light, dark and aloud."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from backtests import backtest
from console.lift_page import page
from console.lift_plot import Bar, Unit, plot
from console.lift_words import change, per_cent
from tests.backtests.shops import POLICY, POLICY_TEXT, lines
from tests.backtests.shops import shop as shop_history
from tests.console.reading import Read, fetched
from tests.console.test_lift import COLUMNS, asked, plain, run, shop, write

TABLES = {"Relative lift", "Absolute lift", "Intention to treat"}


def number(text: str) -> float:
    """Of a cell: per cent and points as fractions."""
    value = float(text.removesuffix("%").removesuffix(" points").replace(",", ""))
    return value / 100 if text.endswith(("%", "points")) else value


def same(cell: str, value: float) -> None:
    places = len(cell.rstrip("% points").partition(".")[2])
    unit = 0.01 if cell.endswith(("%", "points")) else 1
    assert number(cell) == pytest.approx(value, abs=0.51 * unit / 10**places), cell


def same_span(cell: str, interval: dict[str, float]) -> None:
    low, _, high = cell.partition(" .. ")
    same(low, interval["low"])
    same(high, interval["high"])


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What is told of a shop's history, as JSON and as the page that the command writes beside it."""
    folder = tmp_path_factory.mktemp("shop")
    history = shop_history(400, held_out_buys=0.2, assisted_buys=0.6)
    (folder / "events.jsonl").write_text(lines(history), encoding="utf-8")
    (folder / "shop.yaml").write_text(POLICY_TEXT, encoding="utf-8")
    backtest.run(folder / "events.jsonl", POLICY, out=folder / "out")
    words = [str(folder / "events.jsonl"), "--decisions", str(folder / "out"), "--policy", str(folder / "shop.yaml")]
    words += ["--from", "2026-03-02T00:00:00Z", "--to", "2026-03-30T00:00:00Z", "--html", str(folder / "lift.html")]
    _, said, _ = run(*words, "--json")
    return json.loads(said), (folder / "lift.html").read_text(encoding="utf-8")


def test_the_page_of_a_history_says_what_its_json_says(history: tuple[dict[str, Any], str]) -> None:
    told, html = history
    read = Read(html)
    assert html.index(told["sentence"]) < html.index("<svg"), "the sentence comes first"
    assert read.tables.keys() == {*TABLES, "Sample ratio"}
    for name, metrics in (
        ("Relative lift", told["metrics"]),
        ("Intention to treat", told["intention_to_treat"]["metrics"]),
    ):
        assert len(read.tables[name]) == 1 + len(metrics) == 6
        for row, metric in zip(read.tables[name][1:], metrics.values(), strict=True):
            lift = metric["relative"]
            same(row[1], metric["holdout"]["value"])
            same(row[2], metric["assisted"]["value"])
            same(row[3], lift["value"])
            same_span(row[4], lift)
            same_span(row[5], lift["sequence"])
            assert [float(cell.strip("< ")) for cell in row[6:8]] == pytest.approx(
                [lift["p"], lift["p_holm"]], abs=1e-4
            )
            same(row[8], metric["chance_to_win"])
    for row, metric in zip(read.tables["Absolute lift"][1:], told["metrics"].values(), strict=True):
        same(row[1], metric["absolute"]["value"])
        same_span(row[2], metric["absolute"])
        same_span(row[3], metric["absolute"]["sequence"])
    for row, (name, split) in zip(read.tables["Sample ratio"][1:], told["splits"].items(), strict=True):
        assert row[:3] == [name, str(split["assisted"]), str(split["holdout"])] and row[-1] == "as meant"
        same(row[4], split["p"])
    contamination = told["contamination"]
    assert f"Of {contamination['holdout']} held-out people, an agent wrote first to 0 and Customer.io to 0" in html
    assert "Do not trust" not in html and "<progress" not in html


def test_its_pictures_are_drawn_where_the_numbers_are(history: tuple[dict[str, Any], str]) -> None:
    told, html = history
    read = Read(html)
    scales = [
        [
            (float(place.rstrip("%")), number(text))
            for place, text in re.findall(r'<text x="(.*?%)" y="13".*?>(.*?)<', scale)
        ]
        for scale in re.findall(r'<svg class="scale".*?</svg>', html, re.DOTALL)
    ]
    weekly = [look for look in told["looks"] if look["absolute"] is not None]
    drawn = [
        [metric["relative"] for metric in told["metrics"].values()],
        [audience["metrics"][told["primary"]]["relative"] for audience in told["audiences"].values()],
        [look["absolute"] for look in weekly],
    ]
    pictures = list(read.pictures.values())
    assert len(scales) == 3 and len(pictures) == sum(map(len, drawn)) and len(weekly) >= 3
    for scale, estimates in zip(scales, drawn, strict=True):
        (first_place, first), (last_place, last) = scale[0], scale[-1]

        def at(
            value: float, first: float = first, last: float = last, left: float = first_place, right: float = last_place
        ) -> float:
            return left + (value - first) / (last - first) * (right - left)

        for estimate in estimates:
            shapes = {str(attrs["class"]).split()[0]: attrs for _, attrs in pictures.pop(0) if "class" in attrs}
            assert (shapes["always"]["class"] == "always early") == estimate["sequence"]["early"]
            bar = {name: float(str(shapes["once"][name]).rstrip("%")) for name in ("x", "width")}
            line = [float(str(shapes["always"][name]).rstrip("%")) for name in ("x1", "x2")]
            assert float(str(shapes["dot"]["cx"]).rstrip("%")) == pytest.approx(at(estimate["value"]), abs=0.1)
            assert [bar["x"], bar["x"] + bar["width"]] == pytest.approx(
                [at(estimate["low"]), at(estimate["high"])], abs=0.1
            )
            assert line == pytest.approx([at(estimate["sequence"][end]) for end in ("low", "high")], abs=0.1)
            assert float(str(shapes["zero"]["x1"]).rstrip("%")) == pytest.approx(at(0), abs=0.1)


def test_the_page_fetches_nothing_and_needs_no_script(history: tuple[dict[str, Any], str]) -> None:
    _, html = history
    assert fetched(html) == []
    for planted in ("<script>", '<p onclick="x()">', "<img src=x>", "<style>p { background: url(x) }</style>"):
        assert fetched(html.replace("</main>", f"{planted}</main>")) != [], planted
    assert "default-src 'none'" in html


def test_what_others_named_is_shown_and_never_obeyed(history: tuple[dict[str, Any], str]) -> None:
    told = copy.deepcopy(history[0])
    hostile = "\"><script>alert('x')</script>{{ 7 * 7 }}<svg onload=alert(1)>"
    (audience,) = told["audiences"].values()
    told["audiences"] = {hostile: audience}
    told["ignored_columns"] = [hostile]
    html = page(told)
    read = Read(html)
    assert "<script" not in html and not any(name.startswith("on") for _, attrs in read.tags for name in attrs)
    assert "".join(read.texts).count(hostile) == 3, "as a name, in the words of its picture, and among the columns"
    assert html.count("<svg") == history[1].count("<svg")


def test_it_can_be_read_aloud(history: tuple[dict[str, Any], str]) -> None:
    told, html = history
    read = Read(html)
    for tag, attrs in read.tags:
        assert tag != "th" or attrs.get("scope") in ("col", "row")
        assert tag != "svg" or attrs.get("role") == "img" or attrs.get("aria-hidden") == "true" or "scale" in str(attrs)
    names = {attrs["id"] for _, attrs in read.tags if "id" in attrs}
    for tag, attrs in read.tags:
        if tag == "section":
            assert attrs["aria-labelledby"] in names
        if tag == "svg" and attrs.get("role") == "img":
            assert read.pictures
    margin = told["metrics"]["revenue_per_customer"]["relative"]
    (spoken,) = (words for words in read.pictures if words.startswith("revenue per customer: "))
    lift, once, always = re.findall(r"[+-][^;]+", spoken.partition(": ")[2])
    same(lift, margin["value"])
    same_span(once, margin)
    same_span(always, margin["sequence"])


def contrast(first: str, second: str) -> float:
    """Of two colours, as WCAG 2.1 has it."""

    def luminance(colour: str) -> float:
        shares = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_stands_out_in_light_and_in_dark(history: tuple[dict[str, Any], str]) -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    schemes = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{([^}]*)\}", history[1])]
    light, dark = schemes
    assert light.keys() == dark.keys() and light["paper"] != dark["paper"]
    for scheme in schemes:
        for name in ("ink", "soft", "accent", "good", "bad", "warn"):
            assert contrast(scheme[name], scheme["paper"]) >= 4.5, (name, scheme[name])


def test_too_few_people_are_shown_how_far_it_is(tmp_path: Path) -> None:
    table, html = write(tmp_path / "customers.csv", plain(shop(300, lift=0))), tmp_path / "lift.html"
    told = asked(table, "--html", str(html))
    read = Read(html.read_text(encoding="utf-8"))
    (progress,) = (attrs for tag, attrs in read.tags if tag == "progress")
    assert (progress["value"], progress["max"]) == ("300", str(told["plan"]["needed"]))
    weekly = {**told, "plan": {**told["plan"], "needed": 1000, "per_week": 70}}
    assert "300 of 1,000 people, 10 weeks to go" in page(weekly)
    assert read.tables.keys() == {"Relative lift", "Absolute lift"}, (
        "a table tells no split that was meant, and no more people"
    )


def test_an_arm_too_small_for_a_sequence_is_marked(tmp_path: Path) -> None:
    table, html = write(tmp_path / "customers.csv", plain(shop(200, lift=0))), tmp_path / "lift.html"
    told = asked(table, "--html", str(html))
    assert told["people"]["holdout"] < 100 and told["metrics"]["margin"]["absolute"]["sequence"]["early"]
    said = html.read_text(encoding="utf-8")
    assert "dashed: too early, an arm has fewer than 100 people" in said
    assert [row[3] for row in Read(said).tables["Absolute lift"][1:]] == ["too early"] * 5


def test_a_broken_split_is_said_before_any_picture(tmp_path: Path) -> None:
    table, html = write(tmp_path / "customers.csv", plain(shop(2000, lift=0.5))), tmp_path / "lift.html"
    asked(table, "--holdout", "0.1", "--html", str(html))
    said = html.read_text(encoding="utf-8")
    assert said.index("Do not trust the numbers below") < said.index('class="plot"')


def test_only_what_can_be_checked_has_a_section_about_trust(tmp_path: Path) -> None:
    table, html = write(tmp_path / "customers.csv", plain(shop(2000, lift=0.5))), tmp_path / "lift.html"
    for words, heads in (((), 0), (("--holdout", "0.3"), 1)):
        asked(table, "--html", str(html), *words)
        assert html.read_text(encoding="utf-8").count("Can it be trusted?") == heads


def test_what_is_refused_has_its_reason_in_place_of_a_picture(tmp_path: Path) -> None:
    rows: list[tuple[Any, ...]] = [(f"h-{n}", "holdout", 0, 0, 0, 0) for n in range(20)]
    rows += [(f"a-{n}", "assisted", n % 2, n % 2 * 50, 0, n % 2 * 20) for n in range(200)]
    html = tmp_path / "lift.html"
    asked(write(tmp_path / "customers.csv", rows), "--html", str(html))
    read = Read(html.read_text(encoding="utf-8"))
    assert read.pictures == {}
    assert read.tables["Relative lift"][1][3].startswith("the baseline may be zero")
    asked(write(tmp_path / "one.csv", [("a", "assisted", 1, 5, 0, 1)]), "--html", str(html))
    assert "it takes people in both arms" in html.read_text(encoding="utf-8")


def test_what_took_off_noise_is_shown_beside_what_it_was_without(tmp_path: Path) -> None:
    table = write(tmp_path / "customers.csv", shop(1000, lift=0.3), (*COLUMNS, "pre_orders", "pre_gross"))
    told = asked(table, "--html", str(tmp_path / "lift.html"))
    rows = Read((tmp_path / "lift.html").read_text(encoding="utf-8")).tables["Lift without CUPED"]
    for row, name in zip(rows[1:], ("conversion", "revenue_per_customer", "aov", "margin"), strict=True):
        same(row[2], told["metrics"][name]["unadjusted"]["relative"]["value"])


def estimate(low: float, high: float) -> dict[str, Any]:
    return {
        "value": (low + high) / 2,
        "low": low,
        "high": high,
        "sequence": {"low": 2 * low - high, "high": 2 * high - low, "early": False},
    }


def test_one_wild_interval_does_not_hide_the_others_and_one_that_is_nothing_hides_none() -> None:
    unit = Unit(lambda number: f"{number:+.0%}", 100, "%")
    intervals = [(-0.01, 0.01), (-1e-9, 1e-9), (0.02, 0.04), (8, 12), (-9, 9)]
    drawn = plot([Bar("", "", estimate(low, high)) for low, high in intervals], unit)
    assert drawn is not None
    narrow, nothing, clear, wild, wide = drawn.rows
    assert narrow.once[1] - narrow.once[0] > 3 and not narrow.above
    assert nothing.dot == nothing.once[0] == drawn.zero and clear.once[0] > drawn.zero and not clear.above
    assert wild.dot is None and wild.above and not wild.below and "+1000%" in wild.reading
    assert (wide.below, wide.above, wide.dot) == (True, True, drawn.zero)
    assert plot([Bar("a", "", None, "no")], unit) is None


def test_no_number_is_below_zero_when_it_is_nothing() -> None:
    assert (per_cent(-1e-9), change("aov", -1e-9), change("conversion", -1e-9)) == ("+0.0%", "+0.00", "+0.00 points")


def test_a_page_that_cannot_be_written_is_told_so(tmp_path: Path) -> None:
    table = write(tmp_path / "customers.csv", plain(shop(100, lift=0)))
    code, told, complaint = run("--from-csv", str(table), "--html", str(tmp_path / "no" / "lift.html"))
    assert (code, told) == (2, "") and "choose another --html" in complaint
