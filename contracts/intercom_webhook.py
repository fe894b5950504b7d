"""One Intercom notification, as signals: conversations opened and closed, consent given and taken.

Times are the notification's own `created_at`: Intercom promises no order. A person without an external id or an e-mail is
nobody to Customer.io and is passed over. A deleted conversation names no contact, so its conversation's key stands for
the person; every conversation that does name one claims that key for the person.
"""

from typing import Any

from contracts.occurrence import bounded, read_instant
from contracts.parsed import IgnoreReason, Refused
from contracts.person_key import email_address, identifier, person_keys, section
from contracts.pipelines_call import claims
from contracts.signals import Consented, Conversed, PersonSignal

_CONVERSATIONS = {
    "conversation.user.created": True, "conversation.user.replied": True, "conversation.admin.single.created": True,
    "conversation.admin.opened": True, "conversation.operator.replied": True, "conversation.admin.snoozed": True,
    "conversation.admin.unsnoozed": True, "conversation.admin.closed": False, "conversation.deleted": False,
}  # fmt: skip
_CONSENTS = {"contact.subscribed": True, "contact.unsubscribed": False}


def read_notification(
    notification: dict[str, Any], *, message_id: str, accepted_ms: int
) -> list[PersonSignal] | IgnoreReason:
    """Refused `wrong_type`, `bad_key` or `ancient`."""
    topic = notification.get("topic")
    if not isinstance(topic, str):
        raise Refused("wrong_type")
    if topic not in _CONVERSATIONS and topic not in _CONSENTS:
        return "ping" if topic == "ping" else "topic"
    item = section(section(notification, "data"), "item")
    occurred_ms = bounded(read_instant(notification.get("created_at")), accepted_ms)
    if topic in _CONSENTS:
        person = _person_of(section(item, "contact") or item)
        if person is None:
            return "no_person"
        return [
            Consented(
                person=person, id=message_id, occurred_ms=occurred_ms, accepted_ms=accepted_ms,
                tool="intercom", subscribed=_CONSENTS[topic],
            )
        ]  # fmt: skip
    return _conversation(topic, item, message_id, occurred_ms, accepted_ms)


def _conversation(
    topic: str, item: dict[str, Any], message_id: str, occurred_ms: int, accepted_ms: int
) -> list[PersonSignal] | IgnoreReason:
    conversation = identifier(item.get("id")) or identifier(item.get("conversation_id"))
    if conversation is None:
        raise Refused("wrong_type")
    person = _person_in(item)
    if person is None and topic != "conversation.deleted":
        return "no_person"
    key = f"conv:{conversation}"
    told = Conversed(
        person=person or key, id=message_id, occurred_ms=occurred_ms, accepted_ms=accepted_ms,
        conversation=conversation, open=_CONVERSATIONS[topic], topic=topic,
    )  # fmt: skip
    return [told] if person is None else [told, *claims(person, [key], message_id, occurred_ms, accepted_ms)]


def _person_in(item: dict[str, Any]) -> str | None:
    """The first contact of the conversation that Customer.io could know, else the person who began it."""
    listed = item.get("contacts")
    if isinstance(listed, dict):
        listed = listed.get("contacts")
    found = [contact for contact in listed if isinstance(contact, dict)] if isinstance(listed, list) else []
    author = section(section(item, "source"), "author")
    if author.get("type") in ("user", "lead", "contact"):
        found.append(author)
    for contact in (*found, section(item, "user")):
        person = _person_of(contact)
        if person is not None:
            return person
    return None


def _person_of(contact: dict[str, Any]) -> str | None:
    """External ids count for users only: Intercom makes them up for leads."""
    lead = "lead" in (contact.get("role"), contact.get("type"))
    known = None if lead else contact.get("external_id") or contact.get("user_id")
    keys = person_keys(user=known, cio=None, email=email_address(contact.get("email")), anonymous=None)
    return keys[0] if keys else None
