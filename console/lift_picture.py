"""The picture of a lift in the terminal: the sentence first, then a table of the metrics with their intervals drawn."""

import io
import re
from typing import Any

from rich.console import Console
from rich.table import Table

from backtests.verdicts import WORDS

SVG_COLUMNS = 150  # the widest table with its longest numbers
BAR_CELLS = 31  # odd, so that zero has a cell of its own in the middle
WEEKS_SHOWN = 16  # a screen of them; all are in the JSON
SHARES = ("conversion", "discount_rate")


def picture(told: dict[str, Any]) -> None:
    """Print it."""
    _draw(told, Console(highlight=False))


def svg(told: dict[str, Any]) -> str:
    """The same as one SVG that fetches nothing: the fonts are the reader's own."""
    console = Console(highlight=False, record=True, width=SVG_COLUMNS, file=io.StringIO())
    _draw(told, console)
    return re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="concierge lift"), flags=re.DOTALL)


def _draw(told: dict[str, Any], console: Console) -> None:
    console.print(f"[bold]{told['sentence']}[/bold]", soft_wrap=True)
    people = told["people"]
    console.print(f"{people['assisted']:,} assisted, {people['holdout']:,} held out.", soft_wrap=True)
    if told["metrics"]:
        console.print(_table(told["metrics"]))
        console.print(
            "[dim]# single look, - at any look, | no difference. A lift says how much more than the held-out, in per cent."
            "[/dim]",
            soft_wrap=True,
        )
    adjusted = [WORDS[name] for name, metric in told["metrics"].items() if metric["theta"]]
    if adjusted:
        names = ", ".join(adjusted)
        console.print(
            f"Freed of what people did before (CUPED), so not the difference of the columns: {names}.", soft_wrap=True
        )
    for name, audience in told.get("audiences", {}).items():
        console.print(f"{name}: {audience['sentence']}", soft_wrap=True)
    if told.get("looks"):
        _weeks(console, told["looks"], told["primary"])
    if "intention_to_treat" in told:
        _intention(console, told["intention_to_treat"])
        _written_to(console, told["contamination"])
    for name, split in told["splits"].items():
        state = "ALARM: not the split that was meant" if split["alarm"] else "as meant"
        console.print(
            f"Split of the {name}: {split['assisted']:,} to {split['holdout']:,}, p {split['p']:.4f}: {state}",
            soft_wrap=True,
        )
    for name, why in told["refused"].items():
        console.print(f"No {WORDS[name]}: {why}.", soft_wrap=True)
    for reason, count in told["left_out"].items():
        if count:
            console.print(f"Left out: {count:,} people ({reason.replace('_', ' ')})", soft_wrap=True)


def _weeks(console: Console, looks: list[dict[str, Any]], primary: str) -> None:
    """Each week's look, as far as there is one; the newest WEEKS_SHOWN."""
    known = [look for look in looks if look["absolute"] is not None][-WEEKS_SHOWN:]
    if not known:
        return
    widest = max(_reach(look["absolute"]) for look in known)
    table = Table(
        "week until", "people", "lift", "95 % at any look", "at zero |", title=f"{WORDS[primary]}, week by week"
    )
    for look in known:
        lift, sequence = look["absolute"], look["absolute"]["sequence"]
        span = f"{_value(primary, sequence['low'])} .. {_value(primary, sequence['high'])}"
        table.add_row(look["at"][:10], f"{look['people']:,}", _value(primary, lift["value"]), span, bar(lift, widest))
    console.print(table)


def _intention(console: Console, intended: dict[str, Any]) -> None:
    """Everybody, whether or not a moment ever came: what it did for the shop as a whole."""
    people = intended["people"]
    lifts = []
    for name, metric in intended["metrics"].items():
        if metric["relative"]:
            value, low, high = (f"{metric['relative'][part]:+.1%}" for part in ("value", "low", "high"))
            lifts.append(f"{WORDS[name]} {value} ({low} .. {high})")
    told = ", ".join(lifts) or "no lift can be told"
    console.print(
        f"Everybody (intention to treat), {people['assisted']:,} to {people['holdout']:,}: {told}", soft_wrap=True
    )


def _written_to(console: Console, contamination: dict[str, int]) -> None:
    console.print(
        f"Of {contamination['holdout']:,} held-out people, an agent wrote first to {contamination['agent_wrote_first']:,} "
        f"and Customer.io to {contamination['message_sent']:,} within their window.",
        soft_wrap=True,
    )


def _table(metrics: dict[str, Any]) -> Table:
    table = Table("metric", "held out", "assisted", "lift", "95 %", "p (Holm)", "better by chance of", "at zero |")
    widest = max((_reach(metric["relative"]) for metric in metrics.values() if metric["relative"]), default=1.0)
    for name, metric in metrics.items():
        relative = metric["relative"]
        table.add_row(
            WORDS[name],
            _value(name, metric["holdout"]["value"]),
            _value(name, metric["assisted"]["value"]),
            f"{relative['value']:+.1%}" if relative else "-",
            f"{relative['low']:+.1%} .. {relative['high']:+.1%}" if relative else metric["relative_refused"],
            "-" if not relative or relative["p_holm"] is None else f"{relative['p_holm']:.4f}",
            "-" if metric["chance_to_win"] is None else f"{metric['chance_to_win']:.1%}",
            bar(relative, widest) if relative else "",
        )
    return table


def bar(estimate: dict[str, Any], widest: float) -> str:
    """The interval of a single look as `#` within that of any look as `-`; `|` stands at zero. widest: at either end."""
    middle = BAR_CELLS // 2

    def cell(value: float) -> int:
        return max(0, min(BAR_CELLS - 1, round(middle + value / widest * middle)))

    cells = [" "] * BAR_CELLS
    for mark, span in (("-", estimate["sequence"]), ("#", estimate)):
        for index in range(cell(span["low"]), cell(span["high"]) + 1):
            cells[index] = mark
    cells[middle] = "|"
    return "".join(cells)


def _reach(estimate: dict[str, Any]) -> float:
    low, high = estimate["sequence"]["low"], estimate["sequence"]["high"]
    return float(max(abs(low), abs(high)))


def _value(name: str, value: float) -> str:
    return f"{value:.2%}" if name in SHARES else f"{value:,.2f}"
