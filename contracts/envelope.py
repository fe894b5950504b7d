"""From the bytes of one message to the plain objects inside it, whatever envelope they came in.

Envelopes: a bare Data Pipelines call; a batch (`{"batch": [...], "sentAt", "context"}`, or a bare array); a reporting
webhook; an Intercom notification; any of these held by a bridge's wrapper under one key of a closed list, as an object
or as JSON text, one level deep. The bytes may be one line of JSONL and may begin with a byte order mark.

JSON is read tolerantly where the meaning is plain: of duplicate keys the last counts, the literals NaN and Infinity and
numbers beyond a float are null, half a surrogate pair becomes U+FFFD.
"""

import json
from typing import Any

import msgspec

from contracts.parsed import Refused, RejectReason

BODY_BYTES_MAX = 1024 * 1024  # Customer.io takes 500 KB a batch; a Kafka record holds about 1 MiB
DEPTH_MAX = 100  # no vendor nests beyond ten; bounded well below the interpreter's recursion limit
CALLS_MAX = 1000  # a Data Pipelines webhook batch holds at most so many

CALL_TYPES = frozenset({"identify", "track", "page", "screen", "group", "alias"})
_BRIDGE_KEYS = ("httpPayload", "message_raw")  # Jitsu, Dittofeed; their wrappers may carry a `type` of their own
_WRAPPER_KEYS = ("message", "payload", "value", "data", "body", "record", "event")

_decode = msgspec.json.Decoder().decode


class _Raws(msgspec.Struct):
    batch: list[msgspec.Raw]


class Envelope(msgspec.Struct, frozen=True):
    """messages: the objects inside (or what stands in their place). batch: the object around them, None for a single one.

    body: the bytes of a batch, without a wrapper.
    """

    messages: list[Any]
    batch: dict[str, Any] | None
    body: bytes

    def original(self, index: int) -> bytes:
        """The bytes of one message of a batch as they came."""
        try:
            if self.body.lstrip()[:1] == b"[":
                return bytes(msgspec.json.decode(self.body, type=list[msgspec.Raw])[index])
            return bytes(msgspec.json.decode(self.body, type=_Raws).batch[index])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return self.body  # only the tolerant reader could read it: keep all of it


def kind_of(message: dict[str, Any]) -> str | None:
    """`call`, `reporting`, `intercom`, or None where it is none of them."""
    kind = message.get("type")
    if isinstance(kind, str):
        if kind in CALL_TYPES:
            return "call"
        if kind == "notification_event":
            return "intercom"
    if "metric" in message and isinstance(message.get("data"), dict):
        return "reporting"
    return None


def open_envelope(value: bytes) -> Envelope:
    """The messages of one record. Refused when the record as a whole cannot be read."""
    if len(value) > BODY_BYTES_MAX:
        raise Refused("too_large")
    outer = read_json(value)
    opened = _opened(outer, value)
    if opened is None and isinstance(outer, dict):
        opened = _unwrapped(outer, _WRAPPER_KEYS)
    if opened is not None:
        if len(opened.messages) > CALLS_MAX:
            raise Refused("too_many_calls")
        return opened
    raise Refused(_why_unknown(outer))


def _opened(outer: Any, body: bytes) -> Envelope | None:
    if isinstance(outer, list):
        return Envelope(outer, {}, body)
    if not isinstance(outer, dict):
        return None
    bridged = _unwrapped(outer, _BRIDGE_KEYS)
    if bridged is not None:
        return bridged
    if kind_of(outer) is not None:
        return Envelope([outer], None, body)
    batch = outer.get("batch")
    return Envelope(batch, outer, body) if isinstance(batch, list) else None


def _unwrapped(outer: dict[str, Any], keys: tuple[str, ...]) -> Envelope | None:
    for key in keys:
        held, body = outer.get(key), b""
        if held is None:
            continue
        if isinstance(held, str) and held.lstrip()[:1] == "{":
            body = held.encode("utf-8", "replace")
            try:
                held = read_json(body)
            except Refused:
                continue
        if not isinstance(held, dict):
            continue
        if kind_of(held) is not None:
            return Envelope([held], None, b"")
        if isinstance(held.get("batch"), list):
            return Envelope(held["batch"], held, body or msgspec.json.encode(held))
    return None


def _why_unknown(outer: Any) -> RejectReason:
    if not isinstance(outer, dict) or not isinstance(outer.get("batch", []), list):
        return "wrong_type"
    return (
        "no_type" if any(key in outer for key in ("userId", "anonymousId", "event", "traits")) else "unknown_envelope"
    )


def read_json(value: bytes) -> Any:
    """The value of one JSON text. Refused `not_json`, `not_utf8` or `too_deep`."""
    try:
        read = _decode(value)
    except RecursionError:
        raise Refused("too_deep") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        read = _read_tolerantly(value)
    if value.count(b"[") + value.count(b"{") > DEPTH_MAX and _deeper_than(read, DEPTH_MAX):
        raise Refused("too_deep")
    return read


def _read_tolerantly(value: bytes) -> Any:
    try:
        text = value.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("not_utf8") from None
    try:
        return _mended(json.loads(text, parse_constant=lambda _: None), 0)
    except RecursionError:
        raise Refused("too_deep") from None
    except ValueError:  # no JSON, or an integer of thousands of digits
        raise Refused("not_json") from None


def _mended(read: Any, depth: int) -> Any:
    """Without infinities and half surrogate pairs."""
    if depth > DEPTH_MAX:
        raise Refused("too_deep")
    if isinstance(read, str):
        return read.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(read, float):
        return read if abs(read) != float("inf") else None
    if isinstance(read, dict):
        return {_mended(key, depth): _mended(held, depth + 1) for key, held in read.items()}
    if isinstance(read, list):
        return [_mended(held, depth + 1) for held in read]
    return read


def _deeper_than(read: Any, depth_max: int) -> bool:
    level = [read]
    for _ in range(depth_max + 1):
        level = [
            inner
            for held in level
            if isinstance(held, dict | list)
            for inner in (held.values() if isinstance(held, dict) else held)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
