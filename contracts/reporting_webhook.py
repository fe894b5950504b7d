"""One Customer.io reporting webhook, as signals. Several identifiers in one webhook claim nothing."""

from typing import Any

from contracts.instant import seconds_to_ms
from contracts.message_metric import human
from contracts.occurrence import bounded, read_instant
from contracts.parsed import IgnoreReason, Refused
from contracts.person_key import email_address, person_keys, section
from contracts.product import text_of
from contracts.signals import Consented, Messaged, PersonSignal

_CONSENTS = {"subscribed": True, "unsubscribed": False}
_PREFERENCES = "cio_subscription_preferences_changed"


def read_report(report: dict[str, Any], *, message_id: str, accepted_ms: int) -> list[PersonSignal] | IgnoreReason:
    """(Un)subscribed of any object type is a word of consent; a changed topic preference is none; the rest are metrics.

    Refused `wrong_type`, `no_person`, `bad_key` or `ancient`.
    """
    metric = text_of(report.get("metric"))
    channel = text_of(report.get("object_type")) or text_of(report.get("object_type_type"))
    if metric is None or not isinstance(report["metric"], str):
        raise Refused("wrong_type")
    if metric == _PREFERENCES:
        return "preferences"
    data = report["data"]
    person = _person(data)
    stamped = report.get("timestamp")
    at_ms = seconds_to_ms(stamped)
    occurred_ms = bounded(read_instant(stamped) if at_ms is None else at_ms, accepted_ms)
    if metric in _CONSENTS:
        return [
            Consented(
                person=person, id=message_id, occurred_ms=occurred_ms, accepted_ms=accepted_ms,
                tool="customerio", subscribed=_CONSENTS[metric],
            )
        ]  # fmt: skip
    return [
        Messaged(
            person=person, id=message_id, occurred_ms=occurred_ms, accepted_ms=accepted_ms,
            channel=(channel or "").lower(), metric=metric.lower(),
            delivery=text_of(data.get("delivery_id")) or "", human=human(metric.lower(), data),
        )
    ]  # fmt: skip


def _person(data: dict[str, Any]) -> str:
    named = section(data, "identifiers")
    keys = person_keys(
        user=named.get("id"), cio=named.get("cio_id"), email=email_address(named.get("email")), anonymous=None
    ) or person_keys(
        user=data.get("customer_id"), cio=None, email=email_address(data.get("email_address")), anonymous=None
    )
    if not keys:
        raise Refused("no_person")
    return keys[0]
