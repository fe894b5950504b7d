"""The courier while its partition comes and goes, and for how long a failure puts off whom."""

from agents.courier import IN_FLIGHT_MAX, Courier
from agents.intercom import TryLater, Unknown
from contracts.signals import Conversed, Delivered
from tests.intercom.scene import activation, calm, withdrawal
from tests.intercom.world import SETTLE_SECONDS, World


async def test_an_end_that_is_told_twice_puts_no_activation_off_again_and_nothing_is_left_waiting() -> None:
    world = World(caught_up=False)
    await world.told(activation())
    assert world.courier.pending_count == 1
    world.courier.caught_up(0)
    await world.after(SETTLE_SECONDS - 1)
    world.courier.caught_up(0)
    await world.after(1)
    assert world.intercom.calls == [("id:42", 1)]
    assert world.courier.pending_count == 0


async def test_both_lanes_together_have_no_more_calls_in_flight_than_one_may() -> None:
    world = World()
    for number in range(IN_FLIGHT_MAX):
        world.courier.desire(0, activation(person=f"id:{number}"))
    world.clock.pass_seconds(SETTLE_SECONDS)
    for number in range(IN_FLIGHT_MAX):
        world.courier.desire(0, withdrawal(person=f"id:w{number}"))
    async with world.held(IN_FLIGHT_MAX):
        pass
    assert world.intercom.open_max == IN_FLIGHT_MAX
    assert len(world.intercom.calls) == 2 * IN_FLIGHT_MAX


async def test_a_person_who_is_told_of_a_thousand_times_waits_in_one_place() -> None:
    world = World()
    for revision in range(1, 1001):
        world.courier.desire(0, withdrawal(revision, attributes=calm(lifetime_orders=revision)))
    assert {lane: len(waiting) for lane, waiting in world.courier._lanes.items()} == {"urgent": 1, "settling": 0}


async def test_an_old_place_in_the_queue_lets_no_activation_through_before_the_partition_is_read() -> None:
    world = World(caught_up=False)
    world.intercom.answers = [TryLater(1.0, "lost", shared=False) for _ in range(5)]
    await world.told(withdrawal(1))
    for _ in range(4):
        await world.after(40)
    await world.told(withdrawal(2, attributes=calm(lifetime_orders=2)))
    await world.after(2)
    await world.told(activation(3))
    calls = list(world.intercom.calls)
    assert calls[-1] == ("id:42", 2)
    await world.after(120)
    assert world.intercom.calls == calls


async def test_a_call_from_before_its_partition_was_lost_and_came_back_keeps_and_says_nothing() -> None:
    world = World()
    async with world.flying(activation()):
        world.courier.revoke(0)
        world.courier.assign(0, world.kept)
        before = dict(world.kept)
    assert world.kept == before
    assert world.said() == []


async def test_a_partition_that_is_lost_while_an_outcome_is_told_leaves_the_command_to_the_next_owner() -> None:
    world = World()

    async def told(heard: Delivered | Conversed) -> None:
        world.courier.revoke(0)

    world.courier = Courier(intercom=world.intercom, clock=world.clock, settle_seconds=5, deliver=told)
    world.courier.assign(0, world.kept)
    world.courier.desire(0, withdrawal())
    await world.courier.quiet()
    assert world.kept["id:42"].pending


async def test_of_two_pauses_for_everybody_the_longer_one_counts_and_is_slept_through() -> None:
    world = World()
    world.intercom.answers = [TryLater(seconds, "used up", shared=True) for seconds in (10.0, 2.0)]
    for person in ("id:1", "id:2"):
        world.courier.desire(0, withdrawal(person=person))
    await world.courier.quiet()
    assert world.courier.due_ms() == world.clock.now_ms() + 10_000
    await world.after(9.9)
    assert len(world.intercom.calls) == 2
    await world.after(0.1)
    assert len(world.intercom.calls) == 4


async def test_a_pause_for_everybody_is_no_failure_of_the_contact_that_met_it() -> None:
    world = World()
    world.intercom.answers = [TryLater(1.0, "used up", shared=True) for _ in range(4)]
    await world.told(withdrawal())
    for count in range(2, 6):
        await world.after(1)
        assert len(world.intercom.calls) == count


async def test_a_pause_that_a_failure_names_is_kept_also_where_it_is_longer_than_ours() -> None:
    world = World()
    world.intercom.answers = [TryLater(20.0, "not seen yet", shared=False)]
    await world.told(withdrawal())
    await world.after(19.9)
    assert len(world.intercom.calls) == 1
    await world.after(0.1)
    assert len(world.intercom.calls) == 2


async def test_a_newer_command_waits_for_a_write_in_doubt_and_not_for_the_pauses_of_older_ones() -> None:
    world = World()
    world.intercom.answers = [Unknown("lost") for _ in range(4)]
    await world.told(withdrawal(1))
    for _ in range(3):
        await world.after(20)
    await world.told(withdrawal(2, attributes=calm(lifetime_orders=2)))
    await world.after(1.9)
    assert world.intercom.calls[-1] == ("id:42", 1), "the lost write may still arrive"
    await world.after(0.1)
    assert world.intercom.calls[-1] == ("id:42", 2)
