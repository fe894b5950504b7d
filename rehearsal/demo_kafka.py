"""Makes a Kafka of somebody's ready for the demo and leaves it as it was: topics are created where missing and removed again.

Refuses a broker whose topics hold records: a second day in the same log would be judged together with the first.
"""

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from agents.kafka_topics import make_missing
from agents.settings import Settings
from contracts.topics import OURS
from rehearsal.broker import EMBEDDED_PARTITIONS

PARTITIONS = EMBEDDED_PARTITIONS  # the same on any broker; enough to show that people are spread
OWN_PREFIX = "concierge"  # of the topics that the worker makes for its own state
SECONDS_MAX = 15.0
LEADER_UNKNOWN = ("NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "UNKNOWN_TOPIC_OR_PART")
AGAIN_SECONDS = 0.1


class Unsuitable(Exception):
    """The broker cannot be used; the message says why and what to do."""


def prepare(bootstrap: str) -> frozenset[str]:
    """Create our topics where missing; returns the topics that were there before. Unsuitable where they hold records."""
    try:
        admin = AdminClient(
            {"bootstrap.servers": bootstrap, "log_level": 0, "socket.timeout.ms": int(SECONDS_MAX * 1000)}
        )
        before = admin.list_topics(timeout=SECONDS_MAX).topics
    except KafkaException as error:
        raise Unsuitable(
            f"no Kafka answers at {bootstrap} ({error.args[0].name()}); start one or name another"
        ) from None
    ours = {topic.name for topic in OURS}
    mine = {name: held for name, held in before.items() if name in ours or name.startswith(OWN_PREFIX)}
    filled = sorted(name for name, held in mine.items() if _records(bootstrap, name, list(held.partitions)))
    if filled:
        raise Unsuitable(
            f"{bootstrap} holds records in {', '.join(filled)}; the demo needs them empty: delete these topics, "
            "or name another broker"
        )
    wrong = sorted(name for name in ours & mine.keys() if len(mine[name].partitions) != PARTITIONS)
    if wrong:
        raise Unsuitable(f"{', '.join(wrong)} must have {PARTITIONS} partitions; delete them and the demo creates them")
    make_missing(Settings(kafka_bootstrap=bootstrap, partitions=PARTITIONS, replication=1))
    return frozenset(before)


def restore(bootstrap: str, before: frozenset[str]) -> None:
    """Delete what the demo and its worker created; what was there before stays."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    ours = {topic.name for topic in OURS}
    now = admin.list_topics(timeout=SECONDS_MAX).topics
    created = [name for name in now if name not in before and (name in ours or name.startswith(OWN_PREFIX))]
    if created:
        for done in admin.delete_topics(created, operation_timeout=SECONDS_MAX).values():
            done.result(SECONDS_MAX)


def _records(bootstrap: str, topic: str, partitions: list[int]) -> int:
    reader = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "concierge-demo-look", "log_level": 0, "enable.auto.commit": False}
    )
    try:
        return sum(_count(reader, TopicPartition(topic, number)) for number in partitions)
    finally:
        reader.close()


def _count(reader: Consumer, partition: TopicPartition) -> int:
    """Asked again while the cluster is about to give a new topic, or a broker's after its end, to another one."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        try:
            low, high = reader.get_watermark_offsets(partition, timeout=SECONDS_MAX)
            return int(high - low)
        except KafkaException as error:
            if error.args[0].name() not in LEADER_UNKNOWN or time.monotonic() > deadline:
                raise
            time.sleep(AGAIN_SECONDS)
