"""Builders of messages for the tests of parsing."""

import json
from typing import Any

from contracts.calls import parse
from contracts.instant import from_rfc3339
from contracts.parsed import Parsed

ACCEPTED = from_rfc3339("2026-03-02T12:00:00Z")
NINE = from_rfc3339("2026-03-02T09:00:00Z")


def call(type: str = "track", **fields: Any) -> dict[str, Any]:
    base = {"type": type, "userId": "u1", "messageId": "m1", "timestamp": "2026-03-02T09:00:00Z"}
    if type == "track" and "event" not in fields:
        base["event"] = "Product Added"
    return {name: value for name, value in {**base, **fields}.items() if value is not ...}


def report(metric: str = "sent", object_type: str = "email", **data: Any) -> dict[str, Any]:
    held = {"identifiers": {"id": "u1"}, "delivery_id": "d-1", **data}
    return {"metric": metric, "event_id": "e1", "object_type": object_type, "timestamp": NINE // 1000, "data": held}


def notification(topic: str = "conversation.user.created", item: dict[str, Any] | None = None) -> dict[str, Any]:
    held = item if item is not None else {"id": "77", "contacts": {"contacts": [{"id": "x", "external_id": "u1"}]}}
    return {
        "type": "notification_event", "id": "notif_1", "topic": topic, "created_at": NINE // 1000,
        "data": {"type": "notification_event_data", "item": held},
    }  # fmt: skip


def read(message: Any) -> Parsed:
    return parse(json.dumps(message).encode(), accepted_ms=ACCEPTED)


def one(message: Any) -> Any:
    parsed = read(message)
    assert not parsed.rejected and not parsed.ignored, parsed
    assert len(parsed.signals) == 1, parsed
    return parsed.signals[0]


def why(message: Any) -> str:
    parsed = read(message)
    assert not parsed.signals and len(parsed.rejected) == 1, parsed
    return parsed.rejected[0].reason
