"""Reads the topics of a cluster, and makes or mends them where that is asked for. A process that starts only looks.

A broker that makes topics by itself gives them wrong partition counts, so nothing here makes one in passing.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from agents.kafka_security import for_librdkafka
from agents.settings import Misconfigured, Settings
from agents.topic_plan import REMEDY, Difference, Found, compare, own_among, wanted
from contracts.topics import QUARANTINE, SOURCES

ANSWER_SECONDS_MAX = 15.0
RECEIVER_LOOK_SECONDS_MAX = 2.0  # nothing is received meanwhile; where Kafka is away it starts all the same
LOOK_SECONDS = 1.0
SHOWN_POLL_SECONDS = 0.1
REFUSALS = {"_SSL": "TLS fails: is its certificate trusted?", "_AUTHENTICATION": "user or password refused"}
EMBEDDED_CLUSTER = "mockCluster"  # librdkafka's own broker makes what is asked about, and knows no configuration


class Unreachable(Exception):
    """No broker answers; the message says what to check."""


def differences(settings: Settings) -> list[Difference]:
    """What `apply_topics` would change, and what it cannot. Changes nothing. Unreachable."""
    with _asking(settings, answer_seconds=ANSWER_SECONDS_MAX) as admin:
        return compare(wanted(settings), _found(admin))


def apply_topics(settings: Settings) -> list[Difference]:
    """Make what is missing and set what is set otherwise; returns what was done. Misconfigured, Unreachable."""
    with _asking(settings, answer_seconds=ANSWER_SECONDS_MAX) as admin:
        there = compare(wanted(settings), _found(admin))
        doable = [difference for difference in there if difference.remedy is None]
        _make(admin, settings, there)
        _configure(admin, [difference for difference in doable if difference.what != "topic"])
        _await_shown(admin, settings)
        return doable


def make_missing(settings: Settings) -> None:
    """Make what is missing and leave the others as they are. Misconfigured, Unreachable."""
    with _asking(settings, answer_seconds=ANSWER_SECONDS_MAX) as admin:
        _make(admin, settings, compare(wanted(settings), _found(admin)))
        _await_shown(admin, settings, only="topic")


def worker_sources(settings: Settings) -> dict[str, int]:
    """Partitions of each source topic, for a worker that may start. Misconfigured where it must not, Unreachable."""
    if own := own_among(settings.source_topics):
        raise Misconfigured(f"CONCIERGE_SOURCE_TOPICS: {', '.join(own)} is written by Concierge itself; remove it here")
    with _asking(settings, answer_seconds=ANSWER_SECONDS_MAX) as admin:
        there = _found(admin)
    _refuse(compare(wanted(settings), there))
    absent = [name for name in settings.source_topics if name not in there]
    if absent:
        raise Misconfigured(
            f"CONCIERGE_SOURCE_TOPICS: there is no topic {', '.join(absent)}; create it or remove it here"
        )
    return {name: there[name].partitions for name in source_names(settings)}


def check_receiver(settings: Settings) -> None:
    """Misconfigured where a topic that the receiver writes to is missing or would lose its records, Unreachable."""
    written = {topic.name for topic in (*SOURCES, QUARANTINE)}
    with _asking(settings, answer_seconds=RECEIVER_LOOK_SECONDS_MAX) as admin:
        there = _found(admin)
    _refuse(compare(tuple(topic for topic in wanted(settings) if topic.name in written), there))


def source_names(settings: Settings) -> list[str]:
    """Our own source topics and the brand's, each once."""
    return list(dict.fromkeys([*(topic.name for topic in SOURCES), *settings.source_topics]))


def _refuse(there: Iterable[Difference]) -> None:
    breaking = [difference.sentence for difference in there if difference.breaks]
    if breaking:
        raise Misconfigured(f"the topics in Kafka do not fit: {'; '.join(breaking)}; {REMEDY}")


