"""Why a recovery hung now and then, and that ours does not seek before the fetcher stands still."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from faust.app.base import App

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
