"""The courier: histories of commands and time in, calls and outcomes out."""

import asyncio

import pytest

from agents.courier import IN_FLIGHT_MAX, Courier
from agents.desired import Contact
from agents.intercom import Known, Refused, TryLater, Unauthorized, Unknown
from contracts.signals import Conversed, Delivered
from tests.intercom.scene import EXPIRES_S, activation, calm, shown, withdrawal
from tests.intercom.world import SETTLE_SECONDS, World, until


async def test_an_activation_waits_for_the_settle_time() -> None:
    world = World()
    await world.told(activation())
    await world.after(4.9)
    assert world.intercom.calls == []
    await world.after(0.1)
    assert world.intercom.calls == [("id:42", 1)]
    assert world.said() == [(1, "shown", None)]
    assert world.outcomes[0].id == "delivered:id:42:1"
    assert world.outcomes[0].episode == "high_aov_abandoner@2026-03-02T07:00:00.000Z"


async def test_a_purchase_overtakes_an_activation_which_is_never_sent() -> None:
    world = World()
    await world.told(activation())
    await world.after(3)
    await world.told(withdrawal())
    await world.after(60)
    assert world.intercom.calls == [("id:42", 2)]
    assert world.said() == [(2, "shown", None)]


async def test_withdrawals_go_before_activations_that_are_due() -> None:
    world = World()
    world.courier.desire(0, activation(person="id:1"))
    world.clock.pass_seconds(10)
    world.courier.desire(0, withdrawal(person="id:2"))
    await world.courier.quiet()
    assert [person for person, _ in world.intercom.calls] == ["id:2", "id:1"]


async def test_a_backlog_collapses_to_the_newest_revision() -> None:
    world = World()
    for revision in range(1, 50):
        world.courier.desire(0, withdrawal(revision, attributes=calm(lifetime_orders=revision)))
    await world.courier.quiet()
    assert world.intercom.calls == [("id:42", 49)]


async def test_an_older_revision_is_never_sent() -> None:
    world = World()
    await world.told(withdrawal(7))
    await world.told(activation(6), withdrawal(7))
    await world.after(60)
    assert world.intercom.calls == [("id:42", 7)]


async def test_an_older_revision_does_not_replace_a_newer_one_that_waits() -> None:
    world = World()
    await world.told(activation(7))
    await world.told(withdrawal(6))
    await world.after(5)
    assert world.intercom.calls == [("id:42", 7)]


async def test_a_repeated_command_is_delivered_once() -> None:
    world = World()
    await world.told(activation(), activation())
    await world.after(6)
    await world.told(activation())
    await world.after(6)
    assert world.intercom.calls == [("id:42", 1)]


