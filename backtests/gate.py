"""The gate before a deployment: a policy that moves the number of moments too far is not deployed in passing.

`verdict` reads a comparison over the last days. An audience is over the limit where its moments grow or shrink by more than the
share and by more than a few.
"""

from typing import Any, NamedTuple

FEW = 10  # moments of an audience in the span; smaller moves are chance


class Moved(NamedTuple):
    """share: of the base, None where the base had none."""

    audience: str
    base: int
    candidate: int
    share: float | None


def verdict(told: dict[str, Any], *, limit: float) -> list[Moved]:
    """The audiences beyond the limit, and all together as `all` where they are. told: see compare. Empty: it may go."""
    counts = {name: (one["base"], one["candidate"]) for name, one in told["audiences"].items()}
    counts["all"] = (told["entrants"]["base"], told["entrants"]["candidate"])
    found = [
        Moved(name, base, candidate, (candidate - base) / base if base else None)
        for name, (base, candidate) in counts.items()
    ]
    return [
        one for one in found if abs(one.candidate - one.base) >= FEW and (one.share is None or abs(one.share) > limit)
    ]
