"""Why a recovery hung now and then, and that ours does not seek before the fetcher stands still."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from faust.app.base import App
from faust.types import TP

from agents.reliable.recovery import table_manager_class
from agents.reliable.work import Work
from rehearsal.broker import create_topics

TOPIC = "under-way"
COUNT = 10


@pytest.mark.kafka
async def test_a_fetch_under_way_takes_what_a_later_seek_asked_for(kafka: str) -> None:
    """Faust hands over the set of partitions itself and empties it at a rebalance; to aiokafka an empty one means all."""
    create_topics(kafka, {TOPIC: (1, {})})
    producer = Producer({"bootstrap.servers": kafka})
    for _ in range(COUNT):
        producer.produce(TOPIC, b"x")
    producer.flush(20)
    changelog = TopicPartition(TOPIC, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([changelog])
        await consumer.seek_to_end(changelog)
        assert await consumer.position(changelog) == COUNT
        asked = {TopicPartition("a-source", 0)}
        under_way = asyncio.create_task(consumer._fetcher.fetched_records(asked, timeout=20))
        await asyncio.sleep(0)
        asked.clear()
        consumer.seek(changelog, 0)
        found = await under_way
        assert len(found[changelog]) == COUNT
        assert await consumer.position(changelog) == COUNT  # whoever throws them away never sees them again
    finally:
        await consumer.stop()


class Consumer:
    """What a recovery asks of Faust's consumer, and in which order."""

    def __init__(self) -> None:
        self.parked = asyncio.Event()
        self.calls: list[str] = []

    def stop_flow(self) -> None:
        self.calls.append("stop")

    async def seek_wait(self, offsets: Any) -> None:
        self.calls.append("seek")


class Settled(Consumer):
    """Two partitions of a source, of which one was committed at 5; both hold records 3 to 9."""

    FRESH, COMMITTED = TP("in", 0), TP("in", 1)

    def __init__(self) -> None:
        super().__init__()
        self.parked.set()
        self._committed_offset = {self.COMMITTED: 5}
        self.sought: dict[TP, int] = {}

    def assignment(self) -> set[TP]:
        return {self.FRESH, self.COMMITTED}

    async def perform_seek(self) -> None:
        self.sought |= self._committed_offset

    async def earliest_offsets(self, *tps: TP) -> dict[TP, int]:
        return dict.fromkeys(tps, 3)

    async def highwaters(self, *tps: TP) -> dict[TP, int]:
        return dict.fromkeys(tps, 10)

    async def seek_wait(self, offsets: Any) -> None:
        self.sought |= offsets

    def resume_partitions(self, tps: set[TP]) -> None:
        self.calls.append("resume partitions")

    def resume_flow(self) -> None:
        self.calls.append("resume")


async def test_a_partition_without_a_commit_is_read_from_its_first_record_whatever_was_fetched_before() -> None:
    """A fetch during the recovery is thrown away, and would leave a hole where there is no commit to go back to."""
    consumer, work = Settled(), Work(print, gaps_allowed=False)
    recovery = table_manager_class(work)(App("recovery", loop=asyncio.get_running_loop())).recovery

    async def sent() -> None:
        return None

    def nothing(*_: Any) -> None:
        return None

    recovery.app = SimpleNamespace(
        consumer=consumer,
        consumer_generation_id=1,
        conf=SimpleNamespace(broker_request_timeout=5.0),
        flow_control=SimpleNamespace(resume=nothing),
        on_rebalance_complete=SimpleNamespace(send=sent),
        on_rebalance_end=nothing,
        assignor=SimpleNamespace(assigned_standbys=set),
        _fetcher=SimpleNamespace(started=True, should_stop=False, maybe_start=sent),
    )
    await recovery.on_recovery_completed(1)
    assert consumer.sought == {Settled.FRESH: 3, Settled.COMMITTED: 5}
    assert consumer.calls[-1] == "resume"
    assert work.settled


async def test_a_recovery_does_not_seek_before_the_fetcher_stands_still() -> None:
    def fail(sentence: str) -> None:
        raise AssertionError(sentence)

    consumer = Consumer()
    made: Any = table_manager_class(Work(fail, gaps_allowed=False))
    recovery = made(App("recovery", loop=asyncio.get_running_loop())).recovery
    recovery.app = SimpleNamespace(consumer=consumer, _fetcher=SimpleNamespace(started=True, should_stop=False))
    seeking = asyncio.create_task(recovery._seek_offsets(consumer, set(), {}, "active"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert consumer.calls == ["stop"]
    consumer.parked.set()
    await seeking
    assert consumer.calls == ["stop", "seek"]
