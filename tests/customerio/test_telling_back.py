"""The way back to Customer.io: what is told, in which order, once, and that it never comes round again."""

import json
from typing import Any

import msgspec
import pytest
from openapi_core.validation.request.exceptions import RequestValidationError

from agents.customerio import BATCH_MESSAGES_MAX
from agents.measures import TOLD_BACK
from agents.reliable import Handler, Record
from agents.teller_agent import CODEC
from agents.telling_back import EVENT_AGE_MS_MAX, EVENTS_MAX, Untold, add, messages, without
from contracts import calls, told_back
from contracts.decisions import Decision
from contracts.instant import to_rfc3339
from contracts.topics import DECISIONS
from tests.customerio.world import AUDIENCE, PERSON, World, decided, ended
from tests.intercom.scene import START_MS


async def test_a_moment_is_told_as_attributes_and_an_event_and_its_end_takes_them_back(world: World) -> None:
    assert isinstance(world.teller, Handler)
    world.told(decided())
    await world.tell()
    assert world.attributes() == {
        "concierge_in_moment": True, "concierge_moment": AUDIENCE, "concierge_arm": "assisted",
        "concierge_moment_until": (START_MS + 36_000_000) // 1000, "concierge_assisted": True,
    }  # fmt: skip
    world.told(ended())
    await world.tell()
    assert world.events() == [(told_back.BEGAN, "qualified"), (told_back.ENDED, "purchased")]
    assert world.attributes() == {
        "concierge_in_moment": False, "concierge_moment": "", "concierge_arm": "assisted",
        "concierge_moment_until": START_MS // 1000 + 1, "concierge_assisted": True,
    }  # fmt: skip
    assert (world.validated.checked, world.journeys.lost) == (2, 0)
    assert list(world.store.items()) == [], "what was told is forgotten"


def test_an_event_is_of_its_instant_and_the_attributes_are_of_the_present() -> None:
    """Customer.io starts journeys by an event's own time, and passes over attributes dated before its newest."""
    untold = add(Untold(), decided(at_ms=START_MS - 5000), START_MS)
    assert isinstance(untold, Untold)
    event, state = messages(PERSON, untold)
    assert (event["type"], event["timestamp"]) == ("track", to_rfc3339(START_MS - 5000))
    assert state["type"] == "identify" and "timestamp" not in state


async def test_the_control_group_is_told_too_and_never_counts_as_in_a_moment(world: World) -> None:
    world.told(decided("withheld", "holdout", arm="holdout"), ended(arm="holdout"))
    await world.tell()
    assert world.attributes() == {"concierge_arm": "holdout"}
    assert world.events() == [(told_back.HELD_OUT, "holdout"), (told_back.ENDED, "purchased")]
    assert {call["properties"]["arm"] for call in world.journeys.events["42"]} == {"holdout"}


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        (decided("withheld", "cap"), "of_no_interest"),
        (decided(person="anon:x"), "no_id"),
        (decided(person="email:a@example.com"), "no_id"),
        (ended("erased"), "erased"),
    ],
)
async def test_what_is_nobodys_business_makes_no_call(world: World, decision: Decision, why: str) -> None:
    assert add(Untold(), decision, START_MS) == why
    world.told(decision)
    await world.tell()
    assert world.journeys.answers == []


async def test_of_a_person_who_was_erased_nothing_that_waits_is_told(world: World) -> None:
    world.told(decided(), ended("erased"))
    await world.tell()
    assert world.journeys.answers == [], "a call would bring the profile back"


@pytest.mark.parametrize("arm", ["assisted", "holdout"])
async def test_of_a_person_who_is_erased_outside_of_a_moment_nothing_that_waits_is_told(world: World, arm: str) -> None:
    """Nothing is withdrawn then, so that no decision tells of it."""
    begun = decided(arm=arm) if arm == "assisted" else decided("withheld", "holdout", arm=arm)
    world.told(begun, ended(arm=arm), decided(person="id:7"))
    world.erased.add((0, PERSON))
    await world.tell()
    assert set(world.journeys.attributes) == set(world.journeys.events) == {"7"}
    assert list(world.store.items()) == []


async def test_more_erased_people_than_a_batch_holds_keep_nobody_waiting(world: World) -> None:
    world.told(*(decided(person=f"id:gone-{n}") for n in range(BATCH_MESSAGES_MAX + 1)), decided())
    world.erased |= {(0, f"id:gone-{n}") for n in range(BATCH_MESSAGES_MAX + 1)}
    await world.tell()
    assert set(world.journeys.attributes) == {"42"}


async def test_a_person_who_moves_is_told_of_under_both_keys(world: World) -> None:
    """The weaker profile may well live on in Customer.io, and its flag would stand until its end."""
    world.told(decided(person="id:old"), ended("moved", person="id:old"), decided(at_ms=START_MS + 1000))
    await world.tell()
    assert world.attributes("old")["concierge_in_moment"] is False
    assert world.events("old") == [(told_back.BEGAN, "qualified"), (told_back.ENDED, "moved")]
    assert world.attributes()["concierge_in_moment"] is True


