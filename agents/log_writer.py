"""Writes records to Kafka for the receiver: acknowledged by all replicas within a bounded time, or not at all."""

import asyncio
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from agents import kafka_security
from agents.settings import Settings

PUT_SECONDS_MAX = 1.0  # Customer.io hangs up after 4 s and Intercom after 5: answer 503 well before
RECORD_BYTES_MAX = 1024 * 1024  # Kafka's own default for one record, with what surrounds it
_REQUEST_MS_MAX = 3_000  # what nobody waits for any more is given up soon, so that a long outage holds no memory


class LogUnavailable(Exception):
    """Kafka did not acknowledge in time; the sender is to try again."""


class LogWriter(Protocol):
    """What the receiver needs of Kafka."""

    async def put(self, topic: str, value: bytes) -> None:
        """Returns once the record is in the log. LogUnavailable, within `PUT_SECONDS_MAX`, when that is not known."""
        ...

    async def reachable(self) -> bool: ...


class KafkaLog:
    """A LogWriter on aiokafka. Starts with or without a broker and connects as soon as there is one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._starting: asyncio.Task[None] | None = None

    async def put(self, topic: str, value: bytes) -> None:
        try:
            async with asyncio.timeout(PUT_SECONDS_MAX):
                producer = await self._started()
                await producer.send_and_wait(topic, value)  # stamped by the wall: retention goes by it
        except (TimeoutError, KafkaError, OSError) as error:
            raise LogUnavailable(type(error).__name__) from error

    async def reachable(self) -> bool:
        try:
            async with asyncio.timeout(PUT_SECONDS_MAX):
                producer = await self._started()
                await producer.client.force_metadata_update()
                return bool(producer.client.cluster.brokers())
        except (TimeoutError, KafkaError, OSError):
            return False

    async def close(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._producer is not None:
            await self._producer.stop()

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            if self._starting is None or self._starting.done():
                self._starting = asyncio.create_task(self._start())
            await asyncio.shield(self._starting)
        assert self._producer is not None, "a start that returned has a producer"
        return self._producer

    async def _start(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_bootstrap.split(","),
            acks="all",
            linger_ms=2,
            max_request_size=RECORD_BYTES_MAX + 1024,
            request_timeout_ms=_REQUEST_MS_MAX,
            **kafka_security.for_aiokafka(self._settings),
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer
