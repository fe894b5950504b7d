"""Persona files: each mistake is told in one sentence with file and place, and each event is the vendors' envelope."""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts import calls
from contracts.signals import Claimed, Consented, Conversed, Identified, Messaged, Paged, Tracked
from rehearsal import persona, verdict
from rehearsal.persona import PersonaError

ATTRIBUTES = ("cio_moment", "last_cart_value", "cio_moment_expires_at")
HEAD = "persona: p\nstart: 2026-03-02T09:00:00Z\n"


def _load(folder: Path, text: str) -> persona.Persona:
    file = folder / "somebody.yaml"
    file.write_text(text, encoding="utf-8")
    return persona.load(file, attributes=ATTRIBUTES)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a\n", "somebody.yaml:1: is to be a mapping"),
        ("persona: [\n", "this is not YAML"),
        ("persona: p\nevents: []\n", "`start` is missing"),
        (HEAD, "`events` is missing"),
        (HEAD + "events: []\nevnts: []\n", "somebody.yaml:4: `evnts`: unknown key; did you mean `events`?"),
        (HEAD + "events: []\nuntil: soon\n", "somebody.yaml:4: `until`: not a duration"),
        (HEAD + "events: []\narm: left\n", "`arm`: is none of assisted, holdout"),
        (HEAD + "events: []\nuntil: 1h\nuntil: 2h\n", "somebody.yaml:5: `until`: stands twice"),
        ("persona: p\nstart: today\nevents: []\n", "`start`: not an instant"),
        (HEAD + "events: {}\n", "`events`: is to be a list"),
        (HEAD + "events:\n  - {track: X}\n", "somebody.yaml:4: `events.0`: `at` is missing"),
        (HEAD + "events:\n  - {at: 0m}\n", "exactly one of track, page, identify, webhook, intercom"),
        (HEAD + "events:\n  - {at: 0m, track: X, page: /x}\n", "exactly one of"),
        (HEAD + "events:\n  - {at: 0m, trak: X}\n", "did you mean `track`"),
        (HEAD + "events:\n  - {at: 0m, track: X, propertys: {}}\n", "did you mean `properties`"),
        (HEAD + "events:\n  - {at: 0m, track: X, properties: 5}\n", "`properties` is to be a mapping"),
        (HEAD + "events:\n  - {at: 0m, track: 5}\n", "`track` is to be text"),
        (HEAD + "events:\n  - {at: 0m, track: X, as: mail}\n", "is none of id, email, anonymous"),
        (HEAD + "events:\n  - {at: 0m, webhook: sent, as: anonymous}\n", "names a person by id or e-mail"),
        (HEAD + "events: []\nexpect:\n  - {at: 1h, audiense: x}\n", "did you mean `audience`"),
        (HEAD + "events: []\nfacts:\n  - {at: 1h, last_cart_valu: 1}\n", "did you mean `last_cart_value`"),
        (HEAD + "events: []\nintercom:\n  - {last_cart_value: 1}\n", "`intercom.0`: `at` is missing"),
        (HEAD + "events: []\nuser: {mail: a}\n", "did you mean `email`"),
        (HEAD + "events: &a [*a]\n", "contains itself"),
        (HEAD + "events:\n  - {at: 0m, track: X, properties: &p {p: *p}}\n", "contains itself"),
        (HEAD + "events:\n  - {at: 0m, track: X, properties: {p: !!binary aGk=}}\n", "not JSON serializable"),
    ],
)
def test_a_mistake_is_one_sentence_with_file_and_place(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(PersonaError) as refusal:
        _load(tmp_path, text)
    assert sentence in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1
    assert "somebody.yaml" in str(refusal.value)


def test_a_folder_without_personas_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PersonaError, match="holds no persona file"):
        persona.find(tmp_path)
    with pytest.raises(PersonaError, match="cannot be read"):
        persona.load(tmp_path / "nobody.yaml", attributes=ATTRIBUTES)
    (tmp_path / "latin.yaml").write_bytes(b"persona: caf\xe9")
    with pytest.raises(PersonaError, match="not UTF-8"):
        persona.load(tmp_path / "latin.yaml", attributes=ATTRIBUTES)


def _signals(folder: Path, event: str) -> tuple[Any, ...]:
    (told,) = _load(
        folder, f"{HEAD}user: {{id: u-1, email: Ada@Shop.test, anonymous: a-1}}\nevents:\n  - {event}\n"
    ).events
    parsed = calls.parse(told.value, accepted_ms=told.at_ms)
    assert parsed.rejected == ()
    return parsed.signals


