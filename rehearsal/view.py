"""The demo's live picture, for a terminal of 100 columns: who is in a moment and why, what was set and cleared, what came last.

A snapshot of the evidence in, something that rich can print out.
"""

import time
from collections import Counter, deque
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from contracts.decisions import Decision
from contracts.instant import DAY_MS, EPOCH, from_rfc3339
from rehearsal.demo_checks import Check, purchases_on_episodes
from rehearsal.demo_evidence import Evidence

COLUMNS = 100
HEIGHT = 34  # lines of the whole view, where the terminal has them
_FRAME_LINES = 10  # what is neither a moment nor a decision
_DECISIONS_MIN, _DECISIONS_MAX = 3, 8
RATE_LOOKS = 12  # about three seconds of frames
_COLOURS = {"activated": "green", "withdrawn": "cyan", "withheld": "yellow"}
_MARKS = {"activated": "+ set", "withdrawn": "- cleared", "withheld": ". withheld"}


class Rate:
    """Messages a second on the wall, over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=RATE_LOOKS)

    def now(self, evidence: Evidence) -> float:
        self._seen.append((time.monotonic(), sum(evidence.acknowledged.values())))
        (first_at, first), (last_at, last) = self._seen[0], self._seen[-1]
        return (last - first) / (last_at - first_at) if last_at > first_at else 0.0


def picture(
    evidence: Evidence, *, now_ms: int, start_ms: int, end_ms: int, rate: float, height: int = HEIGHT
) -> RenderableType:
    """The whole view at a simulated instant, in at most `height` lines; rate: messages a second on the wall."""
    left = max(_DECISIONS_MIN + 2, min(height, HEIGHT) - _FRAME_LINES)
    decisions_max = min(_DECISIONS_MAX, max(_DECISIONS_MIN, left // 3))
    decisions_max += (left - decisions_max) % 2
    return Group(
        _head(now_ms, start_ms, end_ms, evidence.clock.speed),
        _numbers(evidence, rate),
        _moments(evidence, now_ms, (left - decisions_max) // 2),
        _last(evidence, decisions_max),
    )


def line(evidence: Evidence, *, now_ms: int, rate: float) -> str:
    """One line for a log: the same numbers without the tables."""
    counts = _counts(evidence)
    return (
        f"{_clock(now_ms)}  {counts['messages']} messages ({rate:.0f}/s), {counts['people known']} people, "
        f"{counts['in a moment']} in a moment; flags: {counts['flags set']} set, {counts['cleared']} cleared, "
        f"{counts['by purchase']} by purchase"
    )


def verdict(checks: list[Check], lines_max: int) -> RenderableType:
    """The summary: each check with its numbers, and where it differs."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=4)
    table.add_column(min_width=38)
    table.add_column(ratio=1)
    for check in checks:
        mark = Text("ok", "bold green") if check.held else Text("FAIL", "bold red")
        table.add_row(mark, check.name, Text(check.said, "dim" if check.held else "red"))
        for differing in check.lines[:lines_max]:
            table.add_row("", "", Text(differing, "red"))
        if len(check.lines) > lines_max:
            table.add_row("", "", Text(f"and {len(check.lines) - lines_max} more", "red"))
    held = all(check.held for check in checks)
    title = "checked: all of it holds" if held else "checked: it does not hold"
    return Panel(table, title=title, border_style="green" if held else "red", width=COLUMNS, padding=(1, 1))


def _head(now_ms: int, start_ms: int, end_ms: int, speed: float) -> RenderableType:
    share = min(1.0, max(0.0, (now_ms - start_ms) / (end_ms - start_ms)))
    grid = Table.grid(expand=False, padding=(0, 2))
    bar = ProgressBar(total=1.0, completed=share, width=42, complete_style="cyan", finished_style="cyan")
    grid.add_row(
        Text("Concierge", "bold"), Text(_clock(now_ms), "bold cyan"), bar,
        Text(f"a day in a minute (x{speed:g})" if now_ms > start_ms else "the shop opens in a moment", "dim"),
    )  # fmt: skip
    return Padding(grid, (1, 1, 0, 1))


