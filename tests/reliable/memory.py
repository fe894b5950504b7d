"""What a Store needs of RocksDB, in memory: for tests of handlers, which write by themselves what a commit would."""

from typing import Any


class Local(dict[bytes, bytes]):
    def items(self, backwards: bool = False, from_key: bytes | None = None) -> Any:
        """In the order of keys, as RocksDB gives them."""
        found = sorted((key, data) for key, data in super().items() if from_key is None or key >= from_key)
        return found[::-1] if backwards else found

    def write(self, batch: object) -> None:
        raise AssertionError("only a commit of the carrier writes a batch, and there is no carrier here")
