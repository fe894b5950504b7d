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


def replay(
    history: Iterable[PersonSignal | Ruled], partition: Takes, *, until_ms: int | None = None
) -> Iterator[Effects]:
    """Effects of each record of the log that the history makes; `history` in order of acceptance.

    Before the signals of instant T everything up to T - 1 is judged; time ends with the last signal's instant, or at
    `until_ms`, which is included; signals accepted after it are left out. A policy that is deployed within the history
    (Ruled) stands before the signals of its instant.
    """
    position = 0
    last_ms: int | None = None
    for signal in history:
        at_ms = signal.at_ms if isinstance(signal, Ruled) else signal.accepted_ms
        if until_ms is not None and at_ms > until_ms:
            break
        if last_ms is None or at_ms > last_ms:
            last_ms = at_ms
            position += 1
            yield partition.take(_mark(last_ms - 1), position)
        position += 1
        effects = partition.take(signal, position)
        yield effects
        waiting = effects.signals[::-1]  # what is handed over or passed on comes before the next call
        while waiting:
            position += 1
            effects = partition.take(waiting.pop(), position)
            waiting.extend(reversed(effects.signals))
            yield effects
    end_ms = until_ms if until_ms is not None else last_ms
    if end_ms is not None:
        yield partition.take(_mark(end_ms), position + 1)


def _mark(at_ms: int) -> Marked:
    return Marked(source=SOURCE, at_ms=at_ms, of=1, outcomes=False)
