"""Links: which keys are one person, as far as claims and handed-over states tell.

Promise: the same rules as the thinking's forwards (streams/identity.py), whatever order partitions are read in; to take a
signal twice changes nothing.
"""

from contracts.signals import Claimed, Moved, Signal
from streams.identity import may_claim, shared


class Links:
    """Grows with each signal; a key that nothing was told of is a person of its own."""

    def __init__(self) -> None:
        self._claimed: dict[str, tuple[str, int]] = {}  # owner, when the claim occurred
        self._moved: dict[str, str] = {}

    def take(self, signal: Signal) -> None:
        if isinstance(signal, Claimed):
            self._claim(signal)
        elif isinstance(signal, Moved):
            for weaker in {signal.source, *signal.via} - {signal.person}:
                self._moved.setdefault(weaker, signal.person)

    def owner(self, key: str) -> str:
        """Whose record a signal under this key reaches in the end; of ids that claim each other, the smallest."""
        way = [key]
        while (onward := self._onward(way[-1])) is not None:
            if onward in way:
                return min(way[way.index(onward) :])
            way.append(onward)
        return way[-1]

    def keys(self, key: str) -> frozenset[str]:
        """All keys of the person behind this one, itself included."""
        owner = self.owner(key)
        known = self._claimed.keys() | self._moved.keys()
        return frozenset({key, owner, *(one for one in known if self.owner(one) == owner)})

    def _onward(self, key: str) -> str | None:
        claim = self._claimed.get(key)
        return claim[0] if claim is not None else self._moved.get(key)

    def _claim(self, claim: Claimed) -> None:
        known = self._claimed.get(claim.person)
        if not may_claim(claim.person, claim.owner):
            return
        if known is None or (shared(claim.person) and claim.occurred_ms >= known[1]):
            self._claimed[claim.person] = (claim.owner, claim.occurred_ms)
