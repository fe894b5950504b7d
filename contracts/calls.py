"""Reads one message of a source, in any of its envelopes, into signals. Pure and total: any bytes have a defined result.

A call in a batch that cannot be read is refused alone; its neighbours are read. A message without an id of its own gets
one from its content, so that an identical resend counts once.
"""

import hashlib
from typing import Any

import msgspec

from contracts.envelope import kind_of, open_envelope
from contracts.intercom_webhook import read_notification
from contracts.parsed import IgnoreReason, Parsed, Refused, Rejected
from contracts.person_key import KEY_CHARS_MAX
from contracts.pipelines_call import read_call
from contracts.reporting_webhook import read_report
from contracts.signals import PersonSignal

_sorted_encode = msgspec.json.Encoder(order="sorted").encode
_DELIVERY_FIELDS = ("delivery_attempts", "first_sent_at")  # differ between an Intercom notification and its repeat


def parse(value: bytes, *, accepted_ms: int) -> Parsed:
    """All that one record says. Never raises; at least one of the three parts is not empty."""
    try:
        envelope = open_envelope(value)
    except Refused as refused:
        return Parsed(rejected=(Rejected(refused.reason, value),))
    signals: list[PersonSignal] = []
    rejected: list[Rejected] = []
    ignored: list[IgnoreReason] = []
    for index, message in enumerate(envelope.messages):
        try:
            read = _read(message, envelope.batch or {}, accepted_ms)
        except Refused as refused:
            original = value if envelope.batch is None else envelope.original(index)
            rejected.append(Rejected(refused.reason, original))
            continue
        if isinstance(read, str):
            ignored.append(read)
        else:
            signals += read
    if not envelope.messages:
        ignored.append("empty_batch")
    return Parsed(tuple(signals), tuple(rejected), tuple(ignored))


def _read(message: Any, batch: dict[str, Any], accepted_ms: int) -> list[PersonSignal] | IgnoreReason:
    if not isinstance(message, dict):
        raise Refused("wrong_type")
    kind = kind_of(message)
    if kind == "call":
        own_id = _id_of(message, message.get("messageId"))
        return read_call(message, message_id=own_id, batch=batch, accepted_ms=accepted_ms)
    if kind == "reporting":
        own_id = _id_of(message, message.get("event_id"))
        return read_report(message, message_id=own_id, accepted_ms=accepted_ms)
    if kind == "intercom":
        own_id = _id_of(message, message.get("id"))
        return read_notification(message, message_id=own_id, accepted_ms=accepted_ms)
    raise Refused("no_type")


def _id_of(message: dict[str, Any], given: object) -> str:
    if isinstance(given, str) and 0 < len(given) <= KEY_CHARS_MAX:
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)[:KEY_CHARS_MAX]
    content = {name: held for name, held in message.items() if name not in _DELIVERY_FIELDS}
    return "content-" + hashlib.sha256(_sorted_encode(content)).hexdigest()[:32]
