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
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import faust
import structlog
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from agents.failure import told
from agents.reliable.consumer import consumer_class
from agents.reliable.disk import hindrance, open_sound
from agents.reliable.record import Codec, Handler, Output, Plain
from agents.reliable.recovery import table_manager_class
from agents.reliable.watch import Health, Limits
from agents.reliable.watchdog import Watchdog
from agents.reliable.work import Agent, Work

EXIT_FAILED = 70  # EX_SOFTWARE: restart me
ROCKSDB_BYTES_MAX = 192 << 20  # of a table with all its partitions: block cache and two write buffers each
ROCKSDB_PART_BYTES = (256 << 10, 8 << 20)  # below, it would flush all the time; above, one partition gains nothing
ROCKSDB_FILES_MAX = 64  # open at once per partition; each holds its index in memory
BATCH_BYTES_MAX = 256 << 10  # a quarter of what a broker takes at once; the usual 16 kB is a request for thirty people
QUIET_LOGGERS = ("faust", "mode", "aiokafka")

T = TypeVar("T")
log = structlog.get_logger(__name__)


class App:
    """See the module. `faust` is the carried application."""

    def __init__(self, work: Work, carried: faust.App, limits: Limits, session_seconds: float) -> None:
        self.faust = carried
        self._session_seconds = session_seconds
        self._work = work
        self._watchdog = Watchdog(work, carried, limits)

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
                made = self._table(table, partitions)

            async def subscription(stream: Any) -> None:
                async for _ in stream:
                    self._work.fail(f"a record of {topic} took the stream's path instead of the batch path")

            subscription.__name__ = f"subscription_{topic.replace('.', '_').replace('-', '_')}"
            self.faust.agent(source, name=subscription.__name__)(subscription)
            self._work.agents[topic] = Agent(topic, handler, made, codec)
            return target

        return decorate

    def _table(self, name: str, partitions: int) -> Any:
        part = min(max(ROCKSDB_BYTES_MAX // partitions // 3, ROCKSDB_PART_BYTES[0]), ROCKSDB_PART_BYTES[1])
        options = {
            "block_cache_size": part,
            "write_buffer_size": part,
            "max_write_buffer_number": 2,
            "max_open_files": ROCKSDB_FILES_MAX,
        }
        made = self.faust.Table(name, key_type=bytes, value_type=bytes, partitions=partitions, options=options)
        made._new_store = self._soundly(made)
        return made

    def _soundly(self, table: Any) -> Callable[[], Any]:
        """Faust starts again and again on a damaged file."""
        new_store = table._new_store

        def made() -> Any:
            store = new_store()
            opened = store._open_for_partition

            def open_for(number: int) -> Any:
                try:
                    return open_sound(store.partition_path(number), lambda: opened(number))
                except Exception as error:
                    self._work.fail(f"the local state of {table.name} {number} cannot be opened: {hindrance(error)}")
                    raise

            store._open_for_partition = open_for
            return store

        return made

    def task(self, function: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Run once after the first recovery; an exception in it stops the process, but for one that comes of its end.

        In an orderly end Faust takes the consumer away before the tasks: what a task asks meanwhile cannot be answered.
        """

        async def guarded() -> None:
            try:
                await function()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                if self.faust.should_stop:
                    return
                self._work.fail(f"the task {function.__name__} failed: {told(error)}")
                raise

        guarded.__name__ = function.__name__
        self.faust.task(guarded)
        return function

    async def produce(self, outputs: Iterable[Output]) -> None:
        """Queue records from a task, in order; acknowledged with the next commit, and fatal where they are not."""
        await self._work.uncut(self._produce(outputs))

    async def _produce(self, outputs: Iterable[Output]) -> None:
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

    async def confirmed(self) -> bool:
        """Whether nobody can have taken over from this worker yet: the group said so within its session, or says so now.

        A process that stood still for longer than its session asks before it does anything that others would see.
        """
        if self._work.is_confirmed(self._session_seconds):
            return True
        return bool(await self.faust.consumer.confirm())

    def health(self) -> Health:
        """Truthful: live while positions advance or nothing is left to read. From any thread, and never waits."""
        return self._watchdog.health()

    def run(self) -> int:
        """Work until SIGTERM or SIGINT, commit what is done, and give the exit code."""
        for name in QUIET_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        worker = faust.Worker(
            self.faust, loglevel="WARN", quiet=True, redirect_stdouts=False, override_logging=False, debug=False
        )
        worker.spinner = None  # it writes control characters, and makes the root logger build every debug record
        self._watchdog.start()
        try:
            worker.execute_from_commandline()
        except SystemExit as done:
            if not done.code:
                return 0
            crash = self.faust.crash_reason
            reason = f"the carrier ended: {told(crash)}" if crash else "the carrier ended without a reason"
            log.critical("stopped", reason=reason, exit=EXIT_FAILED)
            return EXIT_FAILED
        return 0


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
    gaps_allowed: bool = False,
    limits: Limits = Limits(),  # noqa: B008  (an immutable value)
) -> App:
    """An application whose consumer group is `name`; topics are made beforehand, never by it.

    datadir: of this process alone. credentials: a faust.auth value for TLS and SASL. gaps_allowed: go on, with a
    warning, where records are missing. limits: of the watchdog.
    """

    def fail(sentence: str) -> None:
        log.critical("stopped", reason=sentence, exit=EXIT_FAILED)
        logging.shutdown()
        os._exit(EXIT_FAILED)

    work = Work(fail, gaps_allowed=gaps_allowed)
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
        producer_max_batch_size=BATCH_BYTES_MAX,
        producer_acks=-1,
        stream_wait_empty=True,
        web_enabled=False,
        TableManager=table_manager_class(work),
    )
    return App(work, carried, limits, session_seconds)
