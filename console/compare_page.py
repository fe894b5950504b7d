"""A comparison as one HTML page: inline style and pictures, no script, nothing fetched, so that it can be mailed and kept."""

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from console.compare_table import KINDS, WHY, sentence
from console.page import page as rendered

if TYPE_CHECKING:
    from backtests.compare import Compared
    from backtests.traces import Story, Traces
    from contracts.decisions import Decision

PEOPLE_MAX = 40  # stories on one page; differences.jsonl has everybody
HOURS = range(24)


class Line(NamedTuple):
    """One instant of a person's two stories; each side the words of its decisions."""

    at: str
    base: list[str]
    candidate: list[str]


def page(found: "Compared", traces: "Traces") -> str:
    told = found.told
    return rendered(
        "compare.html.j2",
        told=told,
        sentence=sentence(told),
        kinds=KINDS,
        why=WHY,
        reasons=_reasons(told),
        hours=_hours(told["cells"]),
        tiers=_tiers(told["cells"]),
        people=[_person(person, found, traces.of(person)) for person in found.examples[:PEOPLE_MAX]],
    )


def _reasons(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Largest first: what changes for how many, and why not under the other policy."""
    rows = [
        {"audience": name, "kind": kind, "word": word, "count": count}
        for name, audience in told["audiences"].items()
        for kind, words in audience["why"].items()
        for word, count in words.items()
    ]
    return sorted(rows, key=lambda row: -row["count"])


def _hours(cells: list[dict[str, Any]]) -> list[tuple[int, int, int]]:
    """(hour of the day, moments that begin under the base, under the candidate)."""
    base, candidate = Counter[int](), Counter[int]()
    for cell in cells:
        base[cell["hour"]] += cell["base"]
        candidate[cell["hour"]] += cell["candidate"]
    return [(hour, base[hour], candidate[hour]) for hour in HOURS]


def _tiers(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], Counter[str]] = {}
    for cell in cells:
        counts = {name: value for name, value in cell.items() if name not in ("audience", "tier", "hour")}
        rows.setdefault((cell["audience"], cell["tier"]), Counter()).update(counts)
    return [{"audience": audience, "tier": tier, **counts} for (audience, tier), counts in rows.items()]


def _person(person: str, found: "Compared", stories: "tuple[Story, Story]") -> dict[str, Any]:
    lines: dict[str, Line] = {}
    for side in (0, 1):
        for decision in stories[side]:
            line = lines.setdefault(decision.at, Line(decision.at, [], []))
            (line.candidate if side else line.base).append(_words(decision))
    return {
        "person": person,
        "differences": [one for one in found.differences if one["person"] == person],
        "lines": [lines[at] for at in sorted(lines)],
    }


def _words(decision: "Decision") -> str:
    saw = "; ".join(
        f"{clause.clause}: {', '.join(f'{name} {value}' for name, value in clause.saw.items())}"
        for clause in decision.clauses
        if clause.saw
    )
    told = f"{decision.audience} {decision.outcome} ({decision.reason})"
    return f"{told} - {saw}" if saw else told