async def test_a_backlog_collapses_to_the_newest_attributes_and_keeps_each_event(world: World) -> None:
    world.told(decided(), ended(), decided(at_ms=START_MS + 2000))
    await world.tell()
    assert len(world.journeys.answers) == 1
    assert world.attributes()["concierge_in_moment"] is True
    assert [name for name, _ in world.events()] == [told_back.BEGAN, told_back.ENDED, told_back.BEGAN]


async def test_a_moment_that_is_over_before_it_could_be_told_leaves_what_holds_beyond_it(world: World) -> None:
    world.told(decided(), ended())
    await world.tell()
    assert (world.attributes()["concierge_in_moment"], world.attributes()["concierge_assisted"]) == (False, True)


async def test_old_events_start_no_journey_and_old_attributes_are_still_set(world: World) -> None:
    world.clock.at_ms = START_MS + EVENT_AGE_MS_MAX
    world.told(decided())
    await world.tell()
    assert world.events() == [] and world.attributes()["concierge_in_moment"] is True


async def test_a_repeat_of_a_decision_goes_under_the_same_ids_and_counts_once(world: World) -> None:
    for _ in range(2):
        world.told(decided(), decided())
        await world.tell()
    assert world.events() == [(told_back.BEGAN, "qualified")]
    assert world.journeys.repeats == 2, "an event and its attributes came twice and were seen as repeats"


async def test_identifiers_of_any_shape_arrive_as_they_are(world: World) -> None:
    users = ["a+b@example.com", "50%/x?y=1#z", "Jürgen 🧴", "../identify", "a b"]
    world.told(*(decided(person=f"id:{user}") for user in users))
    await world.tell()
    assert set(world.journeys.attributes) == set(users)


def test_what_waits_of_one_person_is_bounded() -> None:
    untold = Untold()
    for number in range(EVENTS_MAX + 10):
        added = add(untold, decided(at_ms=START_MS + number), START_MS)
        assert isinstance(added, Untold)
        untold = added
    assert len(untold.events) == EVENTS_MAX
    assert CODEC.decode(CODEC.encode(untold)) == untold
    assert without(untold, untold) is None


def test_what_came_while_a_batch_was_under_way_stays() -> None:
    before = add(Untold(), decided(), START_MS)
    assert isinstance(before, Untold)
    after = add(before, ended(), START_MS)
    assert isinstance(after, Untold)
    left = without(after, before)
    assert left is not None and [told.name for told in left.events] == [told_back.ENDED] and left.state == after.state


async def test_the_description_refuses_a_call_without_a_user(world: World) -> None:
    """The validator in the path can fail."""
    with pytest.raises(RequestValidationError):
        await world.pipelines.send([{"type": "identify", "messageId": "m", "traits": {}}])


@pytest.mark.parametrize("strip", [(), ("messageId",)])
def test_our_own_messages_that_come_back_say_nothing(strip: tuple[str, ...]) -> None:
    untold = add(Untold(), decided(), START_MS)
    assert isinstance(untold, Untold)
    sent = [{k: v for k, v in call.items() if k not in strip} for call in messages(PERSON, untold)]
    parsed = calls.parse(msgspec.json.encode({"batch": sent}), accepted_ms=START_MS)
    assert (parsed.signals, parsed.rejected, parsed.ignored) == ((), (), ("ours", "ours"))


async def test_what_is_no_decision_is_counted_and_holds_up_nothing(world: World) -> None:
    before = TOLD_BACK.labels("unreadable")._value.get()
    rubbish = [Record(DECISIONS.name, 0, n, b"id:1", value) for n, value in enumerate((None, b"", b"{}", b"\xff"))]
    assert list(world.teller.batch(world.store, rubbish)) == []
    assert TOLD_BACK.labels("unreadable")._value.get() == before + len(rubbish)
    world.told(decided())
    await world.tell()
    assert set(world.journeys.attributes) == {"42"}


def test_our_own_id_is_enough_whatever_became_of_the_name() -> None:
    call = {
        "type": "track",
        "event": "Renamed on the way",
        "userId": "42",
        "messageId": told_back.message_id("d", "event"),
    }
    assert calls.parse(json.dumps(call).encode(), accepted_ms=START_MS).ignored == ("ours",)
    call["messageId"] = "somebody-" + call["messageId"]
    assert calls.parse(json.dumps(call).encode(), accepted_ms=START_MS).ignored == ()


def test_what_anybody_else_sends_is_never_taken_for_ours() -> None:
    others: list[dict[str, Any]] = [
        {"type": "track", "event": "Order Completed", "userId": "42", "messageId": "m-1", "properties": {"arm": "x"}},
        {
            "type": "identify",
            "userId": "42",
            "messageId": "m-2",
            "traits": {"concierge_arm": "assisted", "plan": "gold"},
        },
        {"type": "identify", "userId": "42", "messageId": "m-3", "traits": {}},
        {"type": "page", "userId": "42", "messageId": "m-4", "properties": {"path": "/concierge"}},
    ]
    for call in others:
        parsed = calls.parse(json.dumps(call).encode(), accepted_ms=START_MS)
        assert parsed.ignored == () and parsed.signals, call
