"""Message metrics that come as track events (`Email Opened`, `push_sent`, `In-App Message Link Clicked`, ...).

Names are matched whole, in any casing, with `_` or `-` for a space; any other name is the brand's own event.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from contracts.product import text_of

_CHANNELS = {
    "email": "email", "push": "push", "push notification": "push", "sms": "sms", "sms message": "sms",
    "in app": "in_app", "in app message": "in_app", "whatsapp": "whatsapp", "whatsapp message": "whatsapp",
    "slack": "slack", "slack message": "slack", "webhook": "webhook", "webhook message": "webhook",
}  # fmt: skip
_METRICS = {
    "drafted": "drafted", "attempted": "attempted", "sent": "sent", "delivered": "delivered", "opened": "opened",
    "clicked": "clicked", "link clicked": "clicked", "converted": "converted", "bounced": "bounced",
    "dropped": "dropped", "suppressed": "suppressed", "marked as spam": "spammed", "spammed": "spammed",
    "failed": "failed", "undeliverable": "undeliverable", "deferred": "deferred", "replied": "replied",
}  # fmt: skip
_MESSAGES = {
    f"{spoken} {said}": (channel, metric) for spoken, channel in _CHANNELS.items() for said, metric in _METRICS.items()
}
_CONSENTS = {
    f"{prefix}{word}": word == "subscribed"
    for prefix in ("", "customer ", *(f"{channel} " for channel in _CHANNELS))
    for word in ("subscribed", "unsubscribed")
}
NAMES_KEPT = 1024  # a shop has some dozens; whoever sends more has each put into plain words anew
_NAME_CHARS_MAX = 60  # longer than any name above
_SPACES = str.maketrans("_-", "  ")


class Message(NamedTuple):
    channel: str
    metric: str
    delivery: str
    human: bool


def consent_of(event: str) -> bool | None:
    """True for subscribed, False for unsubscribed, None for any other event."""
    return _CONSENTS.get(_plain(event))


def message_of(event: str, properties: dict[str, Any]) -> Message | None:
    """The metric of one message, None where the event is none."""
    found = _MESSAGES.get(_plain(event))
    if found is None:
        return None
    channel, metric = found
    delivery = text_of(properties.get("delivery_id")) or text_of(properties.get("deliveryId")) or ""
    return Message(channel, metric, delivery, human(metric, properties))


def human(metric: str, data: dict[str, Any]) -> bool:
    """Whether a person may be behind it: no prefetched open, no click by a machine."""
    if metric == "opened":
        return not _flagged(data.get("prefetched"))
    return not (metric == "clicked" and _flagged(data.get("machine")))


def _flagged(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true") or value == 1


@lru_cache(NAMES_KEPT)
def _plain(event: str) -> str:
    return event.strip().translate(_SPACES).lower() if len(event) <= _NAME_CHARS_MAX else ""
