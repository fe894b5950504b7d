"""Many records at once: in order, where Java's producer would put them, and nothing counts as written that was refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from confluent_kafka import Producer

from agents.reliable import sending
from agents.reliable.record import Output
from rehearsal.broker import create_topics
from tests.live.stage import messages

PARTITIONS = 3
COUNT = 600
BATCH_BYTES = 1_000  # so that a batch is full after some records


@asynccontextmanager
async def producing(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=5, max_batch_size=BATCH_BYTES)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def held(kafka: str, topic: str, partitions: int) -> dict[int, list[tuple[bytes | None, bytes | None]]]:
    """(key, value) of every record of each partition."""
    found: dict[int, list[tuple[bytes | None, bytes | None]]] = {number: [] for number in range(partitions)}
    for message in messages(kafka, topic, partitions):
        found[message.partition()].append((message.key(), message.value()))
    return found


@pytest.mark.kafka
async def test_records_keep_their_order_and_go_where_javas_producer_puts_them(kafka: str) -> None:
    create_topics(kafka, {"sent-ours": (PARTITIONS, {}), "sent-theirs": (PARTITIONS, {})})
    outputs = [Output("sent-ours", b"k%d" % (number % 40), b"v%d" % number) for number in range(COUNT)]
    outputs.append(Output("sent-ours", None, b"a mark", 2))
    theirs = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    for output in outputs[:-1]:
        theirs.produce("sent-theirs", output.value, key=output.key)
    theirs.flush(20)
    async with producing(kafka) as producer:
        futures = await sending.queue(producer, outputs)
        await asyncio.gather(*futures)
        assert PARTITIONS < len(futures) < COUNT / 2, "batches have futures, records do not"
    ours, expected = held(kafka, "sent-ours", PARTITIONS), held(kafka, "sent-theirs", PARTITIONS)
    expected[2].append((None, b"a mark"))
    assert ours == expected


@pytest.mark.kafka
@pytest.mark.parametrize("count", [1, 2, COUNT])
async def test_a_changelog_is_written_when_told_and_its_last_offset_is_right(kafka: str, count: int) -> None:
    topic = f"written-{count}"
    create_topics(kafka, {topic: (1, {})})
    records: list[tuple[bytes, bytes | None]] = [(b"k%d" % number, b"v%d" % number) for number in range(count - 1)]
    records.append((b"gone", None))
    async with producing(kafka) as producer:
        assert await sending.write(producer, TopicPartition(topic, 0), records) == count - 1
        assert held(kafka, topic, 1)[0] == records
        assert await sending.write(producer, TopicPartition(topic, 0), records) == 2 * count - 1


@pytest.mark.kafka
async def test_a_batch_that_is_refused_fails_what_covers_its_records(kafka: str) -> None:
    create_topics(kafka, {"small": (1, {"max.message.bytes": "500"})})
    records = [(b"k%d" % number, b"v" * 100) for number in range(8)]
    async with producing(kafka) as producer:
        futures = await sending.queue(producer, [Output("small", *record) for record in records])
        found = await asyncio.gather(*futures, return_exceptions=True)
        assert found and all(isinstance(error, KafkaError) for error in found)
        with pytest.raises(KafkaError):
            await sending.write(producer, TopicPartition("small", 0), records)
