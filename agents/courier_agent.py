"""The courier, carried by Faust: commands in, outcomes back to the log, one record per contact in the table.

A partition's activations wait until everything accepted before its assignment was judged, what came of it was applied, and
once more the settle time. Outcomes are in the log
before a command counts as settled, so a crash between the two repeats an outcome with the same id.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from agents import desired
from agents.clock import Clock, SimulatedClock
from agents.courier import Courier, Shower
from agents.desired import Contact
from agents.measures import QUARANTINED
from agents.reconciling import Reconciling
from agents.reliable import Codec, Output, Record, Store
from contracts import commands, signals, topics
from contracts.signals import Conversed, Delivered

CODEC = Codec(encode=desired.encode, decode=desired.decode)
LOOK_SECONDS = 0.2  # how often the end of a partition is compared with what was applied; delays activations by no more


class App(Protocol):
    """The part of the reliable app that the courier stands on."""

    async def produce(self, outputs: Iterable[Output]) -> None: ...

    async def end_offsets(self, topic: str) -> Mapping[int, int]: ...

    def positions(self, topic: str) -> Mapping[int, int]: ...


class Pace:
    """The app's clock with a sleep on it: on a simulated clock an hour passes as fast as it says."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now_ms(self) -> int:
        return self._clock.now_ms()

    async def sleep(self, seconds: float) -> None:
        if isinstance(self._clock, SimulatedClock):
            seconds = self._clock.wall_seconds(int(seconds * 1000))
        await asyncio.sleep(seconds)


class Contacts:
    """The contacts of one store, by person."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, person: str) -> Contact | None:
        found = self._store.get(person.encode())
        assert found is None or isinstance(found, Contact), "the courier's table holds nothing else"
        return found

    def put(self, person: str, contact: Contact) -> None:
        self._store.put(person.encode(), contact)

    def all(self) -> list[tuple[str, bool]]:
        """Every person, and whether a command of theirs has no outcome yet."""
        return [(key.decode(), record.pending) for key, record in self._store.items() if isinstance(record, Contact)]


class _Reading:
    """committed: where the reading began. began_ms: when it was assigned. end: of the partition once everything accepted
    before that was judged, None until asked for."""

    def __init__(self, committed: int | None, began_ms: int) -> None:
        self.committed = committed or 0
        self.began_ms = began_ms
        self.end: int | None = None


class CourierAgent:
    """Handler of the `commands` topic. `run` has to run beside it for as long as the worker lives."""

    def __init__(
        self,
        *,
        app: App,
        intercom: Shower,
        clock: Clock,
        settle_seconds: float,
        log_times_ms: Callable[[], Mapping[int, int | None]],
        reconciling: Reconciling | None = None,
    ) -> None:
        """log_times_ms: log time of each partition that is judged here, None before all sources have spoken.

        reconciling: the pass in the background, None where there is none.
        """
        self._app = app
        self._reconciling = reconciling
        self._contacts: dict[int, Contacts] = {}
        self._clock = clock
        self._log_times_ms = log_times_ms
        self._courier = Courier(
            intercom=intercom, clock=Pace(clock), settle_seconds=settle_seconds, deliver=self._deliver
        )
        self._reading: dict[int, _Reading] = {}  # partitions that were not yet read to their end

    @property
    def pending_count(self) -> int:
        return self._courier.pending_count

    def assigned(self, store: Store | None, partition: int, committed: int | None) -> None:
        assert store is not None, "the courier has a table"
        contacts = Contacts(store)
        self._courier.assign(partition, contacts)
        self._reading[partition] = _Reading(committed, self._clock.now_ms())
        self._contacts[partition] = contacts
        for person, pending in contacts.all():
            if pending:
                self._courier.inherit(partition, person)
            self._meet(partition, person)

    def revoked(self, partition: int) -> None:
        self._reading.pop(partition, None)
        self._contacts.pop(partition, None)
        if self._reconciling is not None:
            self._reconciling.rounds.forget(partition)
        self._courier.revoke(partition)

    def batch(self, store: Store | None, records: Sequence[Record]) -> Iterable[Output]:
        """Quarantine records for what is no command; everything else is kept in the table and planned."""
        unreadable: list[Output] = []
        for record in records:
            try:
                command = commands.decode(record.value or b"")
            except msgspec.DecodeError:
                unreadable.append(_quarantined(record))
            else:
                self._courier.desire(record.partition, command)
                self._meet(record.partition, command.person)
        return unreadable

    def before_flush(self, store: Store | None, next_offset: int) -> None:
        """Every record is put when it changes, so a commit has nothing to add."""

    async def run(self) -> None:
        """Delivers until cancelled. Raises Unauthorized and what the log raises: the worker then stops, nothing is lost."""
        parts = [self._read_to_the_end(), self._courier.run()]
        if self._reconciling is not None:
            parts.append(self._reconciling.run(self))
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def record(self, partition: int, person: str) -> Contact | None:
        """The record of a person; None where the partition is not this worker's, or was not yet read to its end."""
        contacts = self._contacts.get(partition)
        return contacts.get(person) if contacts is not None and partition not in self._reading else None

    def again(self, partition: int, person: str) -> None:
        """Have the contact read and written where it differs."""
        self._courier.again(partition, person)

    async def tell(self, conversed: Conversed) -> None:
        """Have the log hear of a conversation."""
        await self._deliver(conversed)

    def _meet(self, partition: int, person: str) -> None:
        if self._reconciling is not None:
            self._reconciling.rounds.meet(partition, person)

    async def _read_to_the_end(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)  # of the wall: it waits for Kafka, not for time

    async def look(self) -> None:
        """Lets the activations of each partition go that was read to the end that it had after its assignment."""
        topic = topics.COMMANDS.name
        new = {
            partition: reading
            for partition, reading in self._reading.items()
            if reading.end is None and self._judged(partition, reading.began_ms)
        }
        if new:
            ends = await self._app.end_offsets(topic)
            for partition, reading in new.items():  # one that was lost and came back meanwhile has a new reading
                reading.end = ends.get(partition)
        applied = self._app.positions(topic) if self._reading else {}
        for partition, reading in list(self._reading.items()):
            if reading.end is not None and max(reading.committed, applied.get(partition, 0)) >= reading.end:
                del self._reading[partition]
                self._courier.caught_up(partition)

    def _judged(self, partition: int, at_ms: int) -> bool:
        """Whether everything accepted by then was judged: somebody may have bought while nobody worked on the partition."""
        log_times = self._log_times_ms()
        return partition not in log_times or (log_times[partition] or 0) >= at_ms

    async def _deliver(self, heard: Delivered | Conversed) -> None:
        await self._app.produce([Output(topics.SIGNALS.name, heard.person.encode(), signals.encode(heard))])


def _quarantined(record: Record) -> Output:
    """A record that is no command goes to quarantine with its original bytes."""
    place = f"{record.topic}/{record.partition}/{record.offset}"
    QUARANTINED.labels("courier", "not_a_command").inc()
    body = {"stage": "courier", "reason": "not_a_command", "source": place, "value": record.value or b""}
    return Output(topics.QUARANTINE.name, place.encode(), msgspec.json.encode(body))
