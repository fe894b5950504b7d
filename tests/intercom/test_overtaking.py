"""The courier where things overtake each other: lanes, what is owed, freshness, conversations."""

import asyncio

from agents.courier import IN_FLIGHT_MAX, LANE_IN_FLIGHT_MAX, TALK_OLD_MS
from agents.desired import Contact
from agents.intercom import Known, Overtaken, Talking, TryLater, Unknown
from agents.outcomes import outcome
from tests.intercom.scene import EXPIRES_S, START_MS, activation, calm, withdrawal
from tests.intercom.world import World, until


async def test_calls_that_hang_leave_room_for_withdrawals() -> None:
    world = World()
    world.intercom.gate = asyncio.Event()
    for number in range(3 * IN_FLIGHT_MAX):
        world.courier.desire(0, activation(person=f"id:{number}"))
    world.clock.pass_seconds(5)
    quiet = asyncio.create_task(world.courier.quiet())
    await until(lambda: world.intercom.open == LANE_IN_FLIGHT_MAX["settling"])
    running = asyncio.create_task(world.courier.run())
    world.courier.desire(0, withdrawal(person="id:bought"))
    await until(lambda: world.intercom.calls[-1] == ("id:bought", 2))
    assert world.intercom.asked[0] == (False, True)
    assert world.intercom.asked[-1] == (True, False)
    running.cancel()
    quiet.cancel()
    await asyncio.gather(running, quiet, return_exceptions=True)


async def test_a_limit_on_what_may_wait_keeps_no_withdrawal_back() -> None:
    world = World()
    world.intercom.answers = [TryLater(7.0, "the rate limit is used up", shared=True, urgent_too=False)]
    await world.told(activation(person="id:1"), activation(person="id:2"))
    await world.after(5)
    first = len(world.intercom.calls)
    await world.told(withdrawal(person="id:3"))
    assert world.intercom.calls[first:] == [("id:3", 2)]
    await world.after(6.9)
    assert len(world.intercom.calls) == first + 1
    await world.after(0.1)
    assert sorted({person for person, _ in world.intercom.calls}) == ["id:1", "id:2", "id:3"]


async def test_a_withdrawal_without_outcome_is_not_held_up_by_the_next_activation() -> None:
    world = World()
    await world.told(activation(1))
    await world.after(5)
    world.courier.desire(0, withdrawal(2))
    world.courier.desire(0, activation(3))
    await world.courier.quiet()
    assert world.intercom.calls == [("id:42", 1), ("id:42", 2)]
    await world.after(5)
    assert world.intercom.calls[2:] == [("id:42", 3)]
    assert world.said() == [(1, "shown", None), (2, "shown", None), (3, "shown", None)]


async def test_a_withdrawal_that_is_owed_gives_way_to_a_newer_one() -> None:
    world = World()
    await world.told(activation(1))
    await world.after(5)
    for command in (withdrawal(2), activation(3), withdrawal(4)):
        world.courier.desire(0, command)
    await world.after(60)
    assert world.intercom.calls == [("id:42", 1), ("id:42", 4)]


async def test_nothing_is_owed_where_nothing_is_shown() -> None:
    world = World()
    await world.told(withdrawal(1), activation(2))
    await world.after(60)
    assert world.intercom.calls == [("id:42", 2)]


async def test_what_follows_a_call_in_flight_is_owed_since_nobody_knows_yet_what_it_shows() -> None:
    world = World()
    async with world.flying(activation(1)):
        world.courier.desire(0, withdrawal(2))
        world.courier.desire(0, activation(3))
    assert world.intercom.calls == [("id:42", 1), ("id:42", 2)]
    await world.after(5)
    assert world.intercom.calls[2:] == [("id:42", 3)]


async def test_what_is_owed_survives_a_restart() -> None:
    world = World()
    await world.told(activation(1))
    await world.after(5)
    world.intercom.answers = [TryLater(3.0, "lost", shared=False)]
    await world.told(withdrawal(2))
    await world.told(activation(3))
    world.courier = world.start()
    world.courier.resume(0, "id:42")
    await world.after(3)
    assert world.intercom.calls[-1] == ("id:42", 2), "the partition is not read to its end, yet a withdrawal goes"


