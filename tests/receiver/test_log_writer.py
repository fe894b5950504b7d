"""The real adapter against the broker that is built into librdkafka: same port as the fake, same behaviour."""

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Producer

from agents.log_writer import KafkaLog
from agents.settings import read_settings


@pytest.fixture
def broker() -> Iterator[str]:
    cluster = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": ""})
    cluster.list_topics("sources.customerio", timeout=10)
    (address,) = cluster.list_topics(timeout=10).brokers.values()
    yield f"{address.host}:{address.port}"
    del cluster


async def test_what_was_put_can_be_read_back_and_is_the_same_bytes(broker: str) -> None:
    writer = KafkaLog(read_settings({"CONCIERGE_KAFKA_BOOTSTRAP": broker}))
    assert await writer.reachable()
    values = [b"concierge1 1 x\n\xff\x00", b"y" * 1_000_000]
    for value in values:
        await writer.put("sources.customerio", value)
    await writer.close()
    consumer = AIOKafkaConsumer("sources.customerio", bootstrap_servers=broker, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found = [(await asyncio.wait_for(consumer.getone(), 10)).value for _ in values]
    finally:
        await consumer.stop()
    assert sorted(found) == sorted(values)
