"""What all agents of a process share: their stores, the positions reached, outputs not yet acknowledged, and how much is held.

Promise: what is held in memory between two flushes is bounded in bytes, whatever the records look like.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple, TypeVar

import structlog
from faust.types import TP

from agents.reliable import gaps
from agents.reliable.record import Codec, Handler, Record
from agents.reliable.store import Store

DIRTY_RECORDS_MAX = 20_000  # a flush by number: about a second of work at the broker
DIRTY_BYTES_MAX = (
    32 << 20
)  # a flush by size: changed records as last encoded, and the input since, which is what they grow by
YOUNG_BYTES_MAX = 32 << 20  # of records kept as objects, as encoded, and as much again of older ones; see Store
CONFIRMED_SHARE = 0.5  # of a session; what is begun on the strength of an answer has the other half to arrive
log = structlog.get_logger(__name__)
T = TypeVar("T")


class Agent(NamedTuple):
    topic: str
    handler: Handler
    table: Any  # the Faust table, None for an agent without state
    codec: Codec | None


class Span(NamedTuple):
    """What Kafka has of a source partition, and where this group stands in it."""

    committed: int | None
    begin: int
    end: int


class Work:
    """See the module. `fail` ends the process and does not return, except in tests."""

    def __init__(self, fail: Callable[[str], None], *, gaps_allowed: bool) -> None:
        self.agents: dict[str, Agent] = {}
        self.stores: dict[TP, Store | None] = {}
        self.positions: dict[TP, int] = {}
        self.begins: dict[TP, int] = {}  # where reading began
        self.outputs: list[asyncio.Future[Any]] = []
        self.asking = asyncio.Lock()  # one question to the group at a time
        self.gate = asyncio.Lock()  # a snapshot never sees half a chunk
        self.fail = fail
        self.committed_at = time.monotonic()
        self.confirmed_at = -math.inf  # when the group was last asked whether this is still its member, and said so
        self.settled = False  # the group has shared out its partitions, and this worker may have got none
        self.watch: Callable[[], Awaitable[None]] | None = None  # runs from the start of the application
        self._gaps_allowed = gaps_allowed
        self._taken_bytes = 0
        self._steps: set[asyncio.Future[Any]] = set()

    async def uncut(self, step: Coroutine[Any, Any, T]) -> T:
        """Run the step to its end, also where who waits for it is cancelled meanwhile, as a fetcher is at a rebalance.

        Cut while it waits for room in the producer, a chunk would have changed the state and not all of its outputs would be
        known to the flush that follows, which holds the gate only after the step.
        """
        task = asyncio.ensure_future(step)
        self._steps.add(task)
        task.add_done_callback(self._steps.discard)
        return await asyncio.shield(task)

    def is_confirmed(self, session_seconds: float) -> bool:
        """Whether the group said so lately that this worker is its member that nobody can have taken over yet."""
        return time.monotonic() - self.confirmed_at < session_seconds * CONFIRMED_SHARE

    def assign(self, spans: Mapping[TP, Span]) -> None:
        """Open the stores and tell the handlers, after recovery and before the first batch.

        An empty partition without a commit has a position too, or it could never be said to be read to its end.
        """
        self.committed_at = time.monotonic()
        mine = {tp: span for tp, span in sorted(spans.items()) if tp.topic in self.agents}
        for tp, (committed, begin, end) in mine.items():
            agent = self.agents[tp.topic]
            gap = gaps.at_start(f"{tp.topic}/{tp.partition}", committed, begin, end)
            if gap is not None:
                self._gap(gap)
            store = _open(agent, tp.partition) if agent.table is not None else None
            self.stores[tp] = store
            self.positions[tp] = self.begins[tp] = begin if committed is None or gap is not None else committed
            agent.handler.assigned(store, tp.partition, committed)
            self.committed_at = time.monotonic()  # reading all of its records takes a handler a minute for millions
        self.settled = True

    def revoke(self) -> None:
        """Everything goes: Faust's protocol is eager, whatever is kept is assigned again."""
        self.settled = False
        for tp in sorted(self.stores):
            self.agents[tp.topic].handler.revoked(tp.partition)
        self.stores.clear()
        self.positions.clear()
        self.begins.clear()

    def new_of(self, tp: TP, chunk: list[Record]) -> list[Record]:
        """The records of the chunk that were not taken yet, and none that does not follow on the last one taken."""
        expected = self.positions.get(tp, chunk[0].offset)
        new = [record for record in chunk if record.offset >= expected]
        gap = gaps.within(f"{tp.topic}/{tp.partition}", expected, new)
        if gap is not None:
            self._gap(gap)
        self._taken_bytes += sum(len(record.value or b"") for record in new)
        return new

    def snapshot(self) -> list[tuple[TP, Store, Mapping[bytes, bytes | None]]]:
        """The bytes of everything that changed since the last one; from now on it counts as clean."""
        self._taken_bytes = 0
        return [(tp, store, store.snapshot()) for tp, store in self.stores.items() if store and store.dirty_count]

    def full(self) -> bool:
        """Whether a flush is due before more is taken."""
        stores = self._tables()
        return (
            sum(store.dirty_count for store in stores) > DIRTY_RECORDS_MAX
            or sum(store.dirty_bytes for store in stores) + self._taken_bytes > DIRTY_BYTES_MAX
            or sum(store.young_bytes for store in stores) > YOUNG_BYTES_MAX
        )

    def trim(self) -> None:
        """After a flush: forget what was not touched for long, where there is much."""
        stores = self._tables()
        if sum(store.young_bytes for store in stores) > YOUNG_BYTES_MAX // 2:
            for store in stores:
                store.age()

    def _tables(self) -> list[Store]:
        return [store for store in self.stores.values() if store is not None]

    def _gap(self, sentence: str) -> None:
        if self._gaps_allowed:
            log.warning("gap_allowed", reason=sentence)
        else:
            self.fail(sentence)
            raise RuntimeError(sentence)


def _open(agent: Agent, partition: int) -> Store:
    assert agent.codec is not None, "a table has a codec"
    data = agent.table.data
    return Store(
        partition,
        data._db_for_partition(partition),
        encode=agent.codec.encode,
        decode=agent.codec.decode,
        hidden=frozenset({data.offset_key}),
    )
