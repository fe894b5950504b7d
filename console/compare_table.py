"""A comparison in the terminal: the one sentence first, then who differs and why, the places taken, the load, the delivery."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from console.compare_words import KINDS, SIDES, WHY, figures, hours, lines, reasons, sentence, tiers

if TYPE_CHECKING:
    from backtests.traces import Story

HEIGHTS = " ▁▂▃▄▅▆▇█"  # of an hour's moments, the busiest hour of either policy as high as it goes


def show(told: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{sentence(told)}[/bold]", soft_wrap=True)
    policies = f"base {told['policies']['base']}, candidate {told['policies']['candidate']}"
    console.print(f"{told['from']} to {told['until']}; {policies}", soft_wrap=True)
    numbers = (Column(name, justify="right") for name in (*SIDES, *KINDS.values()))
    table = Table(Column("audience", no_wrap=True), "tier", *numbers)
    for row in tiers(told):
        counts = [str(row[kind] or "") for kind in KINDS]
        table.add_row(row["audience"], row["tier"], str(row["base"]), str(row["candidate"]), *counts)
    console.print(table)
    _hours(console, told)
    _why(console, told)
    _taken(console, told["taken"])
    _figures(console, told)


def _hours(console: Console, told: dict[str, Any]) -> None:
    together = hours(told)[""]
    most = max(max(counts) for counts in together)
    if not most:
        return
    for side, name in enumerate(SIDES):
        drawn = "".join(HEIGHTS[-(-counts[side] * (len(HEIGHTS) - 1) // most)] for counts in together)
        console.print(f"{name:>9} 0h |{drawn}| 24h", soft_wrap=True)
    console.print(f"Moments by hour of the day ({told['time_zone']}), at most {most:,} in one.", soft_wrap=True)


def _why(console: Console, told: dict[str, Any]) -> None:
    table = Table(
        Column("audience", no_wrap=True), "", Column("moments", justify="right"), "why not under the other policy"
    )
    for reason in reasons(told):
        table.add_row(reason.audience, KINDS[reason.kind], str(reason.moments), WHY[reason.word])
    if table.row_count:
        console.print(table)


def _taken(console: Console, taken: list[dict[str, Any]]) -> None:
    if not taken:
        return
    table = Table("moments of", "gave way to", *SIDES)
    for row in taken:
        table.add_row(row["from"], row["by"], *(str(row[side]) for side in SIDES))
    console.print(table)


def _figures(console: Console, told: dict[str, Any]) -> None:
    table = Table("", *SIDES)
    for words, base, candidate in figures(told):
        table.add_row(words, str(base), str(candidate))
    console.print(table)


def show_stories(person: str, stories: "tuple[Story, Story]") -> None:
    """One line an instant, in order of time, the base's on the left."""
    console = Console(highlight=False)
    table = Table("at", *SIDES, title=escape(person))
    for line in lines(stories):
        table.add_row(line.at, *(escape("\n".join(words)) for words in (line.base, line.candidate)))
    if table.row_count:
        console.print(table)
    else:
        console.print(escape(f"{person}: nothing was decided under either policy"), soft_wrap=True)