def test_a_call_carries_the_one_key_that_as_names(tmp_path: Path) -> None:
    (told,) = _signals(tmp_path, "{at: 1h, occurred: 30m, id: m-1, track: Thing Done, properties: {path: /x}}")
    assert isinstance(told, Tracked)
    assert (told.person, told.id, told.event, told.path) == ("id:u-1", "m-1", "Thing Done", "/x")
    assert told.accepted_ms - told.occurred_ms == 30 * 60_000
    (by_email,) = _signals(tmp_path, "{at: 0m, track: X, as: email}")
    (unnamed,) = _signals(tmp_path, "{at: 0m, track: X, as: anonymous}")
    assert (by_email.person, unnamed.person) == ("email:ada@shop.test", "anon:a-1")


def test_an_identify_carries_all_three_keys_and_the_traits(tmp_path: Path) -> None:
    told, *claims = _signals(tmp_path, "{at: 0m, identify: {plan: gold}}")
    assert isinstance(told, Identified)
    assert (told.person, told.email, told.traits["plan"]) == ("id:u-1", "ada@shop.test", "gold")
    assert [claim.person for claim in claims if isinstance(claim, Claimed)] == ["email:ada@shop.test", "anon:a-1"]


def test_a_page_is_a_page_call_with_its_path(tmp_path: Path) -> None:
    (told,) = _signals(tmp_path, "{at: 0m, page: /pages/shipping, properties: {search: x}, title: Shipping}")
    assert isinstance(told, Paged)
    assert told.path == "/pages/shipping"


def test_a_webhook_is_a_reporting_webhook_and_further_keys_go_into_its_data(tmp_path: Path) -> None:
    (told,) = _signals(
        tmp_path, "{at: 1h, id: w-1, webhook: opened, object_type: email, delivery: d-1, prefetched: true}"
    )
    assert isinstance(told, Messaged)
    assert (told.person, told.id, told.channel, told.delivery, told.human) == ("id:u-1", "w-1", "email", "d-1", False)
    (consent,) = _signals(tmp_path, "{at: 0m, webhook: unsubscribed, object_type: email, as: email}")
    assert isinstance(consent, Consented)
    assert (consent.person, consent.subscribed, consent.tool) == ("email:ada@shop.test", False, "customerio")


def test_an_intercom_event_is_a_notification_about_the_contact(tmp_path: Path) -> None:
    told, claim = _signals(tmp_path, "{at: 0m, id: n-1, intercom: conversation.user.created, conversation: c-1}")
    assert isinstance(told, Conversed) and isinstance(claim, Claimed)
    assert (told.person, told.id, told.conversation, told.open) == ("id:u-1", "n-1", "c-1", True)
    closed, _ = _signals(tmp_path, "{at: 0m, intercom: conversation.admin.closed, conversation: c-1}")
    assert not closed.open
    (consent,) = _signals(tmp_path, "{at: 0m, intercom: contact.unsubscribed}")
    assert (consent.tool, consent.subscribed, consent.person) == ("intercom", False, "id:u-1")
    (deleted,) = _signals(tmp_path, "{at: 0m, intercom: conversation.deleted, conversation: c-1}")
    assert (deleted.person, deleted.open) == ("conv:c-1", False)


def test_events_come_in_order_of_arrival_and_instants_in_properties_stay_text(tmp_path: Path) -> None:
    story = _load(
        tmp_path,
        f"{HEAD}events:\n  - {{at: 2h, track: B}}\n  - {{at: 1h, track: A, properties: {{when: 2026-01-01}}}}\n"
        "  - {at: 2h, track: C}\n",
    )
    bodies = [json.loads(event.value) for event in story.events]
    assert [body["event"] for body in bodies] == ["A", "B", "C"]
    assert bodies[0]["properties"]["when"] == "2026-01-01"
    assert len({body["messageId"] for body in bodies}) == 3, "each has an id of its own"
    assert story.until_ms == story.start_ms + 2 * 3_600_000, "without `until` time ends with the last event"


@pytest.mark.parametrize(
    ("wanted", "came", "held"),
    [
        (180, 180.0, True), (180, "180.00", True), ("180.00", 180.0, True), (180, 180.01, False), (1, True, False),
        (True, True, True), (False, 0, False), (None, None, True), (0, None, False), ("a", "a", True), ("a", 5, False),
    ],
)  # fmt: skip
def test_money_compares_as_numbers_and_flags_as_flags(wanted: object, came: object, held: bool) -> None:
    assert verdict.agree(wanted, came) is held


@pytest.mark.parametrize(
    ("wanted", "held"), [(False, True), (0, True), (None, True), ("x", False), (True, False), (5, False)]
)
def test_an_attribute_never_written_reads_as_false_or_0_or_null(tmp_path: Path, wanted: object, held: bool) -> None:
    story = _load(tmp_path, f"{HEAD}events: []\n")
    check = persona.Check(story.start_ms, "intercom[0]", {"last_cart_value": wanted})
    (line,) = verdict.seen(story, check, {}, unwritten=True)
    assert line.held is held
