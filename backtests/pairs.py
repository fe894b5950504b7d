"""Pairs: which entrants of two policies are the same moment of the same person, and how the two differ.

The same anchor makes a pair; else two moments of the audience that overlap in time. What is left is in one policy alone.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from backtests.side import Entrant, Side
from backtests.why import Why

Kind = Literal["same", "earlier", "later", "only_base", "only_candidate"]
KINDS: tuple[Kind, ...] = ("same", "earlier", "later", "only_base", "only_candidate")
FOR_EVER = 1 << 62


class Pair(NamedTuple):
    """earlier, later: of the candidate. why: what kept the later or absent one out at that instant; None for `same`."""

    base: Entrant | None
    candidate: Entrant | None
    kind: Kind
    why: Why | None

    @property
    def one(self) -> Entrant:
        """The base's, where there is one."""
        found = self.base or self.candidate
        assert found is not None, "a pair has at least one"
        return found


def pairs(base: Side, candidate: Side) -> Iterator[Pair]:
    """Of all people and audiences, in the order of the persons' keys."""
    for place in sorted(base.entrants.keys() | candidate.entrants.keys()):
        yield from _of_one(base.entrants.get(place, ()), candidate.entrants.get(place, ()))


def _of_one(base: Sequence[Entrant], candidate: Sequence[Entrant]) -> Iterator[Pair]:
    left = list(candidate)
    lonely = []
    for one in base:
        other = next((other for other in left if other.anchor == one.anchor), None)
        if other is None:
            lonely.append(one)
        else:
            left.remove(other)
            yield _pair(one, other)
    for one in lonely:
        other = next((other for other in left if _overlap(one, other)), None)
        if other is None:
            yield Pair(one, None, "only_base", one.absent)
        else:
            left.remove(other)
            yield _pair(one, other)
    for other in left:
        yield Pair(None, other, "only_candidate", other.absent)


def _pair(one: Entrant, other: Entrant) -> Pair:
    if one.at_ms == other.at_ms:
        return Pair(one, other, "same", None)
    if other.at_ms < one.at_ms:
        return Pair(one, other, "earlier", other.absent)
    return Pair(one, other, "later", one.absent)


def _overlap(one: Entrant, other: Entrant) -> bool:
    return one.at_ms < (other.end_ms or FOR_EVER) and other.at_ms < (one.end_ms or FOR_EVER)
