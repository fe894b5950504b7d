"""The stage: one persona's story through the real thinking, with time that runs on exactly and no Kafka.

Real envelopes go through the contracts' reading into a Partition; its commands go through the real Intercom adapter to
the rehearsal Intercom, at once. What was decided, shown and known is held against what the file expects.
"""

from typing import NamedTuple

from contracts import calls
from contracts.decisions import Decision
from contracts.fields import manifest
from contracts.policy import Policy
from contracts.signals import Marked, PersonSignal, Scalar
from rehearsal import verdict
from rehearsal.envelopes import User
from rehearsal.mirror import Mirror
from rehearsal.persona import Check, Event, Persona
from rehearsal.verdict import Difference
from streams.partition import Effects, Partition
from streams.person import Person

SOURCE = "rehearsal/0"


class Performance(NamedTuple):
    """lines: everything that was compared. rejected: why envelopes could not be read.
    refused: why the rehearsal Intercom did not take a command."""

    persona: Persona
    decisions: tuple[Decision, ...]
    lines: tuple[Difference, ...]
    rejected: tuple[str, ...]
    refused: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return all(line.held for line in self.lines)


def attributes(policy: Policy) -> tuple[str, ...]:
    """What a check may name under this policy."""
    return tuple(field.name for field in manifest(tuple(policy.audiences)))


async def perform(persona: Persona, policy: Policy) -> Performance:
    """Play the whole story; time runs to `until` and on to the last event or check."""
    async with Mirror(policy, persona.start_ms) as mirror:
        play = _Play(persona, policy, mirror)
        lines: list[Difference] = []
        instants = {persona.until_ms, *(event.at_ms for event in persona.events)}
        instants |= {check.at_ms for check in persona.intercom + persona.facts}
        for at_ms in sorted(instants):
            await play.run_to(at_ms)
            for check in persona.intercom:
                if check.at_ms == at_ms:
                    shown = mirror.shown(persona.user.id, persona.user.email)
                    lines += verdict.seen(persona, check, shown, unwritten=True)
            for check in persona.facts:
                if check.at_ms == at_ms:
                    lines += verdict.seen(persona, check, play.facts(check), unwritten=False)
        decisions = tuple(told for told in play.decisions if verdict.at_ms(told) <= persona.until_ms)
        compared = (*verdict.decided(persona, decisions), *lines)
        return Performance(persona, decisions, compared, tuple(play.rejected), tuple(mirror.failures))


class _Play:
    """The partition, its people, and the events that are still to come."""

    def __init__(self, persona: Persona, policy: Policy, mirror: Mirror) -> None:
        self.decisions: list[Decision] = []
        self.rejected: list[str] = []
        self._people: dict[str, Person] = {}
        self._partition = Partition(policy, self._people, arm=lambda person: persona.arm)
        self._mirror = mirror
        self._user: User = persona.user
        self._coming: list[Event] = list(reversed(persona.events))
        self._position = 0

    async def run_to(self, at_ms: int) -> None:
        """Everything up to and including the instant: its signals first, then what time alone brings."""
        await self._time_to(at_ms - 1)
        while self._coming and self._coming[-1].at_ms == at_ms:
            await self._arrive(self._coming.pop())
        await self._time_to(at_ms)

    def facts(self, check: Check) -> dict[str, Scalar]:
        """The record of the strongest of the persona's keys that is known."""
        keys = [f"id:{self._user.id}", f"email:{self._user.email.lower()}", f"anon:{self._user.anonymous}"]
        known = [key for key in keys if key in self._people]
        return self._partition.facts((known or keys)[0], check.at_ms)

    async def _arrive(self, event: Event) -> None:
        if event.contact is not None:
            self._mirror.meet(event.contact, event.at_ms)
        parsed = calls.parse(event.value, accepted_ms=event.at_ms)
        self.rejected += [str(rejected.reason) for rejected in parsed.rejected]
        waiting: list[PersonSignal] = list(reversed(parsed.signals))
        while waiting:
            self._position += 1
            effects = self._partition.take(waiting.pop(), self._position)
            waiting.extend(reversed(effects.signals))
            await self._tell(effects, event.at_ms)

    async def _time_to(self, at_ms: int) -> None:
        """Marks at each instant at which something is due, so that what is shown changes exactly then."""
        while (due_ms := self._due_ms()) is not None and due_ms < at_ms:
            await self._mark(due_ms)
            if self._due_ms() == due_ms:
                break  # nothing moved: the last mark below settles it
        await self._mark(at_ms)

    def _due_ms(self) -> int | None:
        due: list[int] = []
        for person in self._people.values():
            due += [signal.accepted_ms for signal in person.pending]
            if person.state is not None and person.state.due_ms is not None:
                due.append(person.state.due_ms)
        return min(due, default=None)

    async def _mark(self, at_ms: int) -> None:
        self._position += 1
        mark = Marked(source=SOURCE, at_ms=at_ms, of=1, outcomes=False)
        await self._tell(self._partition.take(mark, self._position), at_ms)

    async def _tell(self, effects: Effects, now_ms: int) -> None:
        self.decisions += effects.decisions
        for command in effects.commands:
            await self._mirror.deliver(command, now_ms)
