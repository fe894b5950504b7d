"""Recovery without a race: the fetcher stands still at every seek, and nothing flows before the stores are open.

Why: a fetch that was under way when the flow was stopped goes on for up to a second, or, while the group is joining, until the
next assignment; it then asks for no partition in particular, which means all. What it brings is thrown away as long as the flow
is off, and its partitions stand behind it. A seek that came before is undone by that: the recovery waits for ever for records
that were thrown away, or goes on behind a hole.

A changelog is written into RocksDB batch by batch: Faust's queue, event and task cost a quarter of a millisecond a record.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP

from agents.failure import told
from agents.reliable.store import keep
from agents.reliable.work import Span, Work

PARK_SECONDS_MAX = 40.0  # the fetcher asks once a second whether it should stop; a commit in it may take thirty


def table_manager_class(work: Work) -> type[TableManager]:
    """A TableManager whose recovery is bound to this process's work."""

    class ParkedRecovery(Recovery):  # type: ignore[misc]
        async def _park(self) -> None:
            consumer, fetcher = self.app.consumer, self.app._fetcher
            consumer.stop_flow()
            deadline = asyncio.get_running_loop().time() + PARK_SECONDS_MAX
            while fetcher.started and not fetcher.should_stop and not consumer.parked.is_set():
                if asyncio.get_running_loop().time() > deadline:
                    work.fail("the fetcher did not stand still for a recovery")
                await asyncio.sleep(0.01)

        def _set_recovery_started(self) -> None:
            self.signal_recovery_end.clear()  # of the one before
            super()._set_recovery_started()

        def restore(self, tp: TP, found: Sequence[Any]) -> None:
            """Records of one partition of a changelog, in order; those that are here already are passed over."""
            active = tp in self.active_tps
            if not active and tp not in self.standby_tps:
                return  # of a former assignment
            table = self.tp_to_table[tp]
            offsets = self.active_offsets if active else self.standby_offsets
            seen = offsets.get(tp)
            new = [record for record in found if seen is None or record.offset > seen]
            if not new:
                return
            last = new[-1].offset
            try:
                local = table.data._db_for_partition(tp.partition)
                keep(local, ((record.key, record.value) for record in new), table.data.offset_key, last)
            except Exception as error:
                work.fail(f"the recovery of {table.name} could not keep what it read: {told(error)}")
                raise
            offsets[tp] = last
            heard = self._active_events_received_at if active else self._standby_events_received_at
            heard[tp] = time.monotonic()
            if self.in_recovery and not self.need_recovery():
                self.signal_recovery_end.set()  # Faust looks by itself only every five seconds

        async def _seek_offsets(self, consumer: Any, tps: set[Any], offsets: Any, title: str) -> None:
            await self._park()
            await super()._seek_offsets(consumer, tps, offsets, title)

        async def _resume_streams(self, generation_id: int = 0) -> None:
            await self.on_recovery_completed(generation_id)

        async def on_recovery_completed(self, generation_id: int = 0) -> None:
            consumer = self.app.consumer
            await self.app.on_rebalance_complete.send()
            await self._park()
            self._set_recovery_ended()
            ready = [
                table.on_recovery_completed(self.actives_for_table[table], self.standbys_for_table[table])
                for table in self.tables.values()
            ]
            await asyncio.gather(*ready)
            if self.app.consumer_generation_id != generation_id:
                return  # another rebalance has begun
            self.app.flow_control.resume()
            assignment = consumer.assignment()
            if assignment:
                await self._wait(consumer.perform_seek(), timeout=self.app.conf.broker_request_timeout)
            if self.standby_tps:  # what was fetched for them before the fetcher stood still was dropped: read it again
                await self._wait(
                    self._seek_offsets(consumer, self.standby_tps, self.standby_offsets, "standby"),
                    timeout=self.app.conf.broker_request_timeout,
                )
            sources: set[Any] = {tp for tp in assignment if not self._is_changelog_tp(tp)}
            begins = await consumer.earliest_offsets(*sources) if sources else {}
            ends = await consumer.highwaters(*sources) if sources else {}
            committed = consumer._committed_offset
            fresh = {tp: begins[tp] for tp in sources if committed.get(tp) is None}
            if fresh:  # no commit to go back to, and what was fetched of them meanwhile was dropped as well
                await self._wait(consumer.seek_wait(fresh), timeout=self.app.conf.broker_request_timeout)
            if self.app.consumer_generation_id != generation_id:
                return
            try:
                work.assign({tp: Span(committed.get(tp), begins[tp], ends[tp]) for tp in sources})
            except Exception as error:
                work.fail(f"a partition could not be opened: {told(error)}")
                raise
            consumer.resume_partitions(sources)
            self.completed.set()
            self.app.on_rebalance_end()
            consumer.resume_flow()
            await self.app._fetcher.maybe_start()
            self.tables.on_actives_ready()
            if not self.app.assignor.assigned_standbys():
                self.tables.on_standbys_ready()

    class ParkedTableManager(TableManager):  # type: ignore[misc]
        _recovery: Any

        @property
        def recovery(self) -> Recovery:
            if self._recovery is None:
                self._recovery = ParkedRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
            return self._recovery

    return ParkedTableManager
