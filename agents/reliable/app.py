"""The carrier of all agents of one process: Faust for membership, recovery and standbys; our batch path for the work.

    app = create_app(name="concierge", ...)

    @app.agent("signals", partitions=8, table="people", codec=CODEC)
    class Judge: ...

Promise: a handler's error, a failed produce, a refused commit or a stalled worker ends the process with exit code 70 before
anything is committed that was not done; a supervisor starts it again and it goes on from the last commit.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from agents.reliable.consumer import Agent, Work, consumer_class
from agents.reliable.record import Codec, Handler, Output, Plain
from agents.reliable.recovery import table_manager_class

EXIT_FAILED = 70  # EX_SOFTWARE: restart me
BLOCK_CACHE_BYTES = WRITE_BUFFER_BYTES = 8 << 20  # per partition; Faust's own 2 GiB would be per partition too
COMMIT_STALL_SECONDS_MAX = 60.0  # working and not committing for so long is a hang
RECOVERY_STALL_SECONDS_MAX = 15.0  # a recovery that hears nothing for so long never ends: about one survivor in ten
STILL_SECONDS_MAX = 120.0  # neither progress nor the end of the log; longer than a rebalance and its waits may take
WATCH_SECONDS = 2.0
QUIET_LOGGERS = ("faust", "mode", "aiokafka")

T = TypeVar("T")
log = structlog.get_logger(__name__)


class App:
    """See the module. `faust` is the carried application."""

    def __init__(self, work: Work, carried: faust.App) -> None:
        self.faust = carried
        self._work = work
        self._moved_at = time.monotonic()

    def agent(
        self, topic: str, *, partitions: int, table: str | None = None, codec: Codec | None = None
    ) -> Callable[[T], T]:
        """Decorate a handler object, a handler class without arguments, or a function `(store, records) -> outputs`."""
        if (table is None) != (codec is None):
            raise ValueError("a table needs a codec, and a codec a table")

        def decorate(target: T) -> T:
            found: Any = target() if isinstance(target, type) else target
            handler: Handler = found if isinstance(found, Handler) else Plain(found)
            source = self.faust.topic(
                topic,
                key_type=bytes,
                value_type=bytes,
                key_serializer="raw",
                value_serializer="raw",
                partitions=partitions,
            )
            made = None
            if table is not None:
                made = self.faust.Table(
                    table,
                    key_type=bytes,
                    value_type=bytes,
                    partitions=partitions,
                    options={
                        "block_cache_size": BLOCK_CACHE_BYTES,
                        "write_buffer_size": WRITE_BUFFER_BYTES,
                        "max_write_buffer_number": 2,
                    },
                )

            async def subscription(stream: Any) -> None:
                async for _ in stream:
                    self._work.fail(f"a record of {topic} took the stream's path instead of the batch path")

            subscription.__name__ = f"subscription_{topic.replace('.', '_').replace('-', '_')}"
            self.faust.agent(source, name=subscription.__name__)(subscription)
            self._work.agents[topic] = Agent(topic, handler, made, codec)
            return target

        return decorate

    def task(self, function: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Run once after the first recovery; an exception in it stops the process."""

        async def guarded() -> None:
            try:
                await function()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self._work.fail(f"the task {function.__name__} failed: {error!r}")
                raise

        guarded.__name__ = function.__name__
        self.faust.task(guarded)
        return function

    async def produce(self, outputs: Iterable[Output]) -> None:
        """Queue records from a task, in order; acknowledged with the next commit, and fatal where they are not."""
        async with self._work.gate:
            await self.faust.consumer.send(outputs)

    @property
    def ready(self) -> bool:
        """Recovered, assigned and not rebalancing."""
        return not self.faust.rebalancing and not self.faust.in_recovery and bool(self._work.stores)

    def active(self, topic: str) -> frozenset[int]:
        """Partitions of the topic that this process works on now."""
        return frozenset(tp.partition for tp in self._work.stores if tp.topic == topic)

    def positions(self, topic: str) -> dict[int, int]:
        """Next offset per active partition; it moves only once the outputs of what is before it are queued."""
        return {tp.partition: at for tp, at in self._work.positions.items() if tp.topic == topic}

    async def end_offsets(self, topic: str) -> dict[int, int]:
        """The end of each active partition, asked of the broker now."""
        asked = {TP(topic, partition) for partition in self.active(topic)}
        found = await self.faust.consumer.highwaters(*asked) if asked else {}
        return {tp.partition: offset for tp, offset in found.items() if offset is not None}

    def store(self, topic: str, partition: int) -> Any:
        """The store of an active partition; None where it is not active (any more)."""
        return self._work.stores.get(TP(topic, partition))

    def alive(self) -> bool:
        """Truthful liveness, from any thread: positions move, or the broker says that there is nothing more to read."""
        return self._stalled() is None

    def run(self) -> int:
        """Work until SIGTERM or SIGINT, commit what is done, and give the exit code."""
        for name in QUIET_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        worker = faust.Worker(
            self.faust, loglevel="WARN", quiet=True, redirect_stdouts=False, override_logging=False, debug=False
        )
        self._work.watch = self._watch
        try:
            worker.execute_from_commandline()
        except SystemExit as done:
            return EXIT_FAILED if done.code else 0
        return 0

    async def _watch(self) -> None:
        before: dict[TP, int] = {}
        while not self.faust.should_stop:
            now = time.monotonic()
            if await self._progressed(before):
                self._moved_at = now
            before = dict(self._work.positions)
            reason = self._stalled()
            if reason is not None:
                self._work.fail(reason)
            await asyncio.sleep(WATCH_SECONDS)

    async def _progressed(self, before: dict[TP, int]) -> bool:
        if self.faust.in_recovery:
            return self._heard_at() > self._moved_at
        if self.faust.rebalancing:
            return False
        positions = dict(self._work.positions)
        if positions != before or not positions:
            return True
        try:
            ends = await asyncio.wait_for(self.faust.consumer.highwaters(*positions), WATCH_SECONDS)
        except (KafkaError, TimeoutError):
            return False
        return all(positions[tp] >= (end or 0) for tp, end in ends.items())

    def _heard_at(self) -> float:
        recovery = self.faust.tables.recovery
        return float(
            max([*recovery._active_events_received_at.values(), recovery._recovery_started_at or self._moved_at])
        )

    def _stalled(self) -> str | None:
        now = time.monotonic()
        if self.faust.in_recovery and self.faust.tables.recovery.need_recovery():
            if now - self._heard_at() > RECOVERY_STALL_SECONDS_MAX:
                return "the recovery has read no changelog record for too long"
        elif now - self._moved_at > STILL_SECONDS_MAX:
            return "nothing was read for too long although there is more, or the group did not settle"
        elif self._work.stores and now - self._work.committed_at > COMMIT_STALL_SECONDS_MAX:
            return "nothing was committed for too long although this worker is assigned"
        return None


