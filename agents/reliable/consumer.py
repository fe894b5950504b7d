"""Faust's consumer with a batch path: whole batches of a partition to a synchronous handler, state written behind.

Promise: at a commit, outputs, changelog, local state and source offsets become durable in that order; an error in between
stops the process before the offsets. Facts that this stands on: docs/decisions/0004. Overrides private methods of exactly
one release, which a test pins.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from agents.failure import told
from agents.measures import COMMITS, FLUSH_SECONDS, FLUSHED, REBALANCES
from agents.reliable import sending
from agents.reliable.record import Output, Record
from agents.reliable.store import Store, keep
from agents.reliable.work import Work

CHUNK_RECORDS = 500  # between two chunks other tasks run and the assignment is asked again
ACK_SECONDS_MAX = 30.0  # a broker that takes longer to acknowledge is treated as lost


def consumer_class(work: Work) -> type[driver.Consumer]:
    """A Consumer bound to this process's work."""

    class BatchConsumer(driver.Consumer):  # type: ignore[misc]
        _final = False

        def _reset_state(self) -> None:
            super()._reset_state()
            self.parked = asyncio.Event()

        def resume_flow(self) -> None:
            self.parked.clear()
            super().resume_flow()

        async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109  (the signature is Faust's)
            while not self.flow_active and not self.should_stop:
                self.parked.set()
                try:
                    await self.wait(self.can_resume_flow)
                finally:
                    self.parked.clear()
            generation = self.app.consumer_generation_id
            records, active = await super()._wait_next_records(timeout)
            for tp in [tp for tp in records or () if tp.topic in work.agents]:
                await self._take(tp, records.pop(tp), generation)
            for tp in [tp for tp in records or () if tp.topic in self.app.tables.changelog_topics]:
                await self._restore(tp, records.pop(tp), generation)
            return records, active

        def _flows(self, generation: int) -> bool:
            return self.flow_active and self.app.consumer_generation_id == generation and not self.should_stop

        def _mine(self, tp: TP, generation: int) -> bool:
            return self._flows(generation) and not self.app.rebalancing and tp in work.stores

        async def _restore(self, tp: TP, found: Sequence[Any], generation: int) -> None:
            """A batch of a changelog into the local state; what is left when the assignment changes is sought again."""
            for start in range(0, len(found), CHUNK_RECORDS):
                if not self._flows(generation):
                    return
                self.app.tables.recovery.restore(tp, found[start : start + CHUNK_RECORDS])
                await asyncio.sleep(0)

        async def _take(self, tp: TP, found: Sequence[Any], generation: int) -> None:
            """Hand a batch over in chunks; what is left when the assignment changes is fetched again after the seek."""
            for start in range(0, len(found), CHUNK_RECORDS):
                chunk = [
                    Record(tp.topic, tp.partition, m.offset, m.key, m.value)
                    for m in found[start : start + CHUNK_RECORDS]
                ]
                if not await work.uncut(self._take_chunk(tp, chunk, generation)):
                    return
                if work.full():
                    await self.commit()
                await asyncio.sleep(0)

        async def _take_chunk(self, tp: TP, chunk: list[Record], generation: int) -> bool:
            """State, outputs and position of a chunk belong together: a flush sees all of them or none. False: not ours."""
            agent = work.agents[tp.topic]
            async with work.gate:
                if not self._mine(tp, generation):
                    return False
                chunk = work.new_of(tp, chunk)
                if not chunk:
                    return True
                try:
                    outputs = list(agent.handler.batch(work.stores[tp], chunk))
                except Exception as error:
                    work.fail(f"the handler of {tp.topic} failed at {tp.partition}/{chunk[0].offset}: {told(error)}")
                    raise
                try:
                    await self.send(outputs)
                except Exception as error:  # the chunk's state is dirty: nothing may be flushed without its outputs
                    work.fail(f"an output of {tp.topic} at {tp.partition}/{chunk[0].offset} failed: {told(error)}")
                    raise
                work.positions[tp] = self._read_offset[tp] = chunk[-1].offset + 1
            return True

        async def send(self, outputs: Iterable[Output]) -> None:
            """Queue in order; the next commit awaits the acknowledgements."""
            work.outputs += await sending.queue(self.app.producer._ensure_producer(), outputs)

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
                changed = work.snapshot()
                outputs, work.outputs = work.outputs, []
            async with asyncio.timeout(ACK_SECONDS_MAX):
                if changed:
                    await self._fence()
                await asyncio.gather(*outputs)
                for tp, store, records in changed:
                    await self._write(tp, store, records)
            work.trim()
            return positions

        async def _write(self, tp: TP, store: Store, records: Mapping[bytes, bytes | None]) -> None:
            table, producer = work.agents[tp.topic].table, self.app.producer._ensure_producer()
            place = TopicPartition(table.changelog_topic_name, tp.partition)
            sending.guard(producer, self.app.tables.changelog_topics, self._hold)
            last = await sending.write(producer, place, records.items())
            keep(store.local, records.items(), table.data.offset_key, last)
            FLUSHED.inc(len(records))

        async def _commit(self, offsets: Mapping[TP, int]) -> bool:
            """The group's answer also says that this worker is its member: noted as of the question."""
            asked_at, asks = time.monotonic(), bool(offsets) and set(offsets) <= self.assignment()
            done = bool(await super()._commit(offsets))
            if done and asks:
                work.confirmed_at = asked_at
            return done

        async def confirm(self) -> bool:
            """Whether the group still counts this worker as the holder of what it holds, asked now."""
            async with work.asking:
                if self.app.rebalancing or not work.settled:
                    return False  # a commit in the middle of a join resets the generation
                again = {tp: self._committed_offset.get(tp) or begin for tp, begin in work.begins.items()}
                return bool(again) and await self._commit(again)

        async def _fence(self) -> None:
            """A member that outlived its session must not write over its successor's records: the group is asked first."""
            again = {tp: self._committed_offset.get(tp) or work.begins[tp] for tp in work.stores}
            if again and not await self._commit(again):
                raise RuntimeError("the group has gone on without this worker")

        async def _hold(self) -> None:
            """Returns once the group's answer is so young that nobody can have taken over: records of a changelog may be sent.

            The process may have stood still since the fence, and a request is tried again long after it.
            """
            try:
                while not work.is_confirmed(self.app.conf.broker_session_timeout):
                    if not work.stores:
                        raise RuntimeError("nothing is held any more")
                    await self._fence()
            except Exception as error:
                work.fail(f"a changelog may not be written: {told(error)}")
                raise

        async def on_partitions_revoked(self, revoked: set[TP]) -> None:
            self._final = True
            REBALANCES.inc()
            try:
                if work.stores:
                    await self.maybe_wait_for_commit_to_finish()  # Faust takes that one for this one
                    await self.commit()
                await super().on_partitions_revoked(revoked)
            finally:
                self._final = False
                work.revoke()

    return BatchConsumer
