"""The picture of a lift in the terminal: the sentence first, then the metrics of both arms, then their lifts, drawn."""

import io
import re
from typing import Any

from rich.console import Console
from rich.table import Table

from backtests.verdicts import WORDS
from console.lift_words import (
    SHARES,
    UNIT,
    adjusted,
    always,
    change,
    p,
    per_cent,
    remarks,
    span,
    split_state,
    value,
    weeks,
)
from console.table import name, number, say, show, words

SVG_COLUMNS = 100
BAR_CELLS = 21  # odd, so that zero has a cell of its own in the middle
ZERO = "at zero |".rjust(BAR_CELLS // 2 + 1)


def picture(told: dict[str, Any]) -> None:
    """Print it."""
    _draw(told, Console(highlight=False))


def svg(told: dict[str, Any]) -> str:
    """The same as one SVG that fetches nothing: the fonts are the reader's own."""
    console = Console(highlight=False, record=True, width=SVG_COLUMNS, file=io.StringIO(), force_terminal=True)
    _draw(told, console)
    return re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="concierge lift"), flags=re.DOTALL)


def _draw(told: dict[str, Any], console: Console) -> None:
    say(console, told["sentence"], style="bold")
    people = told["people"]
    say(console, f"{people['assisted']:,} assisted, {people['holdout']:,} held out.")
    if told["metrics"]:
        show(console, _arms(told["metrics"]))
        _lifts(console, told["metrics"])
    if freed := adjusted(told):
        say(
            console,
            f"Freed of what people did before (CUPED), so not the difference of the columns: {', '.join(freed)}.",
        )
    for audience, answer in told.get("audiences", {}).items():
        say(console, f"{audience}: {answer['sentence']}")
    _weeks(console, told)
    if "intention_to_treat" in told:
        say(console, _intention(told["intention_to_treat"]))
    for people_of, split in told["splits"].items():
        counts = f"{split['assisted']:,} to {split['holdout']:,}"
        say(console, f"Split of the {people_of}: {counts}, p {p(split['p'])}: {split_state(split)}")
    for remark in remarks(told):
        say(console, remark)


def _arms(metrics: dict[str, Any]) -> Table:
    table = Table(
        words("metric"), number("held out"), number("assisted"), number("better by\nchance of"), number("p (Holm)")
    )
    for metric, told in metrics.items():
        chance, relative = told["chance_to_win"], told["relative"]
        table.add_row(
            WORDS[metric],
            value(metric, told["holdout"]["value"]),
            value(metric, told["assisted"]["value"]),
            "-" if chance is None else f"{chance:.1%}",
            p(relative["p_holm"]) if relative else "-",
        )
    return table


def _lifts(console: Console, metrics: dict[str, Any]) -> None:
    """How much more than the held-out; where nothing can be said in per cent, why."""
    known = {metric: told["relative"] for metric, told in metrics.items() if told["relative"]}
    if known:
        widest = max(map(_reach, known.values()))
        table = Table(words("metric"), number("lift"), number("95 %"), name(ZERO))
        for metric, lift in known.items():
            table.add_row(WORDS[metric], per_cent(lift["value"]), span(lift, per_cent), bar(lift, widest))
        show(console, table)
        say(console, "# single look, - at any look, | no difference.")
    refused: dict[str, list[str]] = {}
    for metric, told in metrics.items():
        if metric not in known:
            refused.setdefault(told["relative_refused"], []).append(WORDS[metric])
    for why, of in refused.items():
        say(console, f"No lift in per cent of {', '.join(of)}: {why}.")


def _weeks(console: Console, told: dict[str, Any]) -> None:
    """Each week's look, as far as there is one."""
    known, primary = weeks(told), told["primary"]
    if not known:
        return
    widest = max(_reach(look["absolute"]) for look in known)

    def said(number: float) -> str:
        return change(primary, number).removesuffix(UNIT)

    unit = UNIT if primary in SHARES else ""
    table = Table(
        name("week until"),
        number("people"),
        number(f"lift{unit}"),
        number("95 % at any look"),
        name(ZERO),
        title=f"{WORDS[primary]}, week by week",
    )
    for look in known:
        lift = look["absolute"]
        reach = always(lift["sequence"], said)
        table.add_row(look["at"][:10], f"{look['people']:,}", said(lift["value"]), reach, bar(lift, widest))
    show(console, table)


def _intention(intended: dict[str, Any]) -> str:
    """Everybody, whether or not a moment ever came: what it did for the shop as a whole."""
    people = intended["people"]
    lifts = [
        f"{WORDS[metric]} {per_cent(told['relative']['value'])} ({span(told['relative'], per_cent)})"
        for metric, told in intended["metrics"].items()
        if told["relative"]
    ]
    told = ", ".join(lifts) or "no lift can be told"
    return f"Everybody (intention to treat), {people['assisted']:,} to {people['holdout']:,}: {told}"


def bar(estimate: dict[str, Any], widest: float) -> str:
    """The interval of a single look as `#` within that of any look as `-`; `|` stands at zero. widest: at either end."""
    middle = BAR_CELLS // 2

    def cell(place: float) -> int:
        return max(0, min(BAR_CELLS - 1, round(middle + place / widest * middle)))

    cells = [" "] * BAR_CELLS
    for mark, interval in (("-", estimate["sequence"]), ("#", estimate)):
        for index in range(cell(interval["low"]), cell(interval["high"]) + 1):
            cells[index] = mark
    cells[middle] = "|"
    return "".join(cells)


def _reach(estimate: dict[str, Any]) -> float:
    low, high = estimate["sequence"]["low"], estimate["sequence"]["high"]
    return float(max(abs(low), abs(high)))
