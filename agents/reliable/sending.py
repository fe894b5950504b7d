"""Many records into the producer at once: a record costs an append to an open batch, and only a batch has a future.

aiokafka gives each record two coroutines, a hash in Python and a future; at a worker's rate that is a third of its time. What
opens a batch, waits for room or raises is still aiokafka's own: only a record that fits into the batch that stands open goes the
short way.

Promise: records of one partition keep their order; a future that is done without an error covers every record of its batch.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from aiokafka.protocol.produce import ProduceRequest
from aiokafka.structs import TopicPartition

from agents.placing import hashed
from agents.reliable.record import Output

ROOM_SECONDS_MAX = 30.0  # a full batch that is not taken in that time: the broker is lost

Acknowledged = asyncio.Future[Any]


async def queue(producer: Any, outputs: Iterable[Output]) -> list[Acknowledged]:
    """Futures that cover all outputs. producer: an AIOKafkaProducer. Kafka's errors where nothing can be queued."""
    futures: dict[Acknowledged, None] = {}
    counts: dict[str, int] = {}
    for output in outputs:
        topic, key, value, partition = output.topic, output.key, output.value, output.partition
        if partition is None:
            if topic not in counts:
                counts[topic] = len(await producer.client._wait_on_metadata(topic))
            if key is None:
                futures[await producer.send(topic, value)] = None
                continue
            partition = hashed(key) % counts[topic]
        place = TopicPartition(topic, partition)
        future, _ = _joined(producer, place, key, value)
        if future is None:
            future = await _opened(producer, place, key, value)
        futures[future] = None
    return [asyncio.shield(future) for future in futures]


async def write(producer: Any, place: TopicPartition, records: Iterable[tuple[bytes, bytes | None]]) -> int:
    """Offset of the last record, when all of them are acknowledged. They leave at once: nobody else writes there."""
    futures: dict[Acknowledged, None] = {}
    behind = 0  # of the last record, in its batch
    for key, value in records:
        future, relative = _joined(producer, place, key, value)
        if future is None:
            future, relative = await _opened(producer, place, key, value), 0
        futures[future], behind = None, relative
    if open_batches := producer._message_accumulator._batches.get(place):
        open_batches[-1]._builder.close()  # it need not wait for company
    found = await asyncio.gather(*(asyncio.shield(future) for future in futures))
    return int(found[-1].offset) + behind


def guard(producer: Any, topics: Collection[str], hold: Callable[[], Awaitable[None]]) -> None:
    """From now on a request with records of these topics awaits `hold` right before it is sent, also when it is tried again.

    Between `hold` and the socket nothing is awaited where the connection stands.
    """
    client = producer.client
    if "send" in vars(client):
        return  # guarded already
    send = client.send

    async def held(node_id: int, request: Any, **options: Any) -> Any:
        if isinstance(request, ProduceRequest) and any(topic in topics for topic, _ in request._topics):
            await hold()
        return await send(node_id, request, **options)

    client.send = held


def _joined(
    producer: Any, place: TopicPartition, key: bytes | None, value: bytes | None
) -> tuple[Acknowledged | None, int]:
    """(future of the open batch that took the record, the record's place in it); (None, 0) where none stands open."""
    batches = producer._message_accumulator._batches.get(place)
    if not batches:
        return None, 0
    metadata = batches[-1]._builder.append(timestamp=None, key=key, value=value)
    return (batches[-1].future, metadata.offset) if metadata is not None else (None, 0)


async def _opened(producer: Any, place: TopicPartition, key: bytes | None, value: bytes | None) -> Acknowledged:
    """The record's own future: it opened a batch, perhaps after waiting for room."""
    await producer.client._wait_on_metadata(place.topic)
    future: Acknowledged = await producer._message_accumulator.add_message(place, key, value, ROOM_SECONDS_MAX)
    return future
