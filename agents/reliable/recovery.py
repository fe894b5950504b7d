"""The end of a recovery without a race: park the fetcher, seek, open the stores, and only then let anything flow."""

import asyncio
from typing import Any

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery

from agents.failure import told
from agents.reliable.consumer import Work

PARK_SECONDS_MAX = 20.0  # the fetcher asks at least once a second whether it should stop


def table_manager_class(work: Work) -> type[TableManager]:
    """A TableManager whose recovery is bound to this process's work."""

    class ParkedRecovery(Recovery):  # type: ignore[misc]
        async def _park(self) -> None:
            consumer, fetcher = self.app.consumer, self.app._fetcher
            consumer.stop_flow()
            deadline = asyncio.get_running_loop().time() + PARK_SECONDS_MAX
            while fetcher.started and not fetcher.should_stop and not consumer.parked.is_set():
                if asyncio.get_running_loop().time() > deadline:
                    work.fail("the fetcher did not park at the end of a recovery")
                await asyncio.sleep(0.01)

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
            new = {tp for tp in sources if consumer._committed_offset.get(tp) is None}
            begins = await consumer.earliest_offsets(*new) if new else {}
            if self.app.consumer_generation_id != generation_id:
                return
            try:
                work.assign(sources, consumer._committed_offset, begins)
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
