from typing import Any

import pytest

from contracts.signals import Claimed, Consented, Conversed, Messaged
from tests.parsing.calls import ACCEPTED, NINE, notification, one, read, report, why


@pytest.mark.parametrize(
    ("data", "person"),
    [
        ({"customer_id": "c", "identifiers": {"id": "42", "email": "A@b.c", "cio_id": "x"}}, "id:42"),
        ({"customer_id": "c", "identifiers": {"id": None, "email": "A@b.c", "cio_id": "x"}}, "cio:x"),
        ({"customer_id": "c", "identifiers": {"id": "", "email": "A@b.c"}}, "email:a@b.c"),
        ({"customer_id": "c", "identifiers": {"id": None, "email": None}}, "id:c"),
        ({"customer_id": 7, "identifiers": None}, "id:7"),
        ({"customer_id": "", "identifiers": {}, "email_address": "A@b.c"}, "email:a@b.c"),
    ],
)
def test_a_report_names_its_person(data: dict[str, Any], person: str) -> None:
    assert one(report(**data)).person == person


def test_a_report_that_names_nobody_or_nothing_is_refused() -> None:
    assert why(report(identifiers={}, customer_id=None)) == "no_person"
    assert why({**report(), "metric": 5}) == "wrong_type"
    assert why({**report(), "timestamp": 5}) == "ancient"


@pytest.mark.parametrize(
    ("metric", "flags", "human"),
    [
        ("opened", {}, True), ("opened", {"prefetched": True}, False), ("opened", {"proxied": True}, True),
        ("clicked", {}, True), ("clicked", {"machine": True}, False), ("clicked", {"prefetched": True}, True),
        ("sent", {"machine": True}, True),
    ],
)  # fmt: skip
def test_machines_are_told_from_people(metric: str, flags: dict[str, Any], human: bool) -> None:
    signal = one(report(metric, **flags))
    assert isinstance(signal, Messaged)
    assert (signal.channel, signal.metric, signal.delivery, signal.human) == ("email", metric, "d-1", human)
    assert (signal.id, signal.occurred_ms) == ("e1", NINE)


@pytest.mark.parametrize("object_type", ["customer", "email", "sms"])
@pytest.mark.parametrize("metric", ["subscribed", "unsubscribed"])
def test_consent_counts_whatever_channel_it_came_by(object_type: str, metric: str) -> None:
    signal = one(report(metric, object_type))
    assert isinstance(signal, Consented)
    assert (signal.tool, signal.subscribed) == ("customerio", metric == "subscribed")


def test_a_changed_topic_preference_is_passed_over() -> None:
    assert read(report("cio_subscription_preferences_changed", "customer")).ignored == ("preferences",)


def test_the_misspelt_object_type_is_read() -> None:
    message = report()
    message["object_type_type"] = message.pop("object_type")
    assert one(message).channel == "email"


