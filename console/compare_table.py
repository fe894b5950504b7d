"""A comparison in the terminal: the one sentence first, then who differs and why, the places taken, the load, the delivery."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:
    from backtests.traces import Story

KINDS = {"only_base": "gone", "only_candidate": "new", "earlier": "earlier", "later": "later"}
WHY = {
    "audience": "there is no such audience",
    "anchor": "nothing to count from",
    "window": "its window was not open yet or over",
    "threshold": "the conditions did not hold",
    "exit": "the exit held already",
    "stop": "a stop held",
    "cap": "the cap was reached",
    "priority": "a higher moment had the place",
    "pressure": "Customer.io had just written",
    "hours": "nobody was there",
    "data": "the data was not to be trusted",
    "spent": "it had begun before",
    "unknown": "unknown",
}


def sentence(told: dict[str, Any]) -> str:
    """For the marketer: how many more or fewer, how many of them change at all, and mostly why."""
    entrants = told["entrants"]
    base, candidate = entrants["base"], entrants["candidate"]
    changed = sum(entrants[kind] for kind in KINDS)
    if not changed:
        return f"Nothing changes: the same {base:,} moments begin at the same instants."
    share = f" ({(candidate - base) / base:+.0%})" if base else ""
    reasons = reasons_of(told)
    word, count = reasons.most_common(1)[0]
    names = ("only_candidate", "only_base", "earlier", "later")
    parts = ", ".join(f"{entrants[kind]:,} {KINDS[kind]}" for kind in names if entrants[kind])
    of = f"all {count:,}" if count == changed else f"{count:,} of {changed:,}"
    return f"{candidate:,} moments instead of {base:,}{share}: {parts}; for {of}, {WHY[word]} under the other policy."


def reasons_of(told: dict[str, Any]) -> Counter[str]:
    """Over all audiences and kinds."""
    found: Counter[str] = Counter()
    for audience in told["audiences"].values():
        for words in audience["why"].values():
            found.update(words)
    return found


def show(told: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{sentence(told)}[/bold]", soft_wrap=True)
    policies = f"base {told['policies']['base']}, candidate {told['policies']['candidate']}"
    console.print(f"{told['from']} to {told['until']}; {policies}", soft_wrap=True)
    numbers = ("base", "candidate", *KINDS.values())
    table = Table(Column("audience", no_wrap=True), *(Column(name, justify="right") for name in numbers))
    for name, audience in told["audiences"].items():
        if audience["base"] or audience["candidate"]:
            counts = [str(audience[kind] or "") for kind in KINDS]
            table.add_row(name, str(audience["base"]), str(audience["candidate"]), *counts)
    console.print(table)
    _why(console, told)
    _taken(console, told["taken"])
    _figures(console, told)


def _why(console: Console, told: dict[str, Any]) -> None:
    table = Table(
        Column("audience", no_wrap=True), "", Column("moments", justify="right"), "why not under the other policy"
    )
    for name, audience in told["audiences"].items():
        for kind, words in audience["why"].items():
            for word, count in words.items():
                table.add_row(name, KINDS[kind], str(count), WHY[word])
    if table.row_count:
        console.print(table)


def _taken(console: Console, taken: list[dict[str, Any]]) -> None:
    if not taken:
        return
    table = Table("moments of", "gave way to", "base", "candidate")
    for row in taken:
        table.add_row(row["from"], row["by"], str(row["base"]), str(row["candidate"]))
    console.print(table)


def _figures(console: Console, told: dict[str, Any]) -> None:
    table = Table("", "base", "candidate")
    rows = {
        "begun for agents": ("load", "activations"),
        "an hour, on average": ("load", "per_hour_mean"),
        "an hour, p95": ("load", "per_hour_p95"),
        "an hour, at most": ("load", "per_hour_max"),
        "contacts created": ("delivery", "creates"),
        "contacts updated": ("delivery", "updates"),
        "nothing to write": ("delivery", "no_ops"),
        "overtaken while settling": ("delivery", "overtaken"),
        "calls to Intercom": ("delivery", "calls"),
        "minutes at the rate limit": ("delivery", "minutes_at_limit"),
    }
    for words, (part, name) in rows.items():
        table.add_row(words, *(str(told[part][side][name]) for side in ("base", "candidate")))
    console.print(table)


def show_stories(person: str, stories: "tuple[Story, Story]") -> None:
    """One line a decision, in order of time, the base's on the left."""
    console = Console(highlight=False)
    table = Table("at", "base", "candidate", title=person)
    lines = [
        (one.at, side, f"{one.audience}: {one.outcome} ({one.reason})") for side in (0, 1) for one in stories[side]
    ]
    for at in sorted({at for at, _, _ in lines}):
        cells = ["\n".join(text for when, side, text in lines if (when, side) == (at, number)) for number in (0, 1)]
        table.add_row(at, *cells)
    console.print(table if lines else f"{person}: nothing was decided under either policy")
