"""A comparison as one HTML page: inline style and pictures, no script, nothing fetched, so that it can be mailed and kept."""

from typing import TYPE_CHECKING, Any

from console.compare_words import KINDS, WHY, figures, hours, lines, reasons, sentence, tiers
from console.page import page as rendered

if TYPE_CHECKING:
    from backtests.compare import Compared
    from backtests.traces import Traces

PEOPLE_MAX = 40  # stories on one page; differences.jsonl has everybody


def page(found: "Compared", traces: "Traces", *, person: str | None = None) -> str:
    """person: whose story stands first, whether or not it differs."""
    told = found.told
    together, *apart = hours(told).items()
    people = list(dict.fromkeys([*([person] if person is not None else []), *found.examples]))[:PEOPLE_MAX]
    return rendered(
        "compare.html.j2",
        told=told,
        sentence=sentence(told),
        kinds=KINDS,
        why=WHY,
        reasons=reasons(told),
        together=together[1],
        apart=apart,
        tiers=tiers(told),
        places=_places(told["taken"]),
        figures=figures(told),
        people=[
            {
                "person": one,
                "differences": [difference for difference in found.differences if difference["person"] == one],
                "lines": lines(traces.of(one)),
            }
            for one in people
        ],
    )


def _places(taken: list[dict[str, Any]]) -> tuple[list[str], dict[str, list[tuple[int, int] | None]]]:
    """Who stole from whom, as a matrix: the thieves, and for each loser what each of them took under base and candidate."""
    thieves = sorted({row["by"] for row in taken})
    cells = {(row["from"], row["by"]): (row["base"], row["candidate"]) for row in taken}
    losers = sorted({row["from"] for row in taken})
    return thieves, {loser: [cells.get((loser, thief)) for thief in thieves] for loser in losers}
