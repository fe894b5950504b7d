"""The picture of a lift in the terminal: the sentence first, then a table of the metrics with their intervals drawn."""

import io
import re
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backtests.verdicts import WORDS
from console.lift_words import adjusted, always, change, p, per_cent, remarks, span, split_state, value, weeks

SVG_COLUMNS = 150  # the widest table with its longest numbers
BAR_CELLS = 31  # odd, so that zero has a cell of its own in the middle


def picture(told: dict[str, Any]) -> None:
    """Print it."""
    _draw(told, Console(highlight=False))


def svg(told: dict[str, Any]) -> str:
    """The same as one SVG that fetches nothing: the fonts are the reader's own."""
    console = Console(highlight=False, record=True, width=SVG_COLUMNS, file=io.StringIO())
    _draw(told, console)
    return re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="concierge lift"), flags=re.DOTALL)


def _draw(told: dict[str, Any], console: Console) -> None:
    def say(sentence: str) -> None:
        console.print(escape(sentence), soft_wrap=True)

    console.print(f"[bold]{escape(told['sentence'])}[/bold]", soft_wrap=True)
    people = told["people"]
    say(f"{people['assisted']:,} assisted, {people['holdout']:,} held out.")
    if told["metrics"]:
        console.print(_table(told["metrics"]))
        say("# single look, - at any look, | no difference. A lift says how much more than the held-out, in per cent.")
    if freed := adjusted(told):
        say(f"Freed of what people did before (CUPED), so not the difference of the columns: {', '.join(freed)}.")
    for name, audience in told.get("audiences", {}).items():
        say(f"{name}: {audience['sentence']}")
    _weeks(console, told)
    if "intention_to_treat" in told:
        say(_intention(told["intention_to_treat"]))
    for name, split in told["splits"].items():
        say(
            f"Split of the {name}: {split['assisted']:,} to {split['holdout']:,}, p {p(split['p'])}: {split_state(split)}"
        )
    for remark in remarks(told):
        say(remark)


def _weeks(console: Console, told: dict[str, Any]) -> None:
    """Each week's look, as far as there is one."""
    known, primary = weeks(told), told["primary"]
    if not known:
        return
    widest = max(_reach(look["absolute"]) for look in known)
    table = Table(
        "week until", "people", "lift", "95 % at any look", "at zero |", title=f"{WORDS[primary]}, week by week"
    )
    for look in known:
        lift = look["absolute"]
        reach = always(lift["sequence"], lambda number: change(primary, number))
        table.add_row(look["at"][:10], f"{look['people']:,}", change(primary, lift["value"]), reach, bar(lift, widest))
    console.print(table)


def _intention(intended: dict[str, Any]) -> str:
    """Everybody, whether or not a moment ever came: what it did for the shop as a whole."""
    people = intended["people"]
    lifts = [
        f"{WORDS[name]} {per_cent(metric['relative']['value'])} ({span(metric['relative'], per_cent)})"
        for name, metric in intended["metrics"].items()
        if metric["relative"]
    ]
    told = ", ".join(lifts) or "no lift can be told"
    return f"Everybody (intention to treat), {people['assisted']:,} to {people['holdout']:,}: {told}"


def _table(metrics: dict[str, Any]) -> Table:
    table = Table("metric", "held out", "assisted", "lift", "95 %", "p (Holm)", "better by chance of", "at zero |")
    widest = max((_reach(metric["relative"]) for metric in metrics.values() if metric["relative"]), default=1.0)
    for name, metric in metrics.items():
        relative = metric["relative"]
        table.add_row(
            WORDS[name],
            value(name, metric["holdout"]["value"]),
            value(name, metric["assisted"]["value"]),
            per_cent(relative["value"]) if relative else "-",
            span(relative, per_cent) if relative else metric["relative_refused"],
            p(relative["p_holm"]) if relative else "-",
            "-" if metric["chance_to_win"] is None else f"{metric['chance_to_win']:.1%}",
            bar(relative, widest) if relative else "",
        )
    return table


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
