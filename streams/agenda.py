"""The agenda of one partition: who is due when; each key stands there once, at its newest instant.

It is derived from the people's records and kept nowhere; `until` takes out whoever is due, soonest first, ties by key.
"""

import heapq
from collections.abc import Iterator

Entry = tuple[int, str]
NEVER_MS = 2**62


class Agenda:
    """Signals that wait for the next mark have a small heap of their own, beside that of the timers of hours and days.

    A key has one timer, which rings never later than the key is due: a cart that is touched again and again is put off at
    no cost, and the timer is set anew when it rings too early.
    """

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._near: list[Entry] = []
        self._timers: list[Entry] = []
        self._rings: dict[str, int] = {}  # when the key's timer does

    def put(self, key: str, due_ms: int | None, *, near: bool = False) -> None:
        """None: nothing is due for this key. near: the next mark will probably bring it; that only helps the speed."""
        if due_ms is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due_ms:
            self._due[key] = due_ms
            if near:
                heapq.heappush(self._near, (due_ms, key))
            elif due_ms < self._rings.get(key, NEVER_MS):
                self._set(key, due_ms)

    def until(self, time_ms: int) -> Iterator[str]:
        """Keys that are due by then, included; those that are put in meanwhile as well."""
        near, timers, due = self._near, self._timers, self._due
        while True:
            rings = not near or (bool(timers) and timers[0] < near[0])
            heap = timers if rings else near
            if not heap or heap[0][0] > time_ms:
                return
            at_ms, key = heapq.heappop(heap)
            due_ms = due.get(key)
            if rings and self._rings.get(key) == at_ms:
                del self._rings[key]
                if due_ms is not None and due_ms > at_ms:
                    self._set(key, due_ms)
            if due_ms == at_ms:
                del due[key]
                yield key

    def _set(self, key: str, due_ms: int) -> None:
        self._rings[key] = due_ms
        heapq.heappush(self._timers, (due_ms, key))
