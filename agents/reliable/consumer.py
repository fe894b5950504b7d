"""Faust's consumer with a batch path: whole batches of a partition to a synchronous handler, state written behind.

Promise: at a commit, outputs, changelog, local state and source offsets become durable in that order; an error in between
stops the process before the offsets. Facts that this stands on: docs/decisions/0004. Overrides private methods of exactly
one release, which a test pins.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import rocksdict
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from agents.failure import told
from agents.measures import COMMITS, FLUSH_SECONDS, FLUSHED, REBALANCES
from agents.reliable.record import Codec, Handler, Output, Record
from agents.reliable.store import Store

CHUNK_RECORDS = 500  # between two chunks other tasks run and the assignment is asked again
DIRTY_RECORDS_MAX = 20_000  # a flush by size: about 20 MB of changelog, a second of work
ACK_SECONDS_MAX = 30.0  # a broker that takes longer to acknowledge is treated as lost


class Agent(NamedTuple):
    topic: str
    handler: Handler
    table: Any  # the Faust table, None for an agent without state
    codec: Codec | None


class Work:
    """What all of a process's agents share: their stores, the positions reached, outputs not yet acknowledged."""

    def __init__(self, fail: Callable[[str], None]) -> None:
        self.agents: dict[str, Agent] = {}
        self.stores: dict[TP, Store | None] = {}
        self.positions: dict[TP, int] = {}
        self.outputs: list[asyncio.Future[Any]] = []
        self.gate = asyncio.Lock()  # a snapshot never sees half a chunk
        self.fail = fail
        self.committed_at = time.monotonic()
        self.settled = False  # the group has shared out its partitions, and this worker may have got none
        self.watch: Callable[[], Awaitable[None]] | None = None  # runs from the start of the application

    def assign(self, tps: Iterable[TP], committed: Mapping[TP, int | None], begins: Mapping[TP, int]) -> None:
        """Open the stores and tell the handlers, after recovery and before the first batch.

        begins: where reading starts on a partition without a commit; an empty one has a position too, or it could never be
        said to be read to its end.
        """
        self.committed_at = time.monotonic()
        for tp in sorted(tps):
            agent = self.agents.get(tp.topic)
            if agent is None:
                continue
            store = None
            if agent.table is not None and agent.codec is not None:
                data = agent.table.data
                store = Store(
                    tp.partition,
                    data._db_for_partition(tp.partition),
                    encode=agent.codec.encode,
                    decode=agent.codec.decode,
                    hidden=frozenset({data.offset_key}),
                )
            self.stores[tp] = store
            offset = committed.get(tp)
            self.positions[tp] = begins[tp] if offset is None else offset
            agent.handler.assigned(store, tp.partition, offset)
        self.settled = True

    def revoke(self) -> None:
        """Everything goes: Faust's protocol is eager, whatever is kept is assigned again."""
        self.settled = False
        for tp in sorted(self.stores):
            self.agents[tp.topic].handler.revoked(tp.partition)
        self.stores.clear()
        self.positions.clear()

    def dirty_count(self) -> int:
        return sum(store.dirty_count for store in self.stores.values() if store is not None)