async def test_an_expired_activation_is_refused_and_never_sent() -> None:
    world = World()
    await world.told(activation())
    await world.after(EXPIRES_S - world.clock.now_ms() // 1000)
    assert world.intercom.calls == []
    assert world.said() == [(1, "refused", "expired")]


async def test_facts_that_follow_a_waiting_activation_do_not_make_it_forget_that_it_activates() -> None:
    world = World()
    await world.told(activation())
    facts = withdrawal(2, attributes=shown(lifetime_orders=2))
    await world.told(facts)
    assert world.intercom.calls == [], "facts must not carry the moment out before the settle time"
    await world.after(5)
    assert world.intercom.calls == [("id:42", 2)]
    kept = world.kept["id:42"].desired
    assert kept is not None
    assert (kept.create, kept.event, kept.episode) == (True, activation().event, activation().episode)


async def test_facts_about_a_moment_that_is_not_shown_wait_like_an_activation_and_expire_like_one() -> None:
    world = World()
    await world.told(withdrawal(5, attributes=shown()))
    assert world.intercom.calls == []
    await world.after(EXPIRES_S - world.clock.now_ms() // 1000)
    assert world.said() == [(5, "refused", "expired")]


async def test_facts_about_a_moment_that_is_shown_go_at_once() -> None:
    world = World()
    await world.told(activation())
    await world.after(5)
    await world.told(withdrawal(2, attributes=shown(lifetime_orders=2)))
    assert world.intercom.calls == [("id:42", 1), ("id:42", 2)]


async def test_no_activation_before_the_partition_was_read_to_its_end() -> None:
    world = World(caught_up=False)
    await world.told(activation(person="id:1"), withdrawal(person="id:2"))
    await world.after(60)
    assert world.intercom.calls == [("id:2", 2)]
    world.courier.caught_up(0)
    before = list(world.intercom.calls)
    await world.after(SETTLE_SECONDS - 0.001)  # what was decided of the backlog may still be on its way
    assert world.intercom.calls == before
    await world.after(0.001)
    assert world.intercom.calls == [("id:2", 2), ("id:1", 1)]


async def test_a_person_has_one_call_in_flight_and_the_newest_revision_follows() -> None:
    world = World()
    async with world.flying(activation()):
        world.courier.desire(0, withdrawal(2))
        world.courier.desire(0, withdrawal(3))
    assert world.intercom.calls == [("id:42", 1), ("id:42", 3)]
    assert world.intercom.open_max == 1
    assert [revision for revision, _, _ in world.said()] == [1, 3]


async def test_calls_in_flight_are_bounded() -> None:
    world = World()
    for number in range(3 * IN_FLIGHT_MAX):
        world.courier.desire(0, withdrawal(person=f"id:{number}"))
    async with world.held(IN_FLIGHT_MAX):
        pass
    assert world.intercom.open_max == IN_FLIGHT_MAX
    assert len(world.intercom.calls) == 3 * IN_FLIGHT_MAX


async def test_a_used_up_rate_limit_stops_everybody_until_the_time_that_it_named() -> None:
    world = World()
    world.intercom.answers = [TryLater(7.0, "the rate limit is used up", shared=True)]
    await world.told(withdrawal(person="id:1"))
    await world.told(withdrawal(person="id:2"))
    assert world.intercom.calls == [("id:1", 2)]
    await world.after(7)
    assert sorted(world.intercom.calls[1:]) == [("id:1", 2), ("id:2", 2)]


async def test_an_unknown_outcome_repeats_the_same_revision_with_what_is_known() -> None:
    world = World()
    lost = Unknown("the answer was lost")
    lost.known = Known(intercom_id="a1", attributes=None)
    world.intercom.answers = [lost]
    await world.told(withdrawal())
    assert world.said() == []
    assert world.kept["id:42"].known == lost.known
    await world.after(2)
    assert world.intercom.calls == [("id:42", 2), ("id:42", 2)]
    assert world.intercom.unseen == [False, False], "a contact whose id is known needs no search"
    assert world.said() == [(2, "shown", None)]


async def test_failures_back_off_but_a_newer_revision_does_not_inherit_the_pause() -> None:
    world = World()
    world.intercom.answers = [Unknown("lost") for _ in range(6)]
    await world.told(withdrawal(2))
    for _ in range(5):
        await world.after(60)
    calls = len(world.intercom.calls)
    await world.told(withdrawal(3, attributes=calm(lifetime_orders=9)))
    await world.after(2)
    assert world.intercom.calls[calls:] == [("id:42", 3)]


async def test_a_refusal_is_an_outcome_and_is_not_repeated() -> None:
    world = World()
    world.intercom.answers = [Refused("archived")]
    await world.told(withdrawal())
    await world.after(3600)
    assert world.said() == [(2, "refused", "archived")]
    assert len(world.intercom.calls) == 1


async def test_a_token_that_is_not_accepted_stops_the_courier_and_loses_nothing() -> None:
    world = World()
    world.intercom.answers = [Unauthorized(401)]
    with pytest.raises(Unauthorized):
        await world.told(withdrawal())
    assert world.kept["id:42"].pending
    assert world.said() == []


async def test_after_a_restart_what_has_no_outcome_is_delivered_from_the_records() -> None:
    world = World()
    await world.told(activation(person="id:1"))
    world.courier = world.start()
    world.courier.resume(0, "id:1")
    await world.after(60)
    assert world.intercom.calls == []
    world.courier.caught_up(0)
    before = list(world.intercom.calls)
    await world.after(SETTLE_SECONDS - 0.001)  # what was decided of the backlog may still be on its way
    assert world.intercom.calls == before
    await world.after(0.001)
    assert world.intercom.calls == [("id:1", 1)]


async def test_a_call_that_ends_after_its_partition_was_lost_keeps_and_says_nothing() -> None:
    world = World()
    async with world.flying(withdrawal()):
        world.courier.revoke(0)
        before = dict(world.kept)
    assert world.kept == before
    assert world.said() == []


async def test_of_an_erased_person_only_the_fact_stays_and_later_commands_are_ignored() -> None:
    world = World()
    await world.told(withdrawal(2), withdrawal(3, erase=True))
    assert world.kept["id:42"] == Contact(revision=3, settled=3, erased=True)
    await world.told(activation(4))
    await world.after(60)
    assert world.intercom.calls == [("id:42", 3)]


async def test_the_running_courier_sleeps_until_the_next_call_is_due() -> None:
    world = World()
    running = asyncio.create_task(world.courier.run())
    world.courier.desire(0, activation())
    await until(lambda: world.said() == [(1, "shown", None)])
    running.cancel()
    assert isinstance((await asyncio.gather(running, return_exceptions=True))[0], asyncio.CancelledError)
    assert world.clock.now_ms() == world.kept["id:42"].since_ms + 5_000, "time passed only by sleeping"


async def test_a_failure_to_write_outcomes_stops_the_running_courier() -> None:
    world = World()

    async def broken(outcome: Delivered | Conversed) -> None:
        raise ConnectionError("the log is away")

    world.courier = Courier(intercom=world.intercom, clock=world.clock, settle_seconds=5, deliver=broken)
    world.courier.assign(0, world.kept)
    world.courier.desire(0, withdrawal())
    with pytest.raises(ConnectionError):
        await world.courier.run()
    assert world.kept["id:42"].pending, "it is delivered again after the restart"
