"""Topics as values: the name, what the key is, how many partitions, how long records stay.

Partition counts are chosen once: a person's key maps to a partition by murmur2, and state follows the partition.
"""

from typing import Literal, NamedTuple

from contracts.instant import DAY_MS, HOUR_MS

REPLICATION_DEFAULT = 3  # one broker may be lost while another is down for an upgrade
STATE_SEGMENT_MS = (
    6 * HOUR_MS
)  # compaction leaves the newest segment alone: with the week of Kafka's default state is read twice


class Topic(NamedTuple):
    name: str
    key: str
    cleanup: Literal["delete", "compact"]
    retention_ms: int | None  # None where compaction keeps the newest record of each key
    keyed_by_person: bool  # such topics share one partition count, so that a person's records meet


SOURCE_CUSTOMERIO = Topic("sources.customerio", "none to be trusted", "delete", 14 * DAY_MS, False)
SOURCE_INTERCOM = Topic("sources.intercom", "none to be trusted", "delete", 14 * DAY_MS, False)
SIGNALS = Topic("signals", "person", "delete", 400 * DAY_MS, True)
DECISIONS = Topic("decisions", "person", "delete", 400 * DAY_MS, True)
COMMANDS = Topic("commands", "person", "delete", 14 * DAY_MS, True)
QUARANTINE = Topic("quarantine", "source topic/partition/offset", "delete", 90 * DAY_MS, False)

OURS = (SOURCE_CUSTOMERIO, SOURCE_INTERCOM, SIGNALS, DECISIONS, COMMANDS, QUARANTINE)
SOURCES = (SOURCE_CUSTOMERIO, SOURCE_INTERCOM)


def state_of(table: str, *, app: str) -> Topic:
    """The topic of a table's records, under the name that Faust gives it; compacted only, since it is the table."""
    return Topic(f"{app}-{table}-changelog", "the table's own", "compact", None, True)


def in_sync_min(replication: int) -> int:
    """Replicas that must have a record before it counts as written: all but one, so that one may be lost or restarted."""
    return max(1, replication - 1)