def consumer_class(work: Work) -> type[driver.Consumer]:
    """A Consumer bound to this process's work."""

    class BatchConsumer(driver.Consumer):  # type: ignore[misc]
        _final = False

        def _reset_state(self) -> None:
            super()._reset_state()
            self.parked = asyncio.Event()

        async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109  (the signature is Faust's)
            if not self.flow_active:
                self.parked.set()
                try:
                    await self.wait(self.can_resume_flow)
                finally:
                    self.parked.clear()
            generation = self.app.consumer_generation_id
            records, active = await super()._wait_next_records(timeout)
            for tp in [tp for tp in records or () if tp.topic in work.agents]:
                await self._take(tp, records.pop(tp), generation)
            return records, active

        def _mine(self, tp: TP, generation: int) -> bool:
            return (
                self.flow_active
                and not self.app.rebalancing
                and self.app.consumer_generation_id == generation
                and not self.should_stop
                and tp in work.stores
            )

        async def _take(self, tp: TP, found: Sequence[Any], generation: int) -> None:
            """Hand a batch over in chunks; what is left when the assignment changes is fetched again after the seek."""
            agent = work.agents[tp.topic]
            for start in range(0, len(found), CHUNK_RECORDS):
                chunk = [
                    Record(tp.topic, tp.partition, m.offset, m.key, m.value)
                    for m in found[start : start + CHUNK_RECORDS]
                ]
                async with work.gate:
                    if not self._mine(tp, generation):
                        return
                    expected = work.positions.get(tp, chunk[0].offset)
                    chunk = [record for record in chunk if record.offset >= expected]
                    if not chunk:
                        continue
                    try:
                        outputs = list(agent.handler.batch(work.stores[tp], chunk))
                    except Exception as error:
                        work.fail(
                            f"the handler of {tp.topic} failed at {tp.partition}/{chunk[0].offset}: {told(error)}"
                        )
                        raise
                    try:
                        await self.send(outputs)
                    except Exception as error:  # the chunk's state is dirty: nothing may be flushed without its outputs
                        work.fail(f"an output of {tp.topic} at {tp.partition}/{chunk[0].offset} failed: {told(error)}")
                        raise
                    work.positions[tp] = self._read_offset[tp] = chunk[-1].offset + 1
                if work.dirty_count() > DIRTY_RECORDS_MAX:
                    await self.commit()
                await asyncio.sleep(0)

        async def send(self, outputs: Iterable[Output]) -> None:
            """Queue in order; the next commit awaits the acknowledgements."""
            producer = self.app.producer
            for output in outputs:
                work.outputs.append(
                    await producer.send(output.topic, output.key, output.value, output.partition, None, None)
                )

        def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
            yield from list(work.positions)

        def _new_offset(self, tp: TP) -> int | None:
            return work.positions.get(tp)

        async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
            if self.app.rebalancing and not self._final:
                return False  # a commit in the middle of a join resets the generation
            return bool(await super().commit(topics, start_new_transaction=start_new_transaction))

        async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
            """Also flush when no offset moved: tasks produce and write outside of batches."""
            began = time.monotonic()
            try:
                positions = await self._flush()
            except Exception as error:
                work.fail(f"a commit could not make its outputs and state durable: {told(error)}")
                raise
            FLUSH_SECONDS.observe(time.monotonic() - began)
            offsets = {tp: offset for tp, offset in positions.items() if offset > (self._committed_offset.get(tp) or 0)}
            if offsets and not await self._commit_offsets(offsets, start_new_transaction=start_new_transaction):
                work.fail("the broker refused a commit: another worker owns these partitions now")
            work.committed_at = time.monotonic()
            COMMITS.inc()
            return bool(offsets)

        async def _flush(self) -> dict[TP, int]:
            async with work.gate:
                positions = dict(work.positions)
                for tp, store in work.stores.items():
                    moved = positions[tp] > (self._committed_offset.get(tp) or 0)
                    if store is not None and (moved or store.dirty_count):
                        work.agents[tp.topic].handler.before_flush(store, positions[tp])
                changed = [
                    (tp, store, store.snapshot()) for tp, store in work.stores.items() if store and store.dirty_count
                ]
                outputs, work.outputs = work.outputs, []
            if self._final:
                await self._fence()
            async with asyncio.timeout(ACK_SECONDS_MAX):
                await asyncio.gather(*outputs)
                for tp, store, records in changed:
                    await self._write(tp, store, records)
            for store in work.stores.values():
                if store is not None:
                    store.trim()
            return positions

        async def _write(self, tp: TP, store: Store, records: Mapping[bytes, bytes | None]) -> None:
            table = work.agents[tp.topic].table
            topic, producer = table.changelog_topic_name, self.app.producer
            sent = [await producer.send(topic, key, value, tp.partition, None, None) for key, value in records.items()]
            acknowledged = await asyncio.gather(*sent)
            batch = rocksdict.WriteBatch(raw_mode=True)
            for key, value in records.items():
                if value is None:
                    batch.delete(key)
                else:
                    batch.put(key, value)
            batch.put(table.data.offset_key, str(max(metadata.offset for metadata in acknowledged)).encode())
            store.local.write(batch)
            FLUSHED.inc(len(records))

        async def _fence(self) -> None:
            """Before the last flush of a generation: a member that outlived its session must not write over its successor."""
            again = {tp: offset for tp, offset in self._committed_offset.items() if offset and tp in work.stores}
            if again and not await self._commit(again):
                raise RuntimeError("the group has gone on without this worker")

        async def on_partitions_revoked(self, revoked: set[TP]) -> None:
            self._final = True
            REBALANCES.inc()
            try:
                if work.stores:
                    await self.commit()
                await super().on_partitions_revoked(revoked)
            finally:
                self._final = False
                work.revoke()

    return BatchConsumer