async def test_a_command_is_no_longer_fresh_once_a_newer_one_came_or_it_is_over() -> None:
    for change in ("newer", "expired", "lost"):
        world = World()
        async with world.flying(activation()):
            if change == "newer":
                world.courier.desire(0, withdrawal())
            elif change == "expired":
                world.clock.at_ms = EXPIRES_S * 1000
            else:
                world.courier.revoke(0)
        assert world.intercom.fresh[0] is False, change


async def test_an_overtaken_call_has_no_outcome_and_the_newer_command_follows_at_once_knowing_what_it_learned() -> None:
    world = World()
    overtaken = Overtaken()
    overtaken.known = Known(intercom_id="a1")
    world.intercom.answers = [overtaken]
    async with world.flying(activation()):
        world.courier.desire(0, withdrawal(2))
    assert world.intercom.calls == [("id:42", 1), ("id:42", 2)]
    assert world.intercom.known[1] == overtaken.known
    assert world.said() == [(2, "shown", None)]


async def test_a_conversation_that_intercom_shows_is_told_to_the_log_and_the_activation_waits_for_its_verdict() -> None:
    world = World()
    world.intercom.answers = [Talking((("77", 1_772_441_000),))]
    await world.told(activation())
    await world.after(5)
    [talk] = world.talks
    assert (talk.person, talk.conversation, talk.open, talk.id) == ("id:42", "77", True, "read:77:1772441000")
    assert talk.occurred_ms == 1_772_441_000_000
    assert world.said() == []
    await world.told(withdrawal(2))
    await world.after(60)
    assert world.intercom.calls == [("id:42", 1), ("id:42", 2)]


async def test_an_audience_that_conversations_do_not_stop_is_shown_after_the_pause() -> None:
    world = World()
    world.intercom.answers = [Talking((("77", 1_772_441_000),))]
    await world.told(activation())
    await world.after(5)
    await world.after(5)
    assert world.said() == [(1, "shown", None)]


async def test_conversations_are_looked_for_only_before_an_activation_whose_last_word_is_old() -> None:
    world = World()
    now_ms = world.clock.now_ms()
    heard = {"id:never": None, "id:old": now_ms - TALK_OLD_MS, "id:new": now_ms}
    for person, talked_ms in heard.items():
        world.courier.desire(0, activation(person=person, talked_ms=talked_ms))
    await world.after(5)
    await world.told(withdrawal(2, person="id:old"))
    asked = [ask for _, ask in world.intercom.asked]
    assert dict(zip([person for person, _ in world.intercom.calls[:3]], asked[:3], strict=True)) == {
        "id:never": True, "id:old": True, "id:new": False,
    }  # fmt: skip
    assert asked[3] is False


async def test_a_refused_event_is_told_with_the_outcome_that_the_flag_is_shown() -> None:
    known = Known(event=("cart_abandoned_high_aov", START_MS // 1000 - 7200), event_refusal="parameter_invalid")
    told = outcome(activation(), None, known, START_MS)
    assert (told.outcome, told.reason) == ("shown", "event_parameter_invalid")
    later = outcome(withdrawal(), None, known, START_MS)
    assert (later.outcome, later.reason) == ("shown", None)


async def test_what_a_former_worker_may_have_shown_is_taken_back_though_its_record_never_said_so() -> None:
    """It wrote the flag and died before that was durable; the successor hears of activation and withdrawal at once."""
    world = World(caught_up=False)
    world.kept.put("id:42", Contact(revision=1, settled=1, known=Known(intercom_id="a1", attributes=calm())))
    await world.told(activation(2), withdrawal(3))
    assert world.intercom.calls == [("id:42", 3)]
    assert world.intercom.known[0] == Known(intercom_id="a1", attributes=None)


async def test_what_is_inherited_with_a_call_in_flight_is_in_doubt() -> None:
    world = World()
    world.kept.put(
        "id:42", Contact(revision=2, settled=1, desired=withdrawal(2), known=Known(intercom_id="a1", attributes=calm()))
    )
    world.courier.inherit(0, "id:42")
    await world.courier.quiet()
    assert world.intercom.known[0].attributes is None


async def test_a_contact_may_be_unseen_for_three_minutes_after_a_create_in_doubt() -> None:
    world = World()
    lost = Unknown("the answer was lost")
    lost.known = Known(attributes=None)
    world.intercom.answers = [lost, TryLater(20, "not seen", shared=False)]
    await world.told(activation())
    await world.after(5)
    await world.told(withdrawal(2))
    await world.after(2)
    await world.after(180)
    assert world.intercom.unseen == [False, True, False]