@pytest.mark.parametrize(
    ("stamp", "occurred_ms"), [(NINE // 1000, NINE), (str(NINE // 1000), NINE), ("abc", ACCEPTED), (None, ACCEPTED)]
)
def test_the_time_of_a_report_is_unix_seconds_or_its_acceptance(stamp: object, occurred_ms: int) -> None:
    assert one({**report(), "timestamp": stamp}).occurred_ms == occurred_ms


OPENING = [
    "conversation.user.created", "conversation.user.replied", "conversation.admin.single.created",
    "conversation.admin.opened", "conversation.operator.replied", "conversation.admin.snoozed",
    "conversation.admin.unsnoozed",
]  # fmt: skip


@pytest.mark.parametrize(
    ("topic", "is_open"), [*((topic, True) for topic in OPENING), ("conversation.admin.closed", False)]
)
def test_a_conversation_opens_and_closes_and_claims_its_own_key(topic: str, is_open: bool) -> None:
    told, claim = read(notification(topic)).signals
    assert isinstance(told, Conversed) and isinstance(claim, Claimed)
    assert (told.person, told.conversation, told.open, told.topic) == ("id:u1", "77", is_open, topic)
    assert (told.id, told.occurred_ms) == ("notif_1", NINE)
    assert (claim.person, claim.owner, claim.id) == ("conv:77", "id:u1", "notif_1:claim")


def test_a_deleted_conversation_is_told_to_its_own_key() -> None:
    told = one(notification("conversation.deleted", {"type": "conversation", "conversation_id": 77}))
    assert (told.person, told.conversation, told.open) == ("conv:77", "77", False)


@pytest.mark.parametrize(
    ("item", "person"),
    [
        ({"contacts": {"contacts": [{"external_id": "u", "role": "user", "email": "x@y.z"}]}}, "id:u"),
        ({"contacts": [{"external_id": "u"}]}, "id:u"),
        ({"contacts": {"contacts": [{"external_id": "made-up", "role": "lead", "email": "X@y.z"}]}}, "email:x@y.z"),
        (
            {"contacts": {"contacts": [{"id": "i"}]}, "source": {"author": {"type": "user", "email": "X@y.z"}}},
            "email:x@y.z",
        ),
        ({"user": {"type": "user", "user_id": "u", "email": "x@y.z"}}, "id:u"),
    ],
)
def test_the_contact_names_the_person(item: dict[str, Any], person: str) -> None:
    assert read(notification(item={"id": "77", **item})).signals[0].person == person


@pytest.mark.parametrize(
    "item",
    [
        {}, {"contacts": None}, {"contacts": {"contacts": [None, 5]}},
        {"contacts": {"contacts": [{"id": "i", "external_id": "made-up", "role": "lead"}]}},
        {"source": {"author": {"type": "admin", "email": "agent@shop.example"}}},
    ],
)  # fmt: skip
def test_a_conversation_with_nobody_that_customerio_knows_is_passed_over(item: dict[str, Any]) -> None:
    assert read(notification(item={"id": "77", **item})).ignored == ("no_person",)


@pytest.mark.parametrize(("topic", "subscribed"), [("contact.unsubscribed", False), ("contact.subscribed", True)])
def test_consent_in_intercom_is_read_one_level_deeper_or_flat(topic: str, subscribed: bool) -> None:
    contact = {"type": "contact", "role": "user", "external_id": "u1"}
    for item in (contact, {"type": "contact_unsubscribe", "contact": contact}):
        told = one(notification(topic, item))
        assert isinstance(told, Consented)
        assert (told.person, told.tool, told.subscribed) == ("id:u1", "intercom", subscribed)


@pytest.mark.parametrize(
    "topic", ["contact.deleted", "contact.archived", "conversation.admin.replied", "granular.unsubscribe"]
)
def test_other_topics_are_passed_over(topic: str) -> None:
    assert read(notification(topic)).ignored == ("topic",)
    assert read(notification("ping", {})).ignored == ("ping",)


@pytest.mark.parametrize(
    ("stamp", "occurred_ms"),
    [(NINE // 1000, NINE), ("2026-03-02T09:00:00.000Z", NINE), (None, ACCEPTED), ("x", ACCEPTED)],
)
def test_the_time_of_a_notification_is_its_own(stamp: object, occurred_ms: int) -> None:
    assert read({**notification(), "created_at": stamp}).signals[0].occurred_ms == occurred_ms


def test_a_notification_without_topic_or_conversation_is_refused() -> None:
    assert why({**notification(), "topic": None}) == "wrong_type"
    assert why(notification(item={"contacts": []})) == "wrong_type"


def test_a_repeat_of_a_notification_without_an_id_counts_once() -> None:
    first, repeat = notification(), {**notification(), "delivery_attempts": 2, "first_sent_at": 5}
    del first["id"], repeat["id"]
    assert read(first).signals[0].id == read(repeat).signals[0].id
