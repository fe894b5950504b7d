"""What a write of a changelog says it reached, batch by batch, by aiokafka's own accumulator and without a broker.

The offset is kept beside the local state: said too high, the next recovery would pass over records that are not here; said too
low, it would read again what is here.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NotEnoughReplicasError
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest

from agents.reliable import sending

PLACE = TopicPartition("people-changelog", 0)
BATCH_BYTES = 1_000  # ten records or so
LINGER_MS = 60_000  # nobody waits for that
BEFORE = 4_000  # records that are in the topic already
SECONDS_MAX = 20.0
Records = list[tuple[bytes, bytes | None]]


class Broker:
    """Takes one batch after the other, in order, as aiokafka's sender hands them over."""

    def __init__(self, *, refused: int | None = None, repeated: int | None = None) -> None:
        self._accumulator = MessageAccumulator(None, BATCH_BYTES, 0, batch_ttl=40.0, linger_ms=LINGER_MS)
        self._producer: Any = SimpleNamespace(
            client=SimpleNamespace(_wait_on_metadata=self._metadata), _message_accumulator=self._accumulator
        )
        self._refused, self._repeated = refused, repeated
        self.end = BEFORE
        self.batches = 0

    async def write(self, records: Records) -> int:
        """As a flush does, with the broker beside it."""
        serving = asyncio.create_task(self._serve())
        try:
            async with asyncio.timeout(SECONDS_MAX):
                return await sending.write(self._producer, PLACE, records)
        finally:
            serving.cancel()

    async def _metadata(self, topic: str) -> set[int]:
        await asyncio.sleep(0)
        return {0}

    async def _serve(self) -> None:
        while True:
            waiting = self._accumulator._batches.get(PLACE)
            if waiting and waiting[0].remaining_linger() is None:
                self._take()
            await asyncio.sleep(0)

    def _take(self) -> None:
        batch = self._accumulator._pop_batch(PLACE)
        if self.batches == self._repeated:  # it was written, and its answer was lost
            self._repeated = None
            self.end += batch.record_count
            self._accumulator.reenqueue(batch)
            return
        if self.batches == self._refused:
            batch.failure(NotEnoughReplicasError())
        else:
            batch.done(self.end)
            self.end += batch.record_count
        self.batches += 1


def records(count: int) -> Records:
    return [(b"k%d" % number, b"v" * 100 if number % 5 else None) for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, *range(9, 13), *range(19, 25), 200])
async def test_a_write_says_the_offset_of_its_last_record(count: int) -> None:
    broker = Broker()
    assert await broker.write(records(count)) == broker.end - 1 == BEFORE + count - 1
    assert await broker.write(records(count)) == broker.end - 1 == BEFORE + 2 * count - 1
    assert broker.batches >= 2 * count / 12


@pytest.mark.parametrize("repeated", [0, 1, 4])
async def test_a_batch_that_was_written_twice_moves_what_the_write_says_of_it_and_of_all_behind_it(
    repeated: int,
) -> None:
    broker = Broker(repeated=repeated)
    assert await broker.write(records(50)) == broker.end - 1 > BEFORE + 50
    assert broker.batches == 5


@pytest.mark.parametrize("refused", [0, 1, 4])
async def test_a_write_of_which_any_batch_was_refused_says_no_offset(refused: int) -> None:
    broker = Broker(refused=refused)
    with pytest.raises(NotEnoughReplicasError):
        await broker.write(records(50))
    assert broker.batches


class Client:
    """Sends, and keeps what was sent."""

    def __init__(self) -> None:
        self.sent = list[Any]()

    async def send(self, node_id: int, request: Any, *, group: int = 0) -> str:
        self.sent.append((node_id, request, group))
        return "answered"


def produced(*topics: str) -> ProduceRequest:
    return ProduceRequest(transactional_id=None, required_acks=-1, timeout=1, topics=[(name, []) for name in topics])


async def test_a_request_with_a_changelog_is_held_until_right_before_it_is_sent_each_time() -> None:
    client, held = Client(), list[int]()

    async def hold() -> None:
        held.append(len(client.sent))

    producer = SimpleNamespace(client=client)
    sending.guard(producer, {"people-changelog"}, hold)
    sending.guard(producer, {"people-changelog"}, hold)  # as each write does
    mixed = produced("decisions", "people-changelog")
    for request in (produced("decisions"), mixed, MetadataRequest(), mixed):
        assert await client.send(1, request, group=2) == "answered"
    assert held == [1, 3]
    assert [request for _, request, _ in client.sent].count(mixed) == 2


async def test_a_request_that_may_not_go_is_not_sent() -> None:
    client = Client()

    async def hold() -> None:
        raise RuntimeError("gone on")

    sending.guard(SimpleNamespace(client=client), {"people-changelog"}, hold)
    with pytest.raises(RuntimeError, match="gone on"):
        await client.send(1, produced("people-changelog"))
    assert client.sent == []
