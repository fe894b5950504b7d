"""Several partitions of the log, keyed by person, in which what comes from different places arrives in any order.

What one partition passes on to another arrives in the order in which it was passed on, as one producer's records do; all
else may overtake: messages of different sources, and what different partitions pass on.
"""

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from contracts.commands import Command
from contracts.decisions import Arm, Decision
from contracts.policy import Policy
from contracts.signals import Marked, PersonSignal, Scalar, decode, encode
from streams import person
from streams.partition import Partition
from streams.person import State
from tests.streams.histories import POLICY, People

PARTITIONS = 3
QUIET_MAX = 10_000  # more records than any test makes: beyond, something goes round for ever

Pick = Callable[[Sequence[Any]], Any]


def oldest_first(choices: Sequence[Any]) -> Any:
    return choices[0]


class World:
    """outcomes: whether a courier reports deliveries; False: an activation counts as delivered at once."""

    def __init__(
        self, *, pick: Pick = oldest_first, arm: Callable[[str], Arm] | None = None, policy: Policy = POLICY
    ) -> None:
        self.people = [People() for _ in range(PARTITIONS)]
        self.partitions = [Partition(policy, people, arm=arm) for people in self.people]
        self.positions = [0] * PARTITIONS
        self.passing: dict[tuple[int, int], deque[PersonSignal]] = {}
        self.decisions: list[Decision] = []
        self.commands: list[Command] = []
        self.stranded: list[PersonSignal] = []
        self._pick = pick

    def deliver(self, signals: Iterable[PersonSignal]) -> "World":
        """The signals in this order; between any two of them, and at the end, some of what was passed on."""
        waiting = deque(signals)
        while waiting or self.passing:
            queues = [*([None] if waiting else []), *self.passing]
            queue = self._pick(queues)
            if queue is None:
                self.take(waiting.popleft())
                continue
            passed = self.passing[queue].popleft()
            if not self.passing[queue]:
                del self.passing[queue]
            self.take(passed)
        return self

    def take(self, signal: PersonSignal) -> None:
        number = home(signal.person)
        self._take(number, decode(encode(signal)))

    def mark(self, at_ms: int) -> "World":
        for number in range(PARTITIONS):
            self._take(number, Marked(source="history/0", at_ms=at_ms, of=1, outcomes=False))
        return self.deliver(())

    def _take(self, number: int, signal: Any) -> None:
        self.positions[number] += 1
        assert self.positions[number] < QUIET_MAX, "the log does not come to rest"
        effects = self.partitions[number].take(signal, self.positions[number])
        self.decisions += effects.decisions
        self.commands += effects.commands
        self.stranded += effects.stranded
        for passed in effects.signals:
            self.passing.setdefault((number, home(passed.person)), deque()).append(passed)

    def home_of(self, key: str) -> str:
        """The key at the end of the forwards."""
        seen = {key}
        while (forward := self._forward(key)) is not None:
            assert forward not in seen, "forwards go round"
            seen.add(forward)
            key = forward
        return key

    def state(self, key: str) -> State | None:
        key = self.home_of(key)
        return self.partitions[home(key)].state(key)

    def facts(self, key: str, at_ms: int) -> dict[str, Scalar]:
        key = self.home_of(key)
        return self.partitions[home(key)].facts(key, at_ms)

    def shown(self, key: str) -> dict[str, Scalar] | None:
        """What Intercom was last told of this person."""
        return next((dict(c.attributes) for c in reversed(self.commands) if c.person == self.home_of(key)), None)

    def keys_with_state(self) -> list[str]:
        return sorted(key for people in self.people for key, record in people.items() if record.state is not None)

    def _forward(self, key: str) -> str | None:
        record = self.people[home(key)].stored.get(key)
        return None if record is None else person.decode(record).forward


def home(key: str) -> int:
    return zlib.crc32(key.encode()) % PARTITIONS
