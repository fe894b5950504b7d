"""Replaying: a history of signals through the same thinking that judges live, with marks made from the history itself.

`replay` reads no clock, sends nothing and writes nothing: effects come back in order of log position, commands included,
for whoever wants to look at them.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from contracts.signals import Marked, PersonSignal, Ruled, Signal
from streams.partition import Effects

SOURCE = "history/0"


class Takes(Protocol):
    """A partition of the thinking, or who stands before one and watches."""

    def take(self, signal: Signal, position: int, /) -> Effects:
        """Apply one record of the log."""


class Course:
    """The log as a history makes it: each record gets the next position, what is passed on comes before the next call."""

    def __init__(self, partition: Takes) -> None:
        self._partition = partition
        self._position = 0

    def reach(self, at_ms: int) -> Effects:
        """Time has come up to `at_ms`, included."""
        return self._one(Marked(source=SOURCE, at_ms=at_ms, of=1, outcomes=False))

    def take(self, signal: PersonSignal | Ruled) -> Iterator[Effects]:
        """Effects of the signal, and of everything that it makes the judge pass on or hand over."""
        effects = self._one(signal)
        yield effects
        waiting = effects.signals[::-1]
        while waiting:
            effects = self._one(waiting.pop())
            waiting.extend(reversed(effects.signals))
            yield effects

    def _one(self, signal: Signal) -> Effects:
        self._position += 1
        return self._partition.take(signal, self._position)


def replay(
    history: Iterable[PersonSignal | Ruled], partition: Takes, *, until_ms: int | None = None
) -> Iterator[Effects]:
    """Effects of each record of the log that the history makes; `history` in order of acceptance.

    Before the signals of instant T everything up to T - 1 is judged; time ends with the last signal's instant, or at
    `until_ms`, which is included; signals accepted after it are left out. A policy that is deployed within the history
    (Ruled) stands before the signals of its instant.
    """
    course = Course(partition)
    last_ms: int | None = None
    for signal in history:
        at_ms = signal.at_ms if isinstance(signal, Ruled) else signal.accepted_ms
        if until_ms is not None and at_ms > until_ms:
            break
        if last_ms is None or at_ms > last_ms:
            last_ms = at_ms
            yield course.reach(last_ms - 1)
        yield from course.take(signal)
    end_ms = until_ms if until_ms is not None else last_ms
    if end_ms is not None:
        yield course.reach(end_ms)
