"""Reads a topic from outside: all partitions at once, up to the end that they had at the start.

Promise: no consumer group is joined and no offset committed, so nobody who works with the topic notices.
"""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from agents.kafka_security import for_librdkafka
from agents.kafka_topics import Unreachable
from agents.placing import hashed
from agents.settings import Settings
from contracts.instant import HOUR_MS, from_rfc3339
from contracts.logged import Logged

SCHEME = "kafka://"
READER = "concierge-looks-back"  # librdkafka wants a name; it is never registered, since nothing is joined or committed
ANSWER_SECONDS_MAX = 15.0
SILENCE_SECONDS_MAX = 30.0  # a broker that sends nothing for so long, while records are left, is away
RECORDS_AT_ONCE = 5000
WAIT_SECONDS_MAX = 0.1  # for so many; a person's few records are not waited for longer
CLOCKS_APART_MS = HOUR_MS  # a record is accepted by one machine and appended by another, a little later


class AddressError(ValueError):
    """No address of a topic; the message says how to write one."""


class Address(NamedTuple):
    """from_ms, to_ms: of the acceptance, both included; None where the topic begins or ends."""

    bootstrap: str
    topic: str
    from_ms: int | None
    to_ms: int | None


class Extent(NamedTuple):
    """What is kept of one partition: offsets `[begin, end)`. begin is above 0 once the oldest records were deleted."""

    begin: int
    end: int


def address(text: str) -> Address:
    """`kafka://HOST:PORT[,HOST:PORT]/TOPIC?from=INSTANT&to=INSTANT`. AddressError."""
    parts = urlsplit(text)
    topic = parts.path.strip("/")
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not parts.netloc or not topic or "/" in topic or not asked.keys() <= {"from", "to"}:
        raise AddressError("write kafka://HOST:PORT/TOPIC, and after it, if wanted, ?from=INSTANT&to=INSTANT")
    try:
        from_ms, to_ms = (from_rfc3339(asked[name]) if name in asked else None for name in ("from", "to"))
    except ValueError as error:
        raise AddressError(f"{topic}: from and to are instants: {error}") from None
    return Address(parts.netloc, topic, from_ms, to_ms)


def extents(settings: Settings, topic: str) -> dict[int, Extent]:
    """Of every partition, as it is now. Unreachable, also where there is no such topic."""
    with _Reading(settings) as reading:
        return reading.extents(topic)


def home(key: str, partitions: int) -> int:
    """The partition of a person's records in a topic with so many, as Java's producer has it."""
    return hashed(key.encode()) % partitions


def committed(settings: Settings, topic: str, *, group: str) -> dict[int, int]:
    """The next offset that the group will read, by partition; none where it never committed. Asks and changes nothing."""
    with _Reading(settings, group=group) as reading:
        asked = [TopicPartition(topic, number) for number in reading.extents(topic)]
        found = reading.consumer.committed(asked, timeout=ANSWER_SECONDS_MAX)
        return {place.partition: place.offset for place in found if place.offset >= 0}


def read(
    settings: Settings, topic: str, *, partitions: dict[int, Extent] | None = None, from_ms: int | None = None
) -> Iterator[Logged]:
    """Records, those of one partition in order; partitions: what to read, all that there is by default. Unreachable.

    from_ms: records accepted earlier may be left out; they are where Kafka's own index says that they stand.
    """
    with _Reading(settings) as reading:
        wanted = {
            number: extent
            for number, extent in (reading.extents(topic) if partitions is None else partitions).items()
            if extent.begin < extent.end
        }
        yield from reading.records(topic, wanted, from_ms)


class _Reading:
    def __init__(self, settings: Settings, *, group: str = READER) -> None:
        self.consumer = Consumer(
            for_librdkafka(settings)
            | {
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )

    def __enter__(self) -> "_Reading":
        return self

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        self.consumer.close()
        if isinstance(error, KafkaException):
            raise Unreachable(f"Kafka cannot be read ({error.args[0].name()}): check that it runs there") from None

    def extents(self, topic: str) -> dict[int, Extent]:
        told = self.consumer.list_topics(topic, timeout=ANSWER_SECONDS_MAX).topics[topic]
        if told.error is not None:
            raise Unreachable(f"there is no topic {topic} in this Kafka; `concierge topics` shows what there is")
        numbers = sorted(told.partitions)
        found = [
            self.consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ANSWER_SECONDS_MAX)
            for number in numbers
        ]
        return {number: Extent(low, high) for number, (low, high) in zip(numbers, found, strict=True)}

    def records(self, topic: str, wanted: dict[int, Extent], from_ms: int | None) -> Iterator[Logged]:
        begins = self._begins(topic, wanted, from_ms)
        left = {number: extent.end for number, extent in wanted.items() if begins[number] < extent.end}
        self.consumer.assign([TopicPartition(topic, number, begins[number]) for number in left])
        silent_seconds = 0.0
        while left:
            messages = self.consumer.consume(RECORDS_AT_ONCE, WAIT_SECONDS_MAX)
            silent_seconds = 0.0 if messages else silent_seconds + WAIT_SECONDS_MAX
            if silent_seconds >= SILENCE_SECONDS_MAX:
                raise Unreachable(f"Kafka sends nothing more of {topic}: check that it runs there")
            for message in messages:
                number, offset, error = message.partition(), message.offset(), message.error()
                if number not in left:
                    continue
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)  # a partition that cannot be read has not been read to its end
                if error is None and offset < left[number]:
                    yield Logged(number, offset, message.timestamp()[1], message.value() or b"")
                if error is not None or offset + 1 >= left[number]:
                    del left[number]
                    self.consumer.incremental_unassign([TopicPartition(topic, number)])

    def _begins(self, topic: str, wanted: dict[int, Extent], from_ms: int | None) -> dict[int, int]:
        begins = {number: extent.begin for number, extent in wanted.items()}
        if from_ms is None or not begins:
            return begins
        asked = [TopicPartition(topic, number, max(from_ms - CLOCKS_APART_MS, 0)) for number in begins]
        for found in self.consumer.offsets_for_times(asked, timeout=ANSWER_SECONDS_MAX):
            end = found.offset == OFFSET_END or found.offset < 0
            begins[found.partition] = wanted[found.partition].end if end else max(found.offset, begins[found.partition])
        return begins
