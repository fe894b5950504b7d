"""Instants: whole milliseconds since 1970 UTC inside, RFC 3339 with milliseconds at the borders.

Every `_ms` in the code is such an integer; nothing here reads a clock.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
INSTANT_MS_MAX = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last that RFC 3339 can write

INSTANTS_KEPT = 4096  # of which the text is remembered: a decision names each of its instants several times
_UTC = "+00:00"
_UNITS_MS = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d+))?\s*(Z|z|UTC|[+-]\d\d:?\d\d)?")


@lru_cache(maxsize=INSTANTS_KEPT)
def to_rfc3339(at_ms: int) -> str:
    """`1583312400123` -> `2020-03-04T09:00:00.123Z`; clamped to the years 1 to 9999."""
    at_ms = min(max(at_ms, -62_135_596_800_000), INSTANT_MS_MAX)
    at = EPOCH + timedelta(milliseconds=at_ms)
    return at.isoformat(timespec="milliseconds")[: -len(_UTC)] + "Z" if at.year >= 1000 else at.isoformat()


def from_rfc3339(text: str) -> int:
    """Milliseconds of an RFC 3339 instant; a missing offset means UTC. ValueError when it is none."""
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise ValueError("not an RFC 3339 instant such as 2026-03-02T09:00:00Z")
    day, clock, fraction, offset = match.groups()
    zone = _UTC if offset is None or offset in ("Z", "z", "UTC") else offset
    if len(zone) == 5:
        zone = f"{zone[:3]}:{zone[3:]}"
    since = datetime.fromisoformat(f"{day}T{clock}{zone}") - EPOCH
    milliseconds = int(fraction[:3].ljust(3, "0")) if fraction else 0
    return since.days * DAY_MS + since.seconds * SECOND_MS + milliseconds


def duration_ms(text: str) -> int:
    """`30m`, `2h30m`, `1.5d`, `0` -> milliseconds. ValueError when it is no duration."""
    text = text.strip()
    if text == "0":
        return 0
    if not _DURATION.fullmatch(text):
        raise ValueError("not a duration such as 30m, 2h30m or 3d")
    return sum(int(Decimal(number) * _UNITS_MS[unit]) for number, unit in _PART.findall(text))


def duration_text(span_ms: int) -> str:
    """The shortest of `3d`, `2h30m`, `45s` that says the span exactly; below a second it is rounded down."""
    parts, left = [], span_ms
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _UNITS_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0"


def seconds_to_ms(value: object) -> int | None:
    """Unix seconds as vendors write them (int, float, digits in a string) -> ms; None when it is no such number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        at_ms = int(Decimal(str(value).strip()) * 1000)
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return at_ms if 0 <= at_ms <= INSTANT_MS_MAX else None
