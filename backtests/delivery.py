"""A dry run of the delivery: what Intercom would have been asked for, without asking.

It begins with an Intercom that has none of the people. An activation waits the settle time and is dropped where something takes
it back meanwhile; what the contact shows already is not written. A contact that is new costs a search, a creation and the
event, a known one the update and the event.
"""

import heapq
from collections import Counter
from typing import Any

import msgspec

from contracts.commands import Command
from contracts.instant import MINUTE_MS
from contracts.policy import Policy
from contracts.signals import Scalar

CALLS_PER_MINUTE = 10_000  # what Intercom gives an app by default
MOMENT = "cio_moment"


class DryRun:
    """Takes commands in the order in which they were decided; `told` finishes the run."""

    def __init__(self, policy: Policy) -> None:
        self.creates = self.updates = self.no_ops = self.overtaken = 0
        self._settle_ms = policy.settle
        self._shown: dict[str, dict[str, Scalar]] = {}
        self._waiting: dict[str, Command] = {}
        self._due: list[tuple[int, str, int]] = []
        self._calls: Counter[int] = Counter()  # by minute

    def take(self, command: Command) -> None:
        self._settle(command.decided_ms)
        waiting = self._waiting.get(command.person)
        if waiting is not None and not command.activates:
            if command.attributes.get(MOMENT) == waiting.attributes.get(MOMENT):
                self._waiting[command.person] = _with_facts(waiting, command)
                return
            del self._waiting[command.person]
            self.overtaken += 1
        if command.activates:
            due_ms = command.decided_ms + self._settle_ms
            self._waiting[command.person] = command
            heapq.heappush(self._due, (due_ms, command.person, command.revision))
        else:
            self._write(command, command.decided_ms)

    def told(self) -> dict[str, Any]:
        """minutes_at_limit: minutes at whose end calls waited for the next; longest_wait_minutes: of the last one among them."""
        self._settle(None)
        backlog = limited = worst = 0
        for minute in range(min(self._calls, default=0), max(self._calls, default=-1) + 1):
            backlog = max(0, backlog + self._calls[minute] - CALLS_PER_MINUTE)
            limited += backlog > 0
            worst = max(worst, backlog)
        while backlog > 0:
            backlog -= CALLS_PER_MINUTE
            limited += backlog > 0
        return {
            "creates": self.creates,
            "updates": self.updates,
            "no_ops": self.no_ops,
            "overtaken": self.overtaken,
            "calls": self._calls.total(),
            "busiest_minute_calls": max(self._calls.values(), default=0),
            "minutes_at_limit": limited,
            "longest_wait_minutes": round(worst / CALLS_PER_MINUTE, 1),
        }

    def _settle(self, now_ms: int | None) -> None:
        while self._due and (now_ms is None or self._due[0][0] <= now_ms):
            due_ms, person, revision = heapq.heappop(self._due)
            waiting = self._waiting.get(person)
            if waiting is None or waiting.revision != revision:
                continue
            del self._waiting[person]
            if waiting.expires_ms is not None and waiting.expires_ms <= due_ms:
                self.overtaken += 1
            else:
                self._write(waiting, due_ms)

    def _write(self, command: Command, at_ms: int) -> None:
        shown = self._shown.get(command.person)
        event = command.event is not None
        if (shown is None and not command.create) or shown == command.attributes:
            self.no_ops += 1
            return
        if shown is None:
            self.creates += 1
        else:
            self.updates += 1
        self._shown[command.person] = dict(command.attributes)
        self._calls[at_ms // MINUTE_MS] += (2 if shown is None else 1) + event


def _with_facts(waiting: Command, newer: Command) -> Command:
    """The activation goes on waiting, with what has become known since."""
    return msgspec.structs.replace(waiting, attributes=newer.attributes)
