"""The courier: makes Intercom agree with the commands, a withdrawal before an activation, one call per person at a time.

Activations wait the settle time and until their partition was read to its end; they are dropped once they expired. Freshness
is checked right before each request. Knows neither Kafka nor Faust: records, clock, Intercom and the log are given as ports.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from agents import desired
from agents.desired import Contact
from agents.intercom import Known, Overtaken, Refused, Talking, TryLater, Unknown
from agents.measures import DELIVERED
from agents.outcomes import counted_as, outcome, talked
from contracts.commands import Command
from contracts.signals import Conversed, Delivered, Scalar

IN_FLIGHT_MAX = 16  # at 0.11 s a call this is 145 calls a second, near the 167 of Intercom's default budget
Lane = Literal["urgent", "settling"]
LANES: tuple[Lane, ...] = ("urgent", "settling")
LANE_IN_FLIGHT_MAX: dict[Lane, int] = {"urgent": 16, "settling": 12}  # calls that hang never take a withdrawal's place
TALK_OLD_MS = 600_000  # a word on conversations that is older may have been followed by one that was lost
TALK_PAUSE_MS = 5_000  # until the log has judged what was found; it takes a second or two


class Clock(Protocol):
    def now_ms(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...


class Shower(Protocol):
    async def show(
        self, command: Command, known: Known, *, fresh: Callable[[], bool], urgent: bool, ask: bool, unseen: bool
    ) -> Known: ...

    async def look(self, command: Command, *, intercom_id: str | None, urgent: bool) -> dict[str, Scalar] | None: ...


class Contacts(Protocol):
    """The durable records of one partition."""

    def get(self, person: str) -> Contact | None: ...

    def put(self, person: str, contact: Contact) -> None: ...


class _Partition:
    def __init__(self, contacts: Contacts) -> None:
        self.contacts = contacts
        self.caught_up = False
        self.settles_ms = 0  # no activation before: what was decided of the backlog may be on its way, too
        self.doubted: set[str] = set()  # people of whom a former worker may have shown more than it wrote down
        self.held: set[str] = set()  # people whose activation waits until the partition is read to its end


class Courier:
    """settle_seconds: how long an activation waits for what may overtake it. deliver: takes what the log is to hear, durably."""

    def __init__(
        self,
        *,
        intercom: Shower,
        clock: Clock,
        settle_seconds: float,
        deliver: Callable[[Delivered | Conversed], Awaitable[None]],
    ) -> None:
        self._intercom = intercom
        self._clock = clock
        self._settle_ms = int(settle_seconds * 1000)
        self._deliver = deliver
        self._partitions: dict[int, _Partition] = {}
        self._lanes: dict[Lane, list[tuple[int, int, int, str]]] = {lane: [] for lane in LANES}
        self._planned: dict[
            tuple[Lane, str], int
        ] = {}  # the earliest entry of a person, so that a lane has one of each
        self._number = 0  # keeps the heaps first-in first-out within one instant
        self._gate_ms: dict[Lane, int] = dict.fromkeys(LANES, 0)  # no call of a lane with this token before
        self._flights: dict[str, asyncio.Task[None]] = {}
        self._flying: dict[Lane, int] = dict.fromkeys(LANES, 0)
        self._wake = asyncio.Event()
        self._failure: BaseException | None = None

    def assign(self, partition: int, contacts: Contacts) -> None:
        """Takes a partition over; `inherit` each person in it whose command has no outcome yet."""
        self._partitions[partition] = _Partition(contacts)

    def revoke(self, partition: int) -> None:
        """Starts nothing more of it; a call that is in flight ends, but what it learns is not kept here."""
        self._partitions.pop(partition, None)

    def caught_up(self, partition: int) -> None:
        """The partition was read to the end that it had when it was assigned: its activations may go."""
        owned = self._partitions.get(partition)
        if owned is None or owned.caught_up:
            return
        owned.caught_up = True
        owned.settles_ms = self._clock.now_ms() + self._settle_ms
        for person in sorted(owned.held):
            self.resume(partition, person)
        owned.held.clear()

    def desire(self, partition: int, command: Command) -> Contact:
        """Keeps the command if it is the newest of its person, and plans its delivery. Returns the record as kept."""
        contacts = self._partitions[partition].contacts
        before = contacts.get(command.person) or Contact()
        flying = command.person in self._flights
        after = desired.desire(before, command, self._clock.now_ms(), flying=flying)
        if after is not before:
            if not self._partitions[partition].caught_up:  # the former worker may have heard, and shown, some of this
                after = desired.doubted(after, self._clock.now_ms())
                self._partitions[partition].doubted.add(command.person)
            contacts.put(command.person, after)
            self.resume(partition, command.person)
        return after

    def inherit(self, partition: int, person: str) -> None:
        """Goes on with a person of a partition that was taken over; the former worker may have had a call in flight."""
        owned = self._partitions[partition]
        contact = owned.contacts.get(person)
        if contact is not None and contact.pending:
            owned.contacts.put(person, desired.doubted(contact, self._clock.now_ms()))
            owned.doubted.add(person)
            self.resume(partition, person)

    def resume(self, partition: int, person: str) -> None:
        """Plans the next attempt for a person whose newest command has no outcome."""
        owned = self._partitions[partition]
        contact = owned.contacts.get(person)
        if contact is None or not contact.pending:
            return
        if contact.begins and not owned.caught_up:
            owned.held.add(person)
            return
        lane: Lane = "settling" if contact.begins else "urgent"
        ready_ms = self._ready_ms(owned, contact)
        if ready_ms < self._planned.get((lane, person), ready_ms + 1):
            self._planned[lane, person] = ready_ms
            self._number += 1
            heapq.heappush(self._lanes[lane], (ready_ms, self._number, partition, person))
            self._wake.set()

    def again(self, partition: int, person: str) -> None:
        """Plans that a settled contact is read and, where it differs, written, as if nothing were known of it."""
        owned = self._partitions.get(partition)
        contact = owned.contacts.get(person) if owned is not None else None
        if owned is None or contact is None:
            return
        after = desired.again(contact, self._clock.now_ms())
        if after is not contact:
            owned.contacts.put(person, after)
            self.resume(partition, person)

    @property
    def pending_count(self) -> int:
        """Contacts whose newest command has no outcome yet, as far as it was read."""
        held = sum(len(owned.held) for owned in self._partitions.values())
        return len({person for _, person in self._planned} | self._flights.keys()) + held

    def _ready_ms(self, owned: _Partition, contact: Contact) -> int:
        return max(desired.ready_ms(contact, self._settle_ms), owned.settles_ms if contact.begins else 0)

    def due_ms(self) -> int | None:
        """When the next call may start; None where nothing waits, or nothing that waits has room before a call ends."""
        heads = [max(self._lanes[lane][0][0], self._gate_ms[lane]) for lane in LANES if self._has_room(lane)]
        return min(heads, default=None)

    def _has_room(self, lane: Lane) -> bool:
        """Whether anything waits in the lane that may start beside the calls in flight."""
        room = len(self._flights) < IN_FLIGHT_MAX and self._flying[lane] < LANE_IN_FLIGHT_MAX[lane]
        return room and bool(self._lanes[lane])

    async def quiet(self) -> None:
        """Makes every call that is due now, and returns when none is due or in flight any more."""
        self._start_due()
        while self._flights:
            await asyncio.wait(self._flights.values())
            self._raise_failure()
            self._start_due()
        self._raise_failure()

    async def run(self) -> None:
        """Delivers until cancelled. Raises Unauthorized where Intercom does not accept the token, and what `deliver` raises."""
        try:
            while True:
                self._wake.clear()
                self._start_due()
                self._raise_failure()
                await self._rest()
        finally:
            for flight in list(self._flights.values()):
                flight.cancel()
            await asyncio.gather(*self._flights.values(), return_exceptions=True)

    async def _rest(self) -> None:
        """Until something was desired, a call ended, or the next one is due."""
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self._wake.wait())]
        due_ms = self.due_ms()
        if due_ms is not None:
            left_ms = max(0, due_ms - self._clock.now_ms())
            waits.append(asyncio.create_task(self._clock.sleep(left_ms / 1000)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _start_due(self) -> None:
        now_ms = self._clock.now_ms()
        if self._failure is not None:
            return
        for lane in LANES:
            waiting = self._lanes[lane]
            while self._gate_ms[lane] <= now_ms and self._has_room(lane) and waiting[0][0] <= now_ms:
                _, _, partition, person = heapq.heappop(waiting)
                self._planned.pop((lane, person), None)
                self._start(partition, person, now_ms)

    def _start(self, partition: int, person: str, now_ms: int) -> None:
        """An entry is a hint, the record decides: a person in flight is planned again when the call ends."""
        owned = self._partitions.get(partition)
        contact = owned.contacts.get(person) if owned is not None else None
        if owned is None or contact is None or not contact.pending or person in self._flights:
            return
        held = contact.begins and not owned.caught_up
        lane: Lane = "settling" if contact.begins else "urgent"
        if held or max(self._ready_ms(owned, contact), self._gate_ms[lane]) > now_ms:
            self.resume(partition, person)
            return
        self._flying[lane] += 1
        self._flights[person] = asyncio.create_task(self._fly(owned, partition, person, lane))

    async def _fly(self, owned: _Partition, partition: int, person: str, lane: Lane) -> None:
        try:
            await self._attempt(owned, partition, person)
            del self._flights[person]
            if partition in self._partitions:
                self.resume(partition, person)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._failure = error
        finally:
            self._flying[lane] -= 1
            self._flights.pop(person, None)
            self._wake.set()

    async def _attempt(self, owned: _Partition, partition: int, person: str) -> None:
        contact = owned.contacts.get(person)
        assert contact is not None and contact.next is not None, "a flight starts for a pending contact"
        command = contact.next
        refusal, known = None, contact.known
        if not self._fresh(owned, partition, command):
            refusal = "expired"
        else:
            try:
                if await self._passed(owned, partition, contact, command):
                    return
                known = await self._show(owned, partition, contact, command)
            except (TryLater, Unknown, Overtaken, Talking) as failure:
                if self._partitions.get(partition) is owned:
                    await self._put_off(owned, person, failure)
                return
            except Refused as refused:
                known, refusal = refused.known or contact.known, refused.reason
        if self._partitions.get(partition) is not owned:
            return  # another worker owns the person now and repeats the revision
        owned.doubted.discard(person)
        DELIVERED.labels(counted_as(refusal)).inc()
        self._keep(owned, person, lambda kept: desired.learned(kept, known))
        await self._deliver(outcome(command, refusal, known, self._clock.now_ms()))
        if self._partitions.get(partition) is owned:
            self._keep(owned, person, lambda kept: desired.settled(kept, command.revision, refusal))

    async def _passed(self, owned: _Partition, partition: int, contact: Contact, command: Command) -> bool:
        """Whether a former worker did what is owed, and may have shown what was told after it: nothing older may follow."""
        if contact.owed is None or command.person not in owned.doubted:
            return False
        try:
            shown = await self._intercom.look(command, intercom_id=contact.known.intercom_id, urgent=True)
            told = shown is not None or command.external_id is not None  # whom no search shows may still be there
        except Refused:
            shown, told = None, False  # the withdrawal itself will say why
        if self._partitions.get(partition) is not owned:
            return True
        owned.doubted.discard(command.person)
        kept = owned.contacts.get(command.person)
        assert kept is not None, "records are replaced and never removed"
        after = desired.passed(kept, shown or {}) if told else kept
        if not desired.expired(after, self._clock.now_ms()):
            owned.contacts.put(command.person, after)
        return not self._fresh(owned, partition, command)

    async def _show(self, owned: _Partition, partition: int, contact: Contact, command: Command) -> Known:
        talked_ms = command.talked_ms
        old = talked_ms is None or self._clock.now_ms() - talked_ms > TALK_OLD_MS
        return await self._intercom.show(
            command,
            contact.known,
            fresh=lambda: self._fresh(owned, partition, command),
            urgent=not contact.begins,
            ask=contact.begins and old,
            unseen=contact.unseen_until_ms > self._clock.now_ms(),
        )

    def _fresh(self, owned: _Partition, partition: int, command: Command) -> bool:
        """Whether the command is still what is to be shown next, and not over by itself. Asked right before each write."""
        kept = owned.contacts.get(command.person)
        if kept is None or kept.next is None or kept.next.revision != command.revision:
            return False
        return self._partitions.get(partition) is owned and not desired.expired(kept, self._clock.now_ms())

    async def _put_off(self, owned: _Partition, person: str, failure: TryLater | Unknown | Overtaken | Talking) -> None:
        """Nothing was achieved, or it is not known: when to try again, and what."""
        now_ms = self._clock.now_ms()
        match failure:
            case Overtaken():
                self._keep(owned, person, lambda kept: desired.learned(kept, failure.known or kept.known))
                return
            case Talking():
                self._keep(
                    owned,
                    person,
                    lambda kept: desired.paused(kept, failure.known or kept.known, now_ms + TALK_PAUSE_MS),
                )
                for conversed in talked(person, failure.conversations, now_ms):
                    await self._deliver(conversed)
                return
        DELIVERED.labels("later" if isinstance(failure, TryLater) else "unknown").inc()
        after_ms = int(failure.after_seconds * 1000) if isinstance(failure, TryLater) else 0
        shared = isinstance(failure, TryLater) and failure.shared
        if isinstance(failure, TryLater) and failure.shared:
            for lane in LANES if failure.urgent_too else ("settling",):
                self._gate_ms[lane] = max(self._gate_ms[lane], now_ms + after_ms)

        def later(kept: Contact) -> Contact:
            pause_ms = after_ms if shared else max(after_ms, desired.backoff_ms(kept.attempts))
            unknown = isinstance(failure, Unknown)
            return desired.postponed(kept, failure.known or kept.known, now_ms, pause_ms, unknown=unknown)

        self._keep(owned, person, later)

    def _keep(self, owned: _Partition, person: str, change: Callable[[Contact], Contact]) -> None:
        """Changes the record as it is now: a newer command may have come while a call was in flight."""
        owned.contacts.put(person, change(owned.contacts.get(person) or Contact()))
