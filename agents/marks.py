"""Proves how far each source partition was read, so that log time can move on.

For each active source partition: take the time T, then the end of the partition; once everything before that end has been
forwarded, T is a mark. A message that turns up later with an acceptance at or before T is stamped just after it, so a mark
never lies. After a change of ownership the marks of the one before are not known: a message that was on its way to Kafka
during the last of them can stand behind it with an earlier stamp; the thinking applies it as a late one.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Source(NamedTuple):
    topic: str
    partition: int

    def name(self) -> str:
        return f"{self.topic}/{self.partition}"


class _Goal(NamedTuple):
    at_ms: int
    end: int


class Marks:
    """The stamps and marks of the source partitions that this process reads. Used from one thread."""

    def __init__(self) -> None:
        self._marked_ms: dict[Source, int] = {}
        self._goals: dict[Source, _Goal] = {}

    def stamp(self, source: Source, accepted_ms: int | None, now_ms: int) -> int:
        """When a message counts as accepted: as its receiver says, not later than now, and after the last mark."""
        accepted_ms = now_ms if accepted_ms is None else min(accepted_ms, now_ms)
        marked_ms = self._marked_ms.get(source)
        return accepted_ms if marked_ms is None else max(accepted_ms, marked_ms + 1)

    def open_sources(self, positions: Mapping[Source, int]) -> list[Source]:
        """The source partitions that want a goal; what is not read here any more is forgotten.

        positions: of every source partition that is read here, the next offset; all before it is forwarded.
        """
        for known in (self._goals, self._marked_ms):
            for source in [source for source in known if source not in positions]:
                del known[source]
        return [source for source in positions if source not in self._goals]

    def aim(self, at_ms: int, ends: Mapping[Source, int]) -> None:
        """ends: the offset that the next message of each will get, asked after `at_ms` was read from the clock.

        A time at or before the last mark proves nothing new and is left out.
        """
        for source, end in ends.items():
            if at_ms > self._marked_ms.get(source, -1):
                self._goals[source] = _Goal(at_ms, end)

    def waiting(self) -> bool:
        return bool(self._goals)

    def reached(self, positions: Mapping[Source, int]) -> list[tuple[Source, int]]:
        """(source, T) of the goals that were reached; from here on no message of the source is stamped at or before T."""
        found = []
        for source, goal in list(self._goals.items()):
            if positions.get(source, -1) >= goal.end:
                del self._goals[source]
                self._marked_ms[source] = goal.at_ms
                found.append((source, goal.at_ms))
        return found
