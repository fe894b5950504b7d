"""Appends a few records to Kafka for a command that a person runs: acknowledged by all replicas, or said not to be."""

from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from agents.kafka_security import for_librdkafka
from agents.settings import Settings

ACK_SECONDS_MAX = 15.0  # of all records together; a broker that needs longer is away


class Appended(NamedTuple):
    """partition: None where any will do."""

    topic: str
    value: bytes
    partition: int | None = None


def append(settings: Settings, records: Iterable[Appended]) -> int:
    """How many of the records Kafka has acknowledged within `ACK_SECONDS_MAX`; of the others nothing is known."""
    acknowledged = 0

    def note(error: KafkaError | None, _: Message) -> None:
        nonlocal acknowledged
        acknowledged += error is None

    producer = Producer(
        for_librdkafka(settings)
        | {"acks": "all", "enable.idempotence": True, "message.timeout.ms": int(ACK_SECONDS_MAX * 1000), "log_level": 0}
    )
    for record in records:
        place = {} if record.partition is None else {"partition": record.partition}
        producer.produce(record.topic, record.value, on_delivery=note, **place)
    producer.flush(ACK_SECONDS_MAX + 1)
    return acknowledged
