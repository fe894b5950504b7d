"""The topics as they have to be, held against the topics as they are; pure, so that nothing is made by looking.

A difference that breaks is one with which state or log would be wrong; the others cost space, safety or time.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agents.settings import Settings
from contracts.topics import (
    OURS,
    SOURCE_CUSTOMERIO,
    SOURCE_INTERCOM,
    SOURCES,
    STATE_SEGMENT_MS,
    Topic,
    in_sync_min,
    state_of,
)

APP_NAME = "concierge"  # consumer group, and first part of the names of the state's topics
TABLES = ("people", "contacts")
TELLING_TABLE = "untold"  # of what waits for Customer.io; there only where a write key is set
CLEANUP = "cleanup.policy"
SOURCE_PARTITIONS_MAX = {SOURCE_CUSTOMERIO.name: 32, SOURCE_INTERCOM.name: 8}  # each is marked in all of the log's
REMEDY = "run `concierge topics` to see the differences and `concierge topics --apply` to make what is missing"


class Wanted(NamedTuple):
    """partitions_fixed: a person's key maps to a partition, so another number of them is another topic."""

    name: str
    partitions: int
    partitions_fixed: bool
    replication: int
    configuration: Mapping[str, str]


class Found(NamedTuple):
    """replication and configuration are None where the broker does not tell them."""

    partitions: int
    replication: int | None = None
    configuration: Mapping[str, str] | None = None


class Difference(NamedTuple):
    """what: `topic` where it is missing, `partitions`, `replication`, or the name of a topic's configuration."""

    topic: str
    what: str
    wanted: str
    found: str | None
    breaks: bool

    @property
    def sentence(self) -> str:
        if self.found is None:
            return f"{self.topic} is missing"
        return f"{self.topic} has {self.what} {self.found} and needs {self.wanted}"

    @property
    def remedy(self) -> str | None:
        """What an operator has to do, None where `--apply` does it."""
        if self.what == "partitions":
            return "no record may be in it: delete it and apply again, or set CONCIERGE_PARTITIONS to what it has"
        if self.what == "replication":
            return "move its replicas with kafka-reassign-partitions, or set CONCIERGE_REPLICATION to what it has"
        return None


def changelog(table: str) -> str:
    return state_of(table, app=APP_NAME).name


def own_among(names: Iterable[str]) -> list[str]:
    """Those that Concierge itself writes and are no source: read as one, it would hear its own answers."""
    written = {topic.name for topic in OURS if topic not in SOURCES} | {
        changelog(table) for table in (*TABLES, TELLING_TABLE)
    }
    return [name for name in names if name in written]


def wanted(settings: Settings) -> tuple[Wanted, ...]:
    """Every topic that Concierge writes, for this number of partitions and replicas."""
    tables = (*TABLES, *([TELLING_TABLE] if settings.customerio_write_key is not None else []))
    state = tuple(state_of(table, app=APP_NAME) for table in tables)
    return tuple(
        Wanted(
            topic.name, min(settings.partitions, SOURCE_PARTITIONS_MAX.get(topic.name, settings.partitions)),
            topic.keyed_by_person, settings.replication, _configuration(topic, settings),
        )
        for topic in OURS + state
    )  # fmt: skip


def compare(planned: tuple[Wanted, ...], found: Mapping[str, Found]) -> list[Difference]:
    """In the order of the plan. More partitions than planned are no difference where keys do not matter."""
    return [difference for topic in planned for difference in _of_one(topic, found.get(topic.name))]


def _of_one(topic: Wanted, found: Found | None) -> list[Difference]:
    if found is None:
        return [Difference(topic.name, "topic", f"{topic.partitions} partitions", None, True)]
    differences = []
    if topic.partitions_fixed and found.partitions != topic.partitions:
        differences.append(
            Difference(topic.name, "partitions", str(topic.partitions), str(found.partitions), breaks=True)
        )
    if found.replication is not None and found.replication < topic.replication:
        differences.append(
            Difference(topic.name, "replication", str(topic.replication), str(found.replication), breaks=False)
        )
    for name, value in topic.configuration.items():
        held = value if found.configuration is None else found.configuration.get(name, "not set")
        if held != value:
            differences.append(Difference(topic.name, name, value, held, breaks=name == CLEANUP))
    return differences


def _configuration(topic: Topic, settings: Settings) -> dict[str, str]:
    held = {CLEANUP: topic.cleanup, "min.insync.replicas": str(in_sync_min(settings.replication))}
    if topic.retention_ms is not None:
        held["retention.ms"] = str(topic.retention_ms)
    else:
        held["segment.ms"] = str(STATE_SEGMENT_MS)
    return held
