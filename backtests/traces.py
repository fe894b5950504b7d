"""Traces: every decision of both sides of a comparison, on disk, so that any person's two stories can be laid side by side."""

from collections.abc import Iterable
from typing import IO

from contracts import decisions
from contracts.decisions import Decision

Story = list[Decision]


class Traces:
    """In memory stay some 170 bytes a decision. The spool must stay open."""

    def __init__(self, spool: IO[bytes]) -> None:
        self._spool = spool
        self._places: dict[str, list[tuple[int, int, int]]] = {}  # side, offset, length
        self._end = 0

    def keep(self, side: int, made: Iterable[Decision]) -> None:
        for decision in made:
            record = decisions.encode(decision)
            self._places.setdefault(decision.person, []).append((side, self._end, len(record)))
            self._end += self._spool.write(record)

    def of(self, person: str) -> tuple[Story, Story]:
        """What the base and the candidate decided about them, in order of time; nothing where nothing was."""
        self._spool.flush()
        told: tuple[Story, Story] = ([], [])
        for side, offset, length in self._places.get(person, ()):
            self._spool.seek(offset)
            told[side].append(decisions.decode(self._spool.read(length)))
        self._spool.seek(0, 2)
        for story in told:
            story.sort(key=lambda decision: decision.at)
        return told
