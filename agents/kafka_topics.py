"""Makes the topics that a worker needs, before it starts: a broker that makes them by itself gives them wrong partition counts.

A topic that exists is left as it is; one with another number of partitions than the settings say is refused.
"""

from collections.abc import Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from agents.kafka_security import for_librdkafka
from agents.settings import Misconfigured, Settings
from contracts.topics import OURS, Topic

APP_NAME = "concierge"  # consumer group, and first part of the names of the state's topics
TABLES = ("people", "contacts")
ANSWER_SECONDS_MAX = 15.0
EMBEDDED_CLUSTER = "mockCluster"  # librdkafka's own broker makes what is asked about, and never answers a creation
BROKERS_DEFAULT = -1  # replication as the cluster's own default says


class Unreachable(Exception):
    """No broker answers; the message says what to check."""


def changelog(table: str) -> str:
    return f"{APP_NAME}-{table}-changelog"


def ensure_topics(settings: Settings) -> dict[str, int]:
    """Partitions of each source topic. Misconfigured, Unreachable."""
    admin = AdminClient(for_librdkafka(settings) | {"log_level": "2"})
    needed = {topic.name: _configuration(topic) for topic in OURS}
    needed |= {changelog(table): {"cleanup.policy": "compact"} for table in TABLES}
    try:
        there = _partitions(admin)
        missing = {name: configuration for name, configuration in needed.items() if name not in there}
        if missing:
            _make(admin, missing, settings.partitions)
            there = _partitions(admin)
    except (KafkaException, TimeoutError) as error:
        why = error.args[0].name() if isinstance(error, KafkaException) else "no answer"
        raise Unreachable(
            f"Kafka cannot be used at CONCIERGE_KAFKA_BOOTSTRAP ({why}): check that it runs there, and its TLS, "
            "user and rights"
        ) from None
    wrong = [name for name in needed if there.get(name, settings.partitions) != settings.partitions]
    if wrong:
        raise Misconfigured(
            f"CONCIERGE_PARTITIONS: is {settings.partitions}, and {', '.join(wrong)} has {there[wrong[0]]} partitions; "
            "set it to what the topics have"
        )
    absent = [name for name in settings.source_topics if name not in there]
    if absent:
        raise Misconfigured(
            f"CONCIERGE_SOURCE_TOPICS: there is no topic {', '.join(absent)}; create it or remove it here"
        )
    return {name: there[name] for name in source_names(settings) if name in there}


def source_names(settings: Settings) -> list[str]:
    """Our own source topics and the brand's, each once."""
    return list(dict.fromkeys(["sources.customerio", "sources.intercom", *settings.source_topics]))


def _configuration(topic: Topic) -> dict[str, str]:
    retention = {} if topic.retention_ms is None else {"retention.ms": str(topic.retention_ms)}
    return {"cleanup.policy": topic.cleanup, **retention}


def _partitions(admin: AdminClient) -> dict[str, int]:
    return {name: len(held.partitions) for name, held in admin.list_topics(timeout=ANSWER_SECONDS_MAX).topics.items()}


def _make(admin: AdminClient, missing: Mapping[str, Mapping[str, str]], partitions: int) -> None:
    if (admin.list_topics(timeout=ANSWER_SECONDS_MAX).cluster_id or "").startswith(EMBEDDED_CLUSTER):
        for name in missing:
            admin.list_topics(name, timeout=ANSWER_SECONDS_MAX)
        return
    wanted = [NewTopic(name, partitions, BROKERS_DEFAULT, config=dict(held)) for name, held in missing.items()]
    for made in admin.create_topics(wanted, operation_timeout=ANSWER_SECONDS_MAX).values():
        try:
            made.result(ANSWER_SECONDS_MAX)
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":  # another worker was faster
                raise