@contextmanager
def _asking(settings: Settings, *, answer_seconds: float) -> Iterator[AdminClient]:
    """An admin client whose failures are told in words that an operator can act on."""
    refusals: list[str] = []

    def note(error: KafkaError) -> None:
        if error.name() in REFUSALS:
            refusals.append(error.name())

    try:
        admin = AdminClient(for_librdkafka(settings) | {"log_level": "0", "error_cb": note})
        _await_answer(admin, refusals, seconds=answer_seconds)
        yield admin
    except (KafkaException, TimeoutError) as error:
        why = error.args[0].name() if isinstance(error, KafkaException) else "no answer"
        why = REFUSALS.get(refusals[0], why) if refusals else why
        if why == "INVALID_REPLICATION_FACTOR":
            raise Misconfigured(
                f"CONCIERGE_REPLICATION: is {settings.replication}, and the cluster has fewer brokers; set it lower or add some"
            ) from None
        raise Unreachable(
            f"Kafka cannot be used at CONCIERGE_KAFKA_BOOTSTRAP ({why}): check that it runs there, and its TLS, "
            "user and rights"
        ) from None


def _await_answer(admin: AdminClient, refusals: list[str], *, seconds: float) -> None:
    """Until a broker answers. What it refuses now it refuses in a quarter of a minute too, so that ends the wait."""
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        try:
            admin.list_topics(timeout=min(LOOK_SECONDS, max(left, 0.01)))
            return
        except KafkaException:
            admin.poll(0)
            if refusals or left <= 0:
                raise


def _embedded(admin: AdminClient) -> bool:
    return (admin.list_topics(timeout=ANSWER_SECONDS_MAX).cluster_id or "").startswith(EMBEDDED_CLUSTER)


def _found(admin: AdminClient) -> dict[str, Found]:
    held = admin.list_topics(timeout=ANSWER_SECONDS_MAX).topics
    if _embedded(admin):
        return {name: Found(len(topic.partitions)) for name, topic in held.items()}
    names = [name for name in held if not name.startswith("__")]
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    told = admin.describe_configs(asked, request_timeout=ANSWER_SECONDS_MAX) if asked else {}
    configurations = {resource.name: future.result(ANSWER_SECONDS_MAX) for resource, future in told.items()}
    return {
        name: Found(
            len(held[name].partitions),
            min((len(partition.replicas) for partition in held[name].partitions.values()), default=0),
            {entry.name: entry.value for entry in configurations[name].values()},
        )
        for name in names
    }


def _make(admin: AdminClient, settings: Settings, there: Iterable[Difference]) -> None:
    names = {difference.topic for difference in there if difference.what == "topic"}
    if _embedded(admin):
        for name in names:
            admin.list_topics(name, timeout=ANSWER_SECONDS_MAX)
        return
    made = [
        NewTopic(topic.name, topic.partitions, topic.replication, config=dict(topic.configuration))
        for topic in wanted(settings)
        if topic.name in names
    ]
    if not made:
        return
    for future in admin.create_topics(made, operation_timeout=ANSWER_SECONDS_MAX).values():
        try:
            future.result(ANSWER_SECONDS_MAX)
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":  # somebody else was faster
                raise


def _configure(admin: AdminClient, changed: Iterable[Difference]) -> None:
    by_topic: dict[str, list[Difference]] = {}
    for difference in changed:
        by_topic.setdefault(difference.topic, []).append(difference)
    resources = [
        ConfigResource(ResourceType.TOPIC, name, incremental_configs=[_entry(one) for one in found])
        for name, found in by_topic.items()
    ]
    told: Mapping[Any, Any] = admin.incremental_alter_configs(resources) if resources else {}
    for future in told.values():
        future.result(ANSWER_SECONDS_MAX)


def _await_shown(admin: AdminClient, settings: Settings, only: str | None = None) -> None:
    """A broker learns of a change a moment after the controller took it; a start right after this must not be refused."""
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while True:
        there = compare(wanted(settings), _found(admin))
        if not [one for one in there if one.remedy is None and only in (None, one.what)]:
            return
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(SHOWN_POLL_SECONDS)


def _entry(difference: Difference) -> ConfigEntry:
    return ConfigEntry(difference.what, difference.wanted, incremental_operation=AlterConfigOpType.SET)
