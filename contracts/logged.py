"""A record as it stands in a topic, wherever it is read from: Kafka itself, or an archive of it."""

from typing import NamedTuple


class Logged(NamedTuple):
    """appended_ms: when Kafka says that it was appended; the record itself says when it was accepted."""

    partition: int
    offset: int
    appended_ms: int
    value: bytes
