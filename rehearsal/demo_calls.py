"""Bodies as the vendors send them: Data Pipelines calls, reporting webhooks, Intercom notifications.

Each function gives the bytes of one message and nothing else; who says what and when is the shop's business.
"""

import json
from typing import Any, NamedTuple

from contracts.instant import SECOND_MS, to_rfc3339


class Visitor(NamedTuple):
    """One person of the shop. `user` and `email` are told by identify; until then only `anonymous` names the browser."""

    user: str
    email: str
    anonymous: str


def call(kind: str, who: Visitor, at_ms: int, message: str, *, known: bool, **said: Any) -> bytes:
    """A `track`, `page` or `identify` call; `known`: the browser is logged in, so the call carries the user's id."""
    body: dict[str, Any] = {"type": kind, "messageId": message, "anonymousId": who.anonymous}
    if known:
        body["userId"] = who.user
    return _bytes(body | said | {"timestamp": to_rfc3339(at_ms), "context": {"channel": "browser"}})


def report(metric: str, who: Visitor, at_ms: int, message: str, delivery: str, **said: Any) -> bytes:
    """A reporting webhook about one e-mail delivery."""
    data = {
        "customer_id": who.user,
        "identifiers": {"id": who.user, "email": who.email},
        "delivery_id": delivery,
        "campaign_id": 12,
        "recipient": who.email,
    }
    stamp = at_ms // SECOND_MS
    return _bytes(
        {"metric": metric, "event_id": message, "object_type": "email", "timestamp": stamp, "data": data | said}
    )


def notification(topic: str, who: Visitor, at_ms: int, message: str, conversation: str) -> bytes:
    """An Intercom notification about a conversation."""
    contact = {"type": "contact", "id": f"ic-{who.user}", "external_id": who.user, "email": who.email, "role": "user"}
    item = {
        "type": "conversation",
        "id": conversation,
        "open": not topic.endswith("closed"),
        "contacts": {"type": "contact.list", "contacts": [contact]},
    }
    body = {
        "type": "notification_event",
        "id": message,
        "topic": topic,
        "app_id": "rehearsal",
        "created_at": at_ms // SECOND_MS,
        "delivery_attempts": 1,
        "data": {"type": "notification_event_data", "item": item},
    }
    return _bytes(body)


def _bytes(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
