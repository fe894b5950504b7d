"""Versions of records, and the one rule: older is read, newer is refused, nothing is misread.

A record carries a version `v` (1 where it has none); a stored state begins with a tag of two bytes, kind and version. A release
adds a field at the end of its struct with a default and leaves the version as it is: older releases pass over it. Whatever an
older release must not pass over (another meaning, a new kind of record) raises the version; `upcast` then gets a reader for
what was written before. docs/decisions/0008 says how releases follow each other.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import msgspec

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class NewerRecord(ValueError):
    """Written by a newer release. It is no DecodeError: quarantine would lose what only has to wait for an upgrade."""


class Decoding(Protocol[T_co]):
    def decode(self, record: bytes, /) -> T_co: ...


class _Header(msgspec.Struct):
    v: int = 1


_header = msgspec.json.Decoder(_Header)


def read(record: bytes, decoder: Decoding[T], *, known: int, word: str) -> T:
    """One JSON record of a topic. NewerRecord where its version is above `known`; msgspec.DecodeError where it is none."""
    try:
        found = decoder.decode(record)
        version: object = getattr(found, "v", known)
        if version == known:
            return found
    except msgspec.DecodeError:
        version = _version(record)
        if version <= known:
            raise
    if isinstance(version, int) and version > known:
        raise newer(f"this {word} has version {version}, and this release reads up to {known}")
    return found


def upcast(data: bytes, readers: Mapping[bytes, Callable[[bytes], T]], *, word: str) -> T:
    """One stored state, by its tag, as the present release knows it. NewerRecord where the tag is unknown."""
    reader = readers.get(data[:2])
    if reader is None:
        raise newer(f"this state of {word} was written by a newer release")
    return reader(data[2:])


def newer(what: str) -> NewerRecord:
    return NewerRecord(f"{what}; upgrade this process, nothing was changed by it")


def _version(record: bytes) -> int:
    try:
        return _header.decode(record).v
    except msgspec.DecodeError:
        return 1
