"""The agenda of one partition: who is due when; each key stands there once, at its newest instant.

It is derived from the people's records and kept nowhere; `until` takes out whoever is due, soonest first, ties by key.
"""

import heapq
from collections.abc import Iterator


class Agenda:
    """An instant that was put off, or taken back, stays in the heap until its time comes and is passed over then."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def put(self, key: str, due_ms: int | None) -> None:
        """None: nothing is due for this key."""
        if due_ms is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due_ms:
            self._due[key] = due_ms
            heapq.heappush(self._heap, (due_ms, key))

    def until(self, time_ms: int) -> Iterator[str]:
        """Keys that are due by then, included; those that are put in meanwhile as well."""
        heap, due = self._heap, self._due
        while heap and heap[0][0] <= time_ms:
            due_ms, key = heapq.heappop(heap)
            if due.get(key) == due_ms:
                del due[key]
                yield key
