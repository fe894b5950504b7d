"""What a comparison says, row by row, as the terminal and the page both say it."""

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from backtests import story_words

if TYPE_CHECKING:
    from backtests.traces import Story
    from contracts.decisions import Decision

SIDES = ("base", "candidate")
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
_FIGURES = (
    ("moments begun for agents", "load", "activations"),
    ("an hour, on average", "load", "per_hour_mean"),
    ("an hour, in the busiest of twenty (p95)", "load", "per_hour_p95"),
    ("an hour, at most", "load", "per_hour_max"),
    ("contacts created", "delivery", "creates"),
    ("contacts updated", "delivery", "updates"),
    ("nothing to write", "delivery", "no_ops"),
    ("overtaken while settling", "delivery", "overtaken"),
    ("calls to Intercom", "delivery", "calls"),
    ("calls in the busiest minute", "delivery", "busiest_minute_calls"),
    ("minutes at the rate limit", "delivery", "minutes_at_limit"),
)
HOURS = range(24)


class Reason(NamedTuple):
    """So many moments of an audience differ in this way, since this held under the other policy; keys of KINDS, WHY."""

    audience: str
    kind: str
    word: str
    moments: int


class Line(NamedTuple):
    """One instant of a person's two stories; each side the words of its decisions."""

    at: str
    base: list[str]
    candidate: list[str]


def sentence(told: dict[str, Any]) -> str:
    """For the marketer: how many more or fewer, how many of them change at all, and mostly why."""
    entrants = told["entrants"]
    base, candidate = entrants["base"], entrants["candidate"]
    changed = sum(entrants[kind] for kind in KINDS)
    if not changed:
        return f"Nothing changes: the same {base:,} moments begin at the same instants."
    share = f" ({(candidate - base) / base:+.0%})" if base else ""
    words: Counter[str] = Counter()
    for reason in reasons(told):
        words[reason.word] += reason.moments
    word, count = words.most_common(1)[0]
    names = ("only_candidate", "only_base", "earlier", "later")
    parts = ", ".join(f"{entrants[kind]:,} {KINDS[kind]}" for kind in names if entrants[kind])
    of = f"all {count:,}" if count == changed else f"{count:,} of {changed:,}"
    return f"{candidate:,} moments instead of {base:,}{share}: {parts}; for {of}, {WHY[word]} under the other policy."


def reasons(told: dict[str, Any]) -> list[Reason]:
    """Largest first."""
    found = [
        Reason(name, kind, word, count)
        for name, audience in told["audiences"].items()
        for kind, words in audience["why"].items()
        for word, count in words.items()
    ]
    return sorted(found, key=lambda reason: -reason.moments)


def tiers(told: dict[str, Any]) -> list[dict[str, Any]]:
    """By audience and tier: moments under each policy, and those of each of KINDS."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for cell in told["cells"]:
        counts = {name: cell[name] for name in (*SIDES, *KINDS)}
        rows.setdefault((cell["audience"], cell["tier"]), Counter()).update(counts)
    return [
        {"audience": audience, "tier": tier, **{name: counts[name] for name in (*SIDES, *KINDS)}}
        for (audience, tier), counts in rows.items()
    ]


def hours(told: dict[str, Any]) -> dict[str, list[tuple[int, int]]]:
    """By audience, all together first under no name: for each hour of the day the moments under the base, the candidate."""
    found: dict[str, list[tuple[int, int]]] = {"": [(0, 0) for _ in HOURS]}
    for cell in told["cells"]:
        for name in ("", cell["audience"]):
            counts = found.setdefault(name, [(0, 0) for _ in HOURS])
            base, candidate = counts[cell["hour"]]
            counts[cell["hour"]] = base + cell["base"], candidate + cell["candidate"]
    return found


def figures(told: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """The load of the agents and the dry run of the delivery, under base and candidate."""
    return [(words, *(told[part][side][name] for side in SIDES)) for words, part, name in _FIGURES]


def lines(stories: "tuple[Story, Story]") -> list[Line]:
    """In order of time."""
    found: dict[str, Line] = {}
    for side in (0, 1):
        for decision in stories[side]:
            line = found.setdefault(decision.at, Line(decision.at, [], []))
            (line.candidate if side else line.base).append(_words(decision))
    return [found[at] for at in sorted(found)]


def _words(decision: "Decision") -> str:
    """The clauses that saw something, each with whether it held."""
    clauses = [(one.held, story_words.clause(one, decision.at[:10])) for one in decision.clauses if one.saw]
    saw = "; ".join(f"{'yes' if held else 'no'}, {told}" for held, told in clauses)
    told = f"{decision.audience} {decision.outcome} ({decision.reason})"
    return f"{told}: {saw}" if saw else told
