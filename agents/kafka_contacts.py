"""Reads from Kafka what Intercom is to show: the courier's records and the newest commands, of named people or a fair sample.

Reads every record of both topics once and keeps no more than the sample: the people whose hashes are smallest, which is
the same as drawing among all people. Commits nothing. `ask_again` is the one thing that is written.
"""

import hashlib
import heapq
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from agents import desired
from agents.desired import Contact
from agents.kafka_security import for_librdkafka
from agents.kafka_topics import Unreachable
from agents.settings import Misconfigured, Settings
from agents.topic_plan import REMEDY, changelog
from contracts import commands
from contracts.commands import Command
from contracts.topics import COMMANDS

READER = "concierge-doctor"  # librdkafka wants a group's name also where nothing is committed
ANSWER_SECONDS_MAX = 15.0
SILENCE_SECONDS_MAX = 30.0  # without a record or the end of a partition: the broker is stuck
AT_ONCE = 5_000


class Chosen:
    """Which people are kept: those named, or `count` drawn by `seed`."""

    def __init__(self, *, people: Iterable[str] = (), count: int = 0, seed: str = "") -> None:
        self.people = frozenset(people)
        self._count = count
        self._seed = seed.encode()
        self._largest: list[tuple[int, str]] = []  # of the sample so far, by falling hash
        self.contacts: dict[str, Contact] = {}

    def keeps(self, person: str) -> bool:
        """Whether the person belongs to the sample so far. One that was dropped never comes back."""
        if self.people:
            return person in self.people
        if person in self.contacts:
            return True
        drawn = -int.from_bytes(hashlib.blake2b(person.encode(), digest_size=8, key=self._seed[:64]).digest())
        if len(self._largest) >= self._count:
            if not self._largest or drawn < self._largest[0][0]:
                return False
            _, dropped = heapq.heappop(self._largest)
            self.contacts.pop(dropped, None)
        heapq.heappush(self._largest, (drawn, person))
        self.contacts[person] = Contact()
        return True


def read_contacts(settings: Settings, chosen: Chosen) -> dict[str, Contact]:
    """The record of each person chosen, with the newest command as its aim. Unreachable, Misconfigured, NewerRecord."""
    for message in _records(settings, changelog("contacts")):
        person = _person(message)
        if person is not None and message.value() is not None and chosen.keeps(person):
            chosen.contacts[person] = desired.decode(message.value())
    for message in _records(settings, COMMANDS.name):
        person = _person(message)
        if person is not None and chosen.keeps(person):
            _take(chosen.contacts, message.value() or b"")
    return {person: contact for person, contact in chosen.contacts.items() if contact.revision}


def ask_again(settings: Settings, contacts: Iterable[Contact]) -> int:
    """Asks the courier to look at these contacts again and to write what differs; returns how many. Unreachable."""
    refused: list[KafkaError] = []

    def answered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refused.append(error)

    producer = Producer(_quietly(settings, {"acks": "all", "partitioner": "murmur2"}))
    asked = 0
    for contact in contacts:
        if contact.desired is not None:
            command = msgspec.structs.replace(contact.desired, again=True)
            key = command.person.encode()
            producer.produce(COMMANDS.name, commands.encode(command), key, on_delivery=answered)
            asked += 1
    if producer.flush(ANSWER_SECONDS_MAX) or refused:
        raise _unreachable(refused[0].name() if refused else "no acknowledgement")
    return asked


def _person(message: Message) -> str | None:
    key = message.key()
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else None


def _take(contacts: dict[str, Contact], value: bytes) -> None:
    """A command that the courier has not read yet is the aim, and waits."""
    try:
        command: Command = commands.decode(value)
    except msgspec.DecodeError:
        return  # it is in quarantine
    if not command.again:
        contacts[command.person] = desired.desire(contacts.get(command.person) or Contact(), command, 0)


def _records(settings: Settings, topic: str) -> Iterator[Message]:
    """Every record that the topic holds now."""
    consumer = Consumer(_quietly(settings, {
        "group.id": READER, "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "earliest",
    }))  # fmt: skip
    try:
        partitions = _partitions(consumer, topic)
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        yield from _to_the_end(consumer, len(partitions))
    except KafkaException as error:
        raise _unreachable(error.args[0].name()) from None
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    found = consumer.list_topics(timeout=ANSWER_SECONDS_MAX).topics.get(topic)
    if found is None or not found.partitions:
        raise Misconfigured(f"the topic {topic} is missing in Kafka: {REMEDY}")
    return sorted(found.partitions)


def _to_the_end(consumer: Consumer, open_count: int) -> Iterator[Message]:
    heard_at = time.monotonic()
    while open_count:
        for message in consumer.consume(AT_ONCE, 1.0):
            heard_at = time.monotonic()
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                open_count -= 1
            else:
                raise KafkaException(error)
        if time.monotonic() - heard_at > SILENCE_SECONDS_MAX:
            raise _unreachable("no answer")


def _quietly(settings: Settings, own: dict[str, object]) -> dict[str, object]:
    nothing: Callable[[KafkaError], None] = lambda _: None  # noqa: E731  (what matters is raised by the call itself)
    return {**for_librdkafka(settings), "log_level": 0, "error_cb": nothing, **own}


def _unreachable(why: str) -> Unreachable:
    return Unreachable(
        f"Kafka cannot be read at CONCIERGE_KAFKA_BOOTSTRAP ({why}): check that it runs there, and its TLS, user and rights"
    )
