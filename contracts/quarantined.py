"""A record of the `quarantine` topic: where it came from, why it stands here, and its original bytes.

Bytes that one Kafka record cannot hold are cut into numbered parts under one key, so that they can be put together again.
"""

from collections.abc import Iterable

import msgspec

from contracts import versions

VERSION = 1
PART_BYTES_MAX = 512 * 1024  # in base64 with its frame well below Kafka's 1 MiB for one record


class Quarantined(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """source: `topic/partition/offset`, with `/index` for one call of a batch; value: base64 in JSON. part counts from 0."""

    stage: str
    reason: str
    source: str
    value: bytes
    part: int = 0
    parts: int = 1
    v: int = VERSION


encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Quarantined)


def decode(record: bytes) -> Quarantined:
    """msgspec.DecodeError when it is no such record; NewerRecord."""
    return versions.read(record, _decoder, known=VERSION, word="quarantined message")


def in_parts(*, stage: str, reason: str, source: str, value: bytes) -> list[Quarantined]:
    """One record, or several that hold at most `PART_BYTES_MAX` bytes each, in order."""
    cuts = [value[start : start + PART_BYTES_MAX] for start in range(0, len(value), PART_BYTES_MAX)] or [b""]
    return [
        Quarantined(stage=stage, reason=reason, source=source, value=cut, part=part, parts=len(cuts))
        for part, cut in enumerate(cuts)
    ]


def joined(parts: Iterable[Quarantined]) -> bytes:
    """The original bytes. ValueError when a part is missing or they do not belong together."""
    by_part = {part.part: part for part in parts}
    sources = {(part.source, part.parts) for part in by_part.values()}
    if len(sources) != 1 or len(by_part) != next(iter(sources))[1]:
        raise ValueError("parts are missing or belong to different messages")
    return b"".join(by_part[index].value for index in range(len(by_part)))
