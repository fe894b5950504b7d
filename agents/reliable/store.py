"""The records of one table partition: live objects in memory, bytes in RocksDB, written behind once per commit.

Nothing reaches RocksDB before the changelog has acknowledged it; a crash loses nothing that the committed offset covers.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

LIVE_RECORDS_MAX = 50_000  # clean records kept in memory per partition; about 50 MB at 1 kB
_ABSENT = object()


class Bytes(Protocol):
    """What a store needs of RocksDB: see rocksdict.Rdict in raw mode."""

    def get(self, key: bytes) -> bytes | None: ...

    def items(self) -> Any: ...

    def write(self, batch: Any) -> None: ...


class Store:
    """Reads and writes are synchronous. An object that was changed must be `put` again."""

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
        self._live: dict[bytes, Any] = {}
        self._dirty: dict[bytes, None] = {}

    def get(self, key: bytes) -> Any | None:
        found = self._live.get(key, _ABSENT)
        if found is _ABSENT:
            data = self.local.get(key)
            found = None if data is None else self._decode(data)
            if found is not None:
                self._live[key] = found
        return found

    def put(self, key: bytes, record: Any) -> None:
        self._live[key] = record
        self._dirty[key] = None

    def delete(self, key: bytes) -> None:
        self._live[key] = None
        self._dirty[key] = None

    def items(self) -> Iterator[tuple[bytes, Any]]:
        """Every record as it is now. Read to the end: an open iterator keeps the database locked."""
        stored = [(key, data) for key, data in self.local.items() if key not in self._hidden and key not in self._live]
        for key, data in stored:
            yield key, self._decode(data)
        for key, record in list(self._live.items()):
            if record is not None:
                yield key, record

    @property
    def dirty_count(self) -> int:
        return len(self._dirty)

    def snapshot(self) -> Mapping[bytes, bytes | None]:
        """The bytes of every changed record (None: deleted); they count as clean from now on."""
        taken: dict[bytes, bytes | None] = {}
        for key in self._dirty:
            record = self._live[key]
            taken[key] = None if record is None else self._encode(record)
        self._dirty = {}
        return taken

    def trim(self) -> None:
        """Forget clean records beyond the limit, once their bytes are in RocksDB."""
        if len(self._live) > LIVE_RECORDS_MAX:
            self._live = {key: record for key, record in self._live.items() if key in self._dirty}