def create_app(
    *,
    name: str,
    bootstrap: str,
    datadir: Path,
    partitions: int,
    commit_seconds: float,
    replication: int,
    standbys: int,
    session_seconds: float,
    credentials: Any = None,
) -> App:
    """An application whose consumer group is `name`; topics are made beforehand, never by it.

    datadir: of this process alone. credentials: a faust.auth value for TLS and SASL.
    """

    def fail(sentence: str) -> None:
        log.critical("stopped", reason=sentence, exit=EXIT_FAILED)
        logging.shutdown()
        os._exit(EXIT_FAILED)

    work = Work(fail)
    kafka = ";".join(f"aiokafka://{broker}" for broker in bootstrap.split(","))

    class Transport(driver.Transport):  # type: ignore[misc]
        Consumer = consumer_class(work)

    class Carried(faust.App):  # type: ignore[misc]
        def _new_transport(self) -> Any:
            return Transport(self.conf.broker_consumer, self)

        async def on_start(self) -> None:
            await super().on_start()
            if work.watch is not None:
                self.add_future(work.watch())

    carried = Carried(
        name,
        broker=kafka,
        store="rocksdb://",
        datadir=datadir,
        topic_partitions=partitions,
        topic_replication_factor=replication,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=standbys,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=commit_seconds,
        broker_session_timeout=session_seconds,
        broker_heartbeat_interval=session_seconds / 5,
        broker_credentials=credentials,
        producer_linger=0.02,
        producer_acks=-1,
        stream_wait_empty=True,
        web_enabled=False,
        TableManager=table_manager_class(work),
    )
    return App(work, carried)
