"""The bytes that Customer.io and Intercom would send for what a persona does.

Shapes are the vendors': a Data Pipelines call, a reporting webhook with Unix seconds, an Intercom notification.
"""

import json
from typing import Any, Literal, NamedTuple

from contracts.instant import SECOND_MS, to_rfc3339

Sender = Literal["id", "email", "anonymous"]


class User(NamedTuple):
    """The names of one person: Customer.io's id, the e-mail, the browser's anonymous id."""

    id: str
    email: str
    anonymous: str


Built = tuple[bytes, dict[str, str] | None]


def build(kind: str, told: dict[str, Any], user: User, sender: Sender, message_id: str, occurred_ms: int) -> Built:
    """The envelope of one persona event, and the contact that Intercom has where it is Intercom that speaks.

    ValueError with a sentence when the event makes no sense.
    """
    match kind:
        case "track" | "page" | "identify":
            call = {"messageId": message_id, "timestamp": to_rfc3339(occurred_ms), "type": kind}
            return _bytes(call | _call(kind, told, user, sender)), None
        case "webhook":
            return _bytes(_webhook(told, user, sender, message_id, occurred_ms)), None
        case _:
            contact = _contact(user, sender)
            return _bytes(_notification(told, contact, message_id, occurred_ms)), contact


def _bytes(envelope: dict[str, Any]) -> bytes:
    return json.dumps(envelope, ensure_ascii=False).encode()


def _call(kind: str, told: dict[str, Any], user: User, sender: Sender) -> dict[str, Any]:
    context = dict(_object(told, "context"))
    if kind == "identify":
        traits = _object(told, "identify")
        keys: dict[str, Any] = {"anonymousId": user.anonymous} if sender != "email" else {}
        if sender == "id":
            keys["userId"] = user.id
        if sender != "anonymous":
            traits = {"email": user.email, **traits}
        return {**keys, "traits": traits, "context": context}
    named = _text(told, kind)
    if sender == "email":
        context["traits"] = {**_object(context, "traits"), "email": user.email}
    keys = {"id": {"userId": user.id}, "anonymous": {"anonymousId": user.anonymous}, "email": {}}[sender]
    properties = dict(_object(told, "properties"))
    if kind == "track":
        return {**keys, "event": named, "properties": properties, "context": context}
    further = {key: told[key] for key in ("url", "title", "referrer", "search") if key in told}
    name = {"name": told["name"]} if "name" in told else {}
    return {**keys, **name, "properties": {"path": named, **further, **properties}, "context": context}


def _webhook(told: dict[str, Any], user: User, sender: Sender, message_id: str, occurred_ms: int) -> dict[str, Any]:
    metric = _text(told, "webhook")
    if sender == "anonymous":
        raise ValueError("a reporting webhook names a person by id or e-mail, never by the anonymous id")
    consent = metric in ("subscribed", "unsubscribed", "cio_subscription_preferences_changed")
    identifiers = {"id": user.id, "email": user.email} if sender == "id" else {"id": None, "email": user.email}
    data: dict[str, Any] = {"customer_id": identifiers["id"] or "", "identifiers": identifiers}
    if not consent:
        data["recipient"] = user.email
    if told.get("delivery") is not None:
        data["delivery_id"] = str(told["delivery"])
    ours = ("at", "occurred", "id", "as", "user", "webhook", "object_type", "delivery")
    data |= {key: value for key, value in told.items() if key not in ours}
    return {
        "metric": metric,
        "event_id": message_id,
        "object_type": told.get("object_type", "customer" if consent else "email"),
        "timestamp": occurred_ms // SECOND_MS,
        "data": data,
    }


def _contact(user: User, sender: Sender) -> dict[str, str]:
    if sender == "anonymous":
        raise ValueError("Intercom knows a person by id or e-mail, never by the anonymous id of Customer.io")
    return {"external_id": user.id, "email": user.email} if sender == "id" else {"email": user.email}


def _notification(told: dict[str, Any], contact: dict[str, str], message_id: str, occurred_ms: int) -> dict[str, Any]:
    topic, occurred_s = _text(told, "intercom"), occurred_ms // SECOND_MS
    conversation = str(told.get("conversation", "c-1"))
    person = {"type": "contact", "id": f"intercom-{message_id}", "role": "user", **contact}
    if topic == "conversation.deleted":
        item: dict[str, Any] = {"type": "conversation", "conversation_id": conversation}
    elif topic.startswith("conversation."):
        closed = topic.endswith(".closed")
        state = "closed" if closed else "snoozed" if topic.endswith(".snoozed") else "open"
        item = {
            "type": "conversation",
            "id": conversation,
            "updated_at": occurred_s,
            "state": state,
            "open": not closed,
            "contacts": {"type": "contact.list", "contacts": [person]},
        }
    else:
        item = {"type": topic.replace("contact.", "contact_"), "contact": person, "created_at": occurred_s}
    return {
        "type": "notification_event",
        "id": message_id,
        "topic": topic,
        "app_id": "rehearsal",
        "created_at": occurred_s,
        "delivery_attempts": 1,
        "first_sent_at": occurred_s,
        "data": {"type": "notification_event_data", "item": item},
    }


def _object(told: dict[str, Any], key: str) -> dict[str, Any]:
    value = told.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"`{key}` is to be a mapping of keys and values")
    return value


def _text(told: dict[str, Any], key: str) -> str:
    value = told[key]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"`{key}` is to be text")
    return value
