"""A comparison in the terminal: the one sentence first, then who differs and why, the places taken, the load, the delivery."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backtests.story_words import near
from console.compare_words import KINDS, SIDES, WHY, figures, hours, lines, reasons, sentence, tiers
from console.table import name, number, say, words
from console.table import show as shown

if TYPE_CHECKING:
    from backtests.traces import Story

HEIGHTS = " ▁▂▃▄▅▆▇█"  # of an hour's moments, the busiest hour of either policy as high as it goes


def show(told: dict[str, Any]) -> None:
    console = Console(highlight=False, emoji=False)
    say(console, sentence(told), style="bold")
    policies = f"base {told['policies']['base']}, candidate {told['policies']['candidate']}"
    say(console, f"{told['from']} to {told['until']}; {policies}")
    table = Table(name("audience"), name("tier"), *map(number, (*SIDES, *KINDS.values())))
    for row in tiers(told):
        counts = [str(row[kind] or "") for kind in KINDS]
        table.add_row(row["audience"], row["tier"], str(row["base"]), str(row["candidate"]), *counts)
    shown(console, table)
    _hours(console, told)
    _why(console, told)
    _taken(console, told["taken"])
    _figures(console, told)


def _hours(console: Console, told: dict[str, Any]) -> None:
    together = hours(told)[""]
    most = max(max(counts) for counts in together)
    if not most:
        return
    for side, policy in enumerate(SIDES):
        drawn = "".join(HEIGHTS[-(-counts[side] * (len(HEIGHTS) - 1) // most)] for counts in together)
        console.print(f"{policy:>9} 0h |{drawn}| 24h", soft_wrap=True)
    say(console, f"Moments by hour of the day ({told['time_zone']}), at most {most:,} in one.")


def _why(console: Console, told: dict[str, Any]) -> None:
    table = Table(name("audience"), name(), number("moments"), words("why not under the other policy"))
    for reason in reasons(told):
        table.add_row(reason.audience, KINDS[reason.kind], str(reason.moments), WHY[reason.word])
    if table.row_count:
        shown(console, table)


def _taken(console: Console, taken: list[dict[str, Any]]) -> None:
    if not taken:
        return
    table = Table(name("moments of"), name("gave way to"), *map(number, SIDES))
    for row in taken:
        table.add_row(row["from"], row["by"], *(str(row[side]) for side in SIDES))
    shown(console, table)


def _figures(console: Console, told: dict[str, Any]) -> None:
    table = Table(words(), *map(number, SIDES))
    for figure, base, candidate in figures(told):
        table.add_row(figure, str(base), str(candidate))
    shown(console, table)


def show_stories(person: str, stories: "tuple[Story, Story]") -> None:
    """One line an instant, in order of time, the base's on the left."""
    console = Console(highlight=False, emoji=False)
    table = Table(name("at"), *map(words, SIDES), title=escape(person), show_lines=True)
    day = ""
    for line in lines(stories):
        sides = (escape("\n".join(told)) for told in (line.base, line.candidate))
        table.add_row(near(line.at, day).replace(" ", "\n"), *sides)
        day = line.at[:10]
    if table.row_count:
        shown(console, table)
    else:
        say(console, f"{person}: nothing was decided under either policy")
