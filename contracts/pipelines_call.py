"""One Customer.io Data Pipelines call, as signals.

identify tells traits and claims the weaker keys that stand beside the strongest; alias claims the previous id; track,
page and screen tell what was done, message metrics among them; group is passed over.
"""

from typing import Any

from contracts import told_back
from contracts.message_metric import consent_of, message_of
from contracts.money import read_amount
from contracts.occurrence import of_call
from contracts.parsed import IgnoreReason, Refused
from contracts.person_key import email_address, identifier, person_keys, section
from contracts.product import TEXT_CHARS_MAX, currency_of, flat_product, read_products, text_of
from contracts.signals import (
    Claimed,
    Consented,
    Erased,
    Identified,
    Messaged,
    Paged,
    PersonSignal,
    Scalar,
    Tracked,
    strength,
)

PATH_CHARS_MAX = 500  # of a page's path; only its kind is kept
TRAITS_MAX = 300  # Customer.io's limit of attributes of one person
_INT_ABS_MAX = 2**63  # what JSON readers agree on
_ERASES = frozenset({"User Deleted", "User Suppressed", "Delete Person", "Suppress Person"})
_HOUSEKEEPING = frozenset({
    "Relationship Deleted", "Object Deleted", "Device Created or Updated", "Device Deleted", "Report Delivery Event",
    "Report Content Event",
})  # fmt: skip
_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0"})


def read_call(
    call: dict[str, Any], *, message_id: str, batch: dict[str, Any], accepted_ms: int
) -> list[PersonSignal] | IgnoreReason:
    """The signals of one call; `batch` gives sentAt and context to the calls in it, {} for a lone one.

    Refused `wrong_type`, `no_person`, `bad_key` or `ancient`.
    """
    kind = call["type"]
    if kind == "group":
        return "group"
    if told_back.is_ours(call):
        return "ours"
    occurred_ms = of_call(call, batch.get("sentAt"), accepted_ms)
    if kind == "alias":
        return _alias(call, message_id, occurred_ms, accepted_ms)
    context = section(call, "context")
    shared = batch.get("context")
    if isinstance(shared, dict):
        context = {**shared, **context}
    around, traits = section(context, "traits"), section(call, "traits")
    if around:
        traits = {**around, **traits}
    email = email_address(traits.get("email"))
    keys = person_keys(
        user=call.get("userId"), cio=traits.get("cio_id"), email=email, anonymous=call.get("anonymousId")
    )
    if not keys:
        if str(call.get("event")) in _HOUSEKEEPING:
            return "housekeeping"
        raise Refused("no_person")
    if kind == "identify":
        return _identify(traits, keys, email, message_id, occurred_ms, accepted_ms)
    if kind == "track":
        return [_track(call, section(context, "page"), keys[0], message_id, occurred_ms, accepted_ms)]
    properties = section(call, "properties")
    path = path_of(properties, section(context, "page")) or _page_name(call, properties)
    return [Paged(person=keys[0], id=message_id, occurred_ms=occurred_ms, accepted_ms=accepted_ms, path=path)]


def _identify(
    traits: dict[str, Any], keys: list[str], email: str | None, message_id: str, occurred_ms: int, accepted_ms: int
) -> list[PersonSignal]:
    person = keys[0]
    told = Identified(
        person=person, id=message_id, occurred_ms=occurred_ms, accepted_ms=accepted_ms,
        traits=_scalars(traits), email=email,
    )  # fmt: skip
    signals: list[PersonSignal] = [told]
    unsubscribed = _truth(traits.get("unsubscribed"))
    if unsubscribed is not None:
        signals.append(
            Consented(
                person=person, id=f"{message_id}:consent", occurred_ms=occurred_ms, accepted_ms=accepted_ms,
                tool="customerio", subscribed=not unsubscribed,
            )
        )  # fmt: skip
    return signals + claims(person, keys[1:], message_id, occurred_ms, accepted_ms)


def _alias(call: dict[str, Any], message_id: str, occurred_ms: int, accepted_ms: int) -> list[PersonSignal]:
    user, previous = identifier(call.get("userId")), identifier(call.get("previousId"))
    if user is None or previous is None:
        raise Refused("no_person")
    weaker = [f"anon:{previous}"] + ([] if previous == user else [f"id:{previous}"])
    return claims(f"id:{user}", weaker, message_id, occurred_ms, accepted_ms)


