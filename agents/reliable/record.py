"""What passes between Kafka and a handler: records in, outputs out, and how a table's records become bytes."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec

from agents.reliable.store import Store


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as it was read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Output(msgspec.Struct, frozen=True, gc=False):
    """One record to write. partition None: murmur2 of the key, as Java's producer does."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int | None = None


class Codec(NamedTuple):
    """How a table's live objects become bytes and back; `decode` raises on bytes that it cannot read."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


@runtime_checkable
class Handler(Protocol):
    """What an agent does with whole batches of a partition.

    batch is synchronous and total: an exception stops the process before its offset is committed. It is called with records
    of one partition in order of offset, from the committed one on; a record may come again after a crash.
    """

    def assigned(self, store: Store | None, partition: int, committed: int | None) -> None:
        """After recovery, before the first batch of the partition; `committed` is the next offset, None where none is."""

    def batch(self, store: Store | None, records: Sequence[Record]) -> Iterable[Output]: ...

    def revoked(self, partition: int) -> None: ...

    def before_flush(self, store: Store | None, next_offset: int) -> None:
        """At the snapshot of a commit: put what belongs to exactly this position."""


class Plain:
    """A plain function as a handler."""

    def __init__(self, function: Callable[[Store | None, Sequence[Record]], Iterable[Output]]) -> None:
        self._function = function

    def assigned(self, store: Store | None, partition: int, committed: int | None) -> None:
        return None

    def batch(self, store: Store | None, records: Sequence[Record]) -> Iterable[Output]:
        return self._function(store, records)

    def revoked(self, partition: int) -> None:
        return None

    def before_flush(self, store: Store | None, next_offset: int) -> None:
        return None
