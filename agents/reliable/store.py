"""The records of one table partition: live objects in memory, bytes in RocksDB, written behind once per commit.

Nothing reaches RocksDB before the changelog has acknowledged it; a crash loses nothing that the committed offset covers.
What records weigh in memory is known: as last encoded or decoded, a new one as NEW_RECORD_BYTES until its first snapshot.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

import rocksdict

NEW_RECORD_BYTES = 1024  # about a person after a few signals
ABSENT_BYTES = 64  # a key of which it is known that there is no record
SLICE_RECORDS = 1_000  # read from RocksDB at a time where all are read


class Bytes(Protocol):
    """What a store needs of RocksDB: see rocksdict.Rdict in raw mode."""

    def get(self, key: bytes) -> bytes | None: ...

    def items(self, backwards: bool, from_key: bytes | None) -> Any: ...

    def write(self, batch: Any) -> None: ...


def keep(local: Bytes, records: Iterable[tuple[bytes, bytes | None]], offset_key: bytes, offset: int) -> None:
    """Records of a changelog (None: deleted) and how far it was read, both or neither."""
    batch = rocksdict.WriteBatch(raw_mode=True)
    for key, value in records:
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value)
    batch.put(offset_key, str(offset).encode())
    local.write(batch)


class _Kept:
    """A record in memory (None: there is none) and what it weighs."""

    __slots__ = ("record", "weight_bytes")

    def __init__(self, record: Any, weight_bytes: int) -> None:
        self.record = record
        self.weight_bytes = weight_bytes


class Store:
    """Reads and writes are synchronous. An object that was changed must be `put` again.

    Two generations of records are kept: what was not touched while the younger grew is forgotten with the older.
    """

    def __init__(
        self,
        number: int,
        local: Bytes,
        *,
        encode: Callable[[Any], bytes],
        decode: Callable[[bytes], Any],
        hidden: frozenset[bytes],
    ) -> None:
        self.number = number
        self.local = local  # kept open until the last flush, which comes after Faust has let go of its tables
        self._encode, self._decode, self._hidden = encode, decode, hidden
        self._young: dict[bytes, _Kept] = {}
        self._old: dict[bytes, _Kept] = {}
        self.young_bytes = 0
        self._dirty: dict[bytes, None] = {}
        self.dirty_bytes = 0

    def get(self, key: bytes) -> Any | None:
        kept = self._young.get(key)
        if kept is None:
            kept = self._old.pop(key, None)
            if kept is None:
                data = self.local.get(key)
                if data is None:
                    return None
                kept = _Kept(self._decode(data), len(data))
            self._keep(key, kept)
        return kept.record

    def put(self, key: bytes, record: Any) -> None:
        self._change(key, record, NEW_RECORD_BYTES)

    def delete(self, key: bytes) -> None:
        self._change(key, None, ABSENT_BYTES)

    def items(self) -> Iterator[tuple[bytes, Any]]:
        """Every record as it is now."""
        live = self._old | self._young
        for key, data in self._stored():
            if key not in self._hidden and key not in live:
                yield key, self._decode(data)
        for key, kept in live.items():
            if kept.record is not None:
                yield key, kept.record

    @property
    def dirty_count(self) -> int:
        return len(self._dirty)

    def snapshot(self) -> Mapping[bytes, bytes | None]:
        """The bytes of every changed record (None: deleted); they count as clean from now on."""
        taken: dict[bytes, bytes | None] = {}
        for key in self._dirty:
            kept = self._young[key]
            taken[key] = data = None if kept.record is None else self._encode(kept.record)
            self._weigh(kept, ABSENT_BYTES if data is None else len(data))
        self._dirty, self.dirty_bytes = {}, 0
        return taken

    def age(self) -> None:
        """Forget the older generation and make the younger the older. Only when what was snapshot is in RocksDB."""
        self._old = self._young
        self._young = {key: self._old.pop(key) for key in self._dirty}
        self.young_bytes = sum(kept.weight_bytes for kept in self._young.values())

    def _stored(self) -> Iterator[tuple[bytes, bytes]]:
        """A slice at a time: an open iterator would keep the database locked, and all at once would fill the memory."""
        start: bytes | None = None
        while True:
            found = list(islice(self.local.items(False, start), SLICE_RECORDS + 1))
            yield from found[:SLICE_RECORDS]
            if len(found) <= SLICE_RECORDS:
                return
            start = found[-1][0]

    def _change(self, key: bytes, record: Any, new_bytes: int) -> None:
        kept = self._young.get(key)
        if kept is None:
            kept = self._old.pop(key, None) or _Kept(None, new_bytes)
            self._keep(key, kept)
        kept.record = record
        if key not in self._dirty:
            self._dirty[key] = None
            self.dirty_bytes += kept.weight_bytes

    def _keep(self, key: bytes, kept: _Kept) -> None:
        self._young[key] = kept
        self.young_bytes += kept.weight_bytes

    def _weigh(self, kept: _Kept, weight_bytes: int) -> None:
        self.young_bytes += weight_bytes - kept.weight_bytes
        kept.weight_bytes = weight_bytes
