"""Tells Customer.io what was decided, carried by Faust: decisions in, calls out, one record per person that waits in a table.

What waits is durable before its decision counts as read, and is forgotten only when Customer.io has taken it; a crash between
the two repeats a call under the same id. Whatever Customer.io does, nothing here holds up anything else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import Protocol

import msgspec
import structlog

from agents import telling_back
from agents.clock import Clock
from agents.customerio import BATCH_MESSAGES_MAX, Failure, Message, Unauthorized
from agents.measures import TOLD_BACK
from agents.reliable import Codec, Output, Record, Store
from agents.telling_back import Untold
from contracts import decisions

CODEC = Codec(encode=telling_back.encode, decode=telling_back.decode)
GATHER_SECONDS = 1.0  # what comes within it goes in one request; journeys notice no second
PEOPLE_MAX = BATCH_MESSAGES_MAX  # of one request: each has a message at least; where so many wait, nothing is gathered
PAUSE_FIRST_SECONDS, PAUSE_MAX_SECONDS = 2.0, 60.0  # Customer.io names no time with its 429
log = structlog.get_logger(__name__)


class Sender(Protocol):
    async def send(self, messages: Sequence[Message]) -> tuple[str, ...]: ...


class TellerAgent:
    """Handler of the `decisions` topic. `run` has to run beside it for as long as the worker lives."""

    def __init__(
        self,
        *,
        sender: Sender,
        clock: Clock,
        erased: Callable[[int, str], bool],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """erased: whether (partition, person) is erased, as far as it is known here; asked right before each request."""
        self._sender = sender
        self._clock = clock
        self._erased = erased
        self._sleep = sleep
        self._stores: dict[int, Store] = {}
        self._waiting: dict[tuple[int, str], None] = {}  # in the order in which they came
        self._wake = asyncio.Event()

    def assigned(self, store: Store | None, partition: int, committed: int | None) -> None:
        assert store is not None, "what is to be told has a table"
        self._stores[partition] = store
        for key, _ in store.items():
            self._await(partition, key.decode())

    def revoked(self, partition: int) -> None:
        self._stores.pop(partition, None)
        self._waiting = {place: None for place in self._waiting if place[0] != partition}

    def batch(self, store: Store | None, records: Sequence[Record]) -> Iterable[Output]:
        """Never fails: what is no decision was written by nobody of ours, and is counted."""
        for record in records:
            try:
                decision = decisions.decode(record.value or b"")
            except msgspec.DecodeError:
                TOLD_BACK.labels("unreadable").inc()
                continue
            self._take(record.partition, decision)
        return ()

    def before_flush(self, store: Store | None, next_offset: int) -> None:
        """Every record is put when it changes, so a commit has nothing to add."""

    async def run(self) -> None:
        """Sends until cancelled."""
        pause_seconds = PAUSE_FIRST_SECONDS
        while True:
            await self._wake.wait()
            if len(self._waiting) < PEOPLE_MAX:
                await self._sleep(GATHER_SECONDS)
            try:
                await self.tell()
            except Failure as failure:
                TOLD_BACK.labels("later").inc()
                log.warning("not_told_back", reason=str(failure))
                await self._sleep(PAUSE_MAX_SECONDS if isinstance(failure, Unauthorized) else pause_seconds)
                pause_seconds = min(pause_seconds * 2, PAUSE_MAX_SECONDS)
            else:
                pause_seconds = PAUSE_FIRST_SECONDS

    async def tell(self) -> None:
        """Sends one batch of what waits; one at a time, so that a person's calls arrive in their order. Failure."""
        chosen = self._chosen()
        calls = [call for (_, person), untold in chosen for call in telling_back.messages(person, untold)]
        if not calls:
            if not self._waiting:
                self._wake.clear()
            return
        owners = {partition: self._stores[partition] for (partition, _), _ in chosen}
        refused = await self._sender.send(calls)
        TOLD_BACK.labels("told").inc(len(calls) - len(refused))
        TOLD_BACK.labels("refused").inc(len(refused))
        if refused:
            log.warning("refused_by_customerio", count=len(refused))
        for (partition, person), sent in chosen:
            if self._stores.get(partition) is owners[partition]:
                self._forget(partition, person, sent)

    def _take(self, partition: int, decision: decisions.Decision) -> None:
        store, key = self._stores[partition], decision.person.encode()
        kept = store.get(key)
        added = telling_back.add(kept or Untold(), decision, self._clock.now_ms())
        if isinstance(added, Untold):
            store.put(key, added)
            self._await(partition, decision.person)
            return
        TOLD_BACK.labels(added).inc()
        if added == "erased" and kept is not None:
            self._drop(partition, decision.person)

    def _drop(self, partition: int, person: str) -> None:
        self._stores[partition].delete(person.encode())
        self._waiting.pop((partition, person), None)

    def _await(self, partition: int, person: str) -> None:
        self._waiting[partition, person] = None
        self._wake.set()

    def _chosen(self) -> list[tuple[tuple[int, str], Untold]]:
        """Whole people, in the order in which they came, up to a batch; one alone may exceed it."""
        chosen: list[tuple[tuple[int, str], Untold]] = []
        count = 0
        for place in list(islice(self._waiting, PEOPLE_MAX)):
            untold = self._stores[place[0]].get(place[1].encode())
            if untold is None:
                del self._waiting[place]
                continue
            if self._erased(*place):  # outside of a moment no decision says so
                TOLD_BACK.labels("erased").inc()
                self._drop(*place)
                continue
            count += len(untold.events) + (untold.state is not None)
            if chosen and count > BATCH_MESSAGES_MAX:
                break
            chosen.append((place, untold))
        return chosen

    def _forget(self, partition: int, person: str, sent: Untold) -> None:
        store, key = self._stores[partition], person.encode()
        kept = store.get(key)
        left = telling_back.without(kept, sent) if kept is not None else None
        self._waiting.pop((partition, person), None)
        if left is not None:
            store.put(key, left)
            self._await(partition, person)
        elif kept is not None:
            store.delete(key)
