"""When something happened, by the message itself, as far as that can be believed.

The first readable of the vendor's fields counts; what lies after the acceptance is clamped to it, since nothing can have
been accepted before it happened; what lies before the year 2000 is a broken clock and refuses the message.
"""

from collections.abc import Mapping
from typing import Any

from contracts.instant import from_rfc3339, seconds_to_ms
from contracts.parsed import Refused

OLDEST_MS = 946_684_800_000  # 2000-01-01: before any shop's records, after every zeroed clock
_MILLISECONDS_FROM = 100_000_000_000  # a number so large is milliseconds (1973) and no seconds (the year 5138)


def read_instant(value: object) -> int | None:
    """RFC 3339 text, unix seconds or unix milliseconds -> ms; None when it is none of them."""
    if isinstance(value, str) and len(value) <= 40:
        if value.isascii() and value.strip().isdigit():
            return read_instant(int(value))
        try:
            return from_rfc3339(value)
        except ValueError:
            return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if _MILLISECONDS_FROM <= value < 1e15 else seconds_to_ms(value)
    return None


def of_call(call: Mapping[str, Any], sent_at: object, accepted_ms: int) -> int:
    """timestamp; else originalTimestamp, corrected by receivedAt - sentAt where both are there; else receivedAt; else
    acceptance. Refused `ancient`."""
    occurred = read_instant(call.get("timestamp"))
    if occurred is None:
        received = read_instant(call.get("receivedAt"))
        occurred = read_instant(call.get("originalTimestamp"))
        if occurred is None:
            occurred = received
        elif received is not None:
            sent = read_instant(call.get("sentAt") or sent_at)
            occurred += 0 if sent is None else received - sent
    return bounded(occurred, accepted_ms)


def bounded(occurred_ms: int | None, accepted_ms: int) -> int:
    if occurred_ms is None:
        return accepted_ms
    if occurred_ms < OLDEST_MS:
        raise Refused("ancient")
    return min(occurred_ms, accepted_ms)