def _counts(evidence: Evidence) -> dict[str, str]:
    outcomes = Counter(decision.outcome for decision in evidence.decisions)
    bought = purchases_on_episodes(evidence)
    overtook = sum(one.by_purchase and not _was_shown(evidence, one.episode.activated) for one in bought)
    return {
        "people known": f"{len(evidence.people):,}",
        "messages": f"{sum(evidence.acknowledged.values()):,}",
        "in a moment": f"{len(evidence.in_a_moment())}",
        "flags set": f"{outcomes['activated']}",
        "cleared": f"{outcomes['withdrawn']}",
        "by purchase": f"{len(bought)}",
        "overtaken": f"{overtook}",
    }


def _numbers(evidence: Evidence, rate: float) -> RenderableType:
    grid = Table.grid(expand=True)
    values, names = [], []
    for name, value in {**_counts(evidence), "messages/s": f"{rate:.0f}"}.items():
        grid.add_column(justify="center")
        values.append(Text(value, "bold"))
        names.append(Text(name, "dim"))
    grid.add_row(*values)
    grid.add_row(*names)
    return Panel(grid, width=COLUMNS, border_style="dim")


def _moments(evidence: Evidence, now_ms: int, rows_max: int) -> RenderableType:
    standing = sorted(evidence.in_a_moment().items(), key=lambda item: item[1].at, reverse=True)
    lines: list[RenderableType] = []
    for person, decision in standing[:rows_max]:
        table = Table(box=None, width=COLUMNS - 4, padding=(0, 1), show_header=False, show_edge=False)
        table.add_column(width=24, no_wrap=True)
        table.add_column(ratio=1, no_wrap=True)
        table.add_column(width=16, justify="right", no_wrap=True)
        table.add_row(Text(_name(person), "bold"), _moment(decision), Text(_until(decision, now_ms), "dim"))
        lines += [table, Text(f"   {evidence.reason_of(person)}"[: COLUMNS - 4], "dim")]
    lines += [Text("")] * (2 * rows_max - len(lines))
    more = len(standing) - rows_max
    title = f"in a moment that needs a person: {len(standing)}" + (f", the newest {rows_max}" if more > 0 else "")
    return Panel(Group(*lines), title=title, title_align="left", width=COLUMNS, border_style="magenta")


def _last(evidence: Evidence, rows_max: int) -> RenderableType:
    table = Table(box=None, width=COLUMNS - 4, padding=(0, 1), show_header=False, show_edge=False)
    for width in (5, 10, 22, 22):
        table.add_column(width=width, no_wrap=True)
    table.add_column(ratio=1, no_wrap=True)
    newest = list(evidence.recent)[-rows_max:][::-1]
    for decision in newest:
        colour = _COLOURS[decision.outcome]
        table.add_row(
            Text(decision.at[11:16], "dim"), Text(_MARKS[decision.outcome], colour), _name(decision.person),
            _moment(decision), Text(decision.reason.replace("_", " "), colour),
        )  # fmt: skip
    for _ in range(rows_max - len(newest)):
        table.add_row("", "", "", "", "")
    return Panel(table, title="last decisions", title_align="left", width=COLUMNS, border_style="dim")


def _was_shown(evidence: Evidence, activated: Decision) -> bool:
    return any(flag.person == activated.person and flag.audience == activated.audience for flag in evidence.flags)


def _moment(decision: Decision) -> Text:
    return Text(decision.audience.replace("_", " "), "magenta")


def _name(person: str) -> str:
    return person.partition(":")[2]


def _clock(at_ms: int) -> str:
    return f"{_utc(at_ms):%a %H:%M}"


def _until(decision: Decision, now_ms: int) -> str:
    if decision.expires_at is None:
        return ""
    expires_ms = from_rfc3339(decision.expires_at)
    at = _utc(expires_ms)
    return f"until {at:%H:%M}" if expires_ms - now_ms < DAY_MS else f"until {at.day} {at:%b}"


def _utc(at_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=at_ms)