def claims(owner: str, keys: list[str], message_id: str, occurred_ms: int, accepted_ms: int) -> list[PersonSignal]:
    """To each of the keys: you belong to `owner`."""
    return [
        Claimed(person=key, id=f"{message_id}:claim", occurred_ms=occurred_ms, accepted_ms=accepted_ms, owner=owner)
        for key in keys
        if key != owner and strength(key) <= strength(owner)
    ]


def _track(
    call: dict[str, Any], page: dict[str, Any], person: str, message_id: str, occurred_ms: int, accepted_ms: int
) -> PersonSignal:
    event = call.get("event")
    if not isinstance(event, str) or not event.strip():
        raise Refused("wrong_type")
    properties = section(call, "properties")
    if event in _ERASES:
        return Erased(person=person, id=message_id, occurred_ms=occurred_ms, accepted_ms=accepted_ms)
    subscribed = consent_of(event)
    if subscribed is not None:
        return Consented(
            person=person, id=message_id, occurred_ms=occurred_ms, accepted_ms=accepted_ms,
            tool="customerio", subscribed=subscribed,
        )  # fmt: skip
    message = message_of(event, properties)
    if message is not None:
        return Messaged(
            person=person, id=message_id, occurred_ms=occurred_ms, accepted_ms=accepted_ms,
            channel=message.channel, metric=message.metric, delivery=message.delivery, human=message.human,
        )  # fmt: skip
    amount = read_amount(properties.get("total"))
    if amount is None:
        amount = read_amount(properties.get("revenue"))
        if amount is None:
            amount = read_amount(properties.get("value"))
    products = properties.get("products")
    return Tracked(
        person=person, id=message_id, occurred_ms=occurred_ms, accepted_ms=accepted_ms,
        event=event.strip()[:TEXT_CHARS_MAX],
        items=None if products is None else read_products(products),
        item=flat_product(properties),
        amount=amount,
        currency=currency_of(properties.get("currency")),
        order_id=text_of(properties.get("order_id")) or text_of(properties.get("orderId")),
        path=path_of(properties, page),
        discount=read_amount(properties.get("discount")),
        cost=read_amount(properties.get("cost")),
    )  # fmt: skip


def path_of(properties: dict[str, Any], page: dict[str, Any]) -> str | None:
    """properties.path, else context.page.path, else the path of either one's url; None where there is none."""
    for place in (properties, page):
        path = place.get("path")
        if isinstance(path, str) and path.strip():
            return path.strip()[:PATH_CHARS_MAX]
    for place in (properties, page):
        url = place.get("url")
        if isinstance(url, str) and url.strip():
            return _path_of_url(url.strip())[:PATH_CHARS_MAX]
    return None


def _path_of_url(url: str) -> str:
    bare = url.partition("#")[0].partition("?")[0]
    _, scheme, rest = bare.partition("://")
    if not scheme:
        return bare or "/"
    return "/" + rest.partition("/")[2]


def _page_name(call: dict[str, Any], properties: dict[str, Any]) -> str:
    named = (text_of(place.get(key)) for key in ("name", "category") for place in (call, properties))
    return next((name for name in named if name is not None), "")


def _scalars(traits: dict[str, Any]) -> dict[str, Scalar]:
    kept: dict[str, Scalar] = {}
    for name, value in traits.items():
        if len(kept) == TRAITS_MAX:
            break
        if isinstance(value, str):
            kept[name[:TEXT_CHARS_MAX]] = value[:TEXT_CHARS_MAX]
        elif isinstance(value, int) and abs(value) >= _INT_ABS_MAX:
            kept[name[:TEXT_CHARS_MAX]] = str(value)[:TEXT_CHARS_MAX]
        elif value is None or isinstance(value, bool | int | float):
            kept[name[:TEXT_CHARS_MAX]] = value
    return kept


def _truth(value: object) -> bool | None:
    """True, False, or None for neither; text in any casing, 1 and 0 likewise."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower() if isinstance(value, str | int) else ""
    return True if text in _TRUE else False if text in _FALSE else None
