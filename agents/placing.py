"""Where a key's records stand: the partition that Java's producer, and with it everybody, puts them into."""

from functools import lru_cache

from aiokafka.partitioner import murmur2

KEYS_KEPT = 65_536  # hashes of keys: those of a busy minute, some 10 MB


@lru_cache(KEYS_KEPT)
def hashed(key: bytes) -> int:
    """As Java's producer hashes a key; modulo the number of partitions it is the partition."""
    return int(murmur2(key)) & 0x7FFFFFFF
