"""The way back to Customer.io while it is away, busy, wrongly addressed or does not like a call: nothing lost, nothing twice."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from openapi_core import OpenAPI

from agents.customerio import BATCH_MESSAGES_MAX, TryLater, Unauthorized
from agents.reliable import Store
from agents.teller_agent import CODEC, GATHER_SECONDS, PAUSE_FIRST_SECONDS, PAUSE_MAX_SECONDS
from contracts import told_back
from contracts.decisions import Decision
from rehearsal.intercom_faults import ARRIVED, NOT_ARRIVED, Fault
from tests.customerio.world import World, decided, ended
from tests.intercom.scene import START_MS
from tests.intercom.world import until
from tests.reliable.memory import Local


@pytest.mark.parametrize("whole", [False, True])
async def test_one_bad_call_among_many_costs_the_others_nothing(pipelines: OpenAPI, whole: bool) -> None:
    world = World(pipelines, whole=whole)
    bad = decided(person="id:bad", policy="x" * 2000)
    world.told(*(decided(person=f"id:{n}") for n in range(20)), bad, decided(person="id:last"))
    await world.tell()
    assert {str(n) for n in range(20)} | {"last"} <= set(world.journeys.events)
    assert "bad" not in world.journeys.events and 400 in world.journeys.answers
    assert list(world.store.items()) == [], "what is refused for good does not wait for ever"


async def test_batches_stay_within_their_bound_and_a_huge_call_is_refused_unsent(world: World) -> None:
    world.told(*(decided(person=f"id:{n}") for n in range(BATCH_MESSAGES_MAX)))
    await world.tell()
    assert len(world.journeys.answers) == 2, "two messages a person, a hundred a batch"
    sent = world.validated.checked
    huge = {"type": "track", "userId": "1", "messageId": "m", "event": "x" * 40_000, "properties": {}}
    assert await world.pipelines.send([huge]) == ("m",)
    assert world.validated.checked == sent


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_under_faults_and_crashes_every_event_arrives_once_and_the_newest_attributes_stand(
    pipelines: OpenAPI, seed: int
) -> None:
    print(f"seed {seed}")
    dice, world = random.Random(seed), World(pipelines)
    words: tuple[Fault, ...] = (*ARRIVED, *NOT_ARRIVED)
    made: list[Decision] = []
    flushed = crashes = 0
    for step in range(150):
        person = f"id:{dice.randrange(8)}"
        mine = [one for one in made if one.person == person]
        begins = not mine or mine[-1].outcome == "withdrawn"
        made.append((decided if begins else ended)(person=person, at_ms=START_MS + step))
        world.told(made[-1])
        world.faults = [dice.choice(words) if dice.random() < 0.4 else None for _ in range(3)]
        for _ in range(dice.randrange(3)):
            try:
                await world.teller.tell()
            except TryLater:
                continue
        if dice.random() < 0.2:
            world.flush()
            flushed = len(made)
        if dice.random() < 0.1:
            crashes += 1
            world.start()
            world.told(*made[flushed:])
    world.faults = []
    await world.tell()
    assert {*world.faulty.served} >= {*words} and crashes and world.journeys.repeats, (
        "nothing happened: the run is void"
    )
    for person in {one.person for one in made}:
        mine, user = [one for one in made if one.person == person], person.removeprefix("id:")
        arrived = [call["messageId"] for call in world.journeys.events[user]]
        assert sorted(arrived) == sorted(told_back.message_id(one.id, "event") for one in mine)
        assert world.attributes(user)["concierge_in_moment"] is (mine[-1].outcome == "activated")


@pytest.mark.parametrize("fault", [*ARRIVED, *NOT_ARRIVED])
async def test_what_went_wrong_is_told_without_a_word_of_what_was_sent(world: World, fault: Fault) -> None:
    world.told(decided(person="id:ada@example.com"))
    world.faults = [fault]
    try:
        await world.teller.tell()
    except TryLater as later:
        told = f"{later} {later.__cause__}"
        assert not any(word in told for word in ("ada", "batch", "concierge_", "write_key"))
        return
    assert fault == "half_answer", "its status says that all was taken"


async def test_a_worker_that_may_not_speak_sends_nothing_and_keeps_everything(world: World) -> None:
    world.told(decided())
    world.speaks = False
    with pytest.raises(TryLater):
        await world.teller.tell()
    assert world.journeys.answers == [] and len(list(world.store.items())) == 1


async def test_what_waits_is_told_by_the_worker_that_takes_over(world: World) -> None:
    world.told(decided())
    world.flush()
    world.start()
    await world.tell()
    assert world.events() == [(told_back.BEGAN, "qualified")]


async def test_of_a_partition_that_came_back_under_way_nothing_is_forgotten(world: World) -> None:
    """Its new store may hold what another worker has added meanwhile; what arrived goes once more, under its ids."""
    world.told(decided())
    world.flush()

    async def back() -> bool:
        world.teller.revoked(0)
        world.store = Store(0, Local(world.local), encode=CODEC.encode, decode=CODEC.decode, hidden=frozenset())
        world.teller.assigned(world.store, 0, None)
        return True

    world.before_speaking = back
    await world.teller.tell()
    assert len(list(world.store.items())) == 1
    world.before_speaking = None
    await world.tell()
    assert world.events() == [(told_back.BEGAN, "qualified")] and world.journeys.repeats == 2


async def test_a_partition_that_was_given_away_is_told_of_no_more(world: World) -> None:
    world.told(decided())
    world.teller.revoked(0)
    await world.teller.tell()
    assert world.journeys.answers == []


async def test_a_wrong_key_keeps_everything_and_names_no_key(pipelines: OpenAPI) -> None:
    world = World(pipelines, write_key="wrong_key")
    world.told(decided())
    with pytest.raises(Unauthorized) as caught:
        await world.teller.tell()
    assert "CONCIERGE_CUSTOMERIO_WRITE_KEY" in str(caught.value) and "wrong_key" not in str(caught.value)
    assert len(list(world.store.items())) == 1


@asynccontextmanager
async def running(world: World) -> AsyncIterator[None]:
    task = asyncio.create_task(world.teller.run())
    yield
    assert not task.done(), "whatever Customer.io does, the telling goes on"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_run_sends_by_itself_and_waits_longer_and_longer_while_customerio_is_away(world: World) -> None:
    world.faults = ["busy", "broken", "refused_connection", "lost_request", "busy", "broken", "busy"]
    count = len(world.faults)
    async with running(world):
        world.told(decided())
        await until(lambda: bool(world.events()))
        pauses = [seconds for seconds in world.slept if seconds != GATHER_SECONDS]
        assert pauses == [2, 4, 8, 16, 32, PAUSE_MAX_SECONDS, PAUSE_MAX_SECONDS]
        world.faults = ["busy"]
        world.told(ended())
        await until(lambda: len(world.events()) == 2)
        assert [seconds for seconds in world.slept if seconds != GATHER_SECONDS][count:] == [PAUSE_FIRST_SECONDS]


async def test_run_outlives_a_wrong_key_and_asks_but_once_a_minute(pipelines: OpenAPI) -> None:
    world = World(pipelines, write_key="wrong_key")
    async with running(world):
        world.told(decided())
        await until(lambda: len(world.journeys.answers) == 3)
    assert set(world.journeys.answers) == {401}
    assert [seconds for seconds in world.slept if seconds != GATHER_SECONDS][:2] == [PAUSE_MAX_SECONDS] * 2


async def test_a_full_batch_is_not_made_to_wait_for_more(world: World) -> None:
    async with running(world):
        world.told(*(decided(person=f"id:{n}") for n in range(2 * BATCH_MESSAGES_MAX)))
        await until(lambda: not world.teller._waiting)
    assert len(world.journeys.answers) == 4
    assert world.slept.count(GATHER_SECONDS) <= 2, "before the last batch alone, and once to find that nothing is left"


@pytest.mark.parametrize("status", [404, 405, 408, 409, 302, 429, 500, 503])
async def test_what_is_no_fault_of_the_messages_costs_none_of_them(world: World, status: int) -> None:
    world.told(decided())
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(status))) as wrong:
        world.pipelines._http, right = wrong, world.pipelines._http
        wrong.base_url = right.base_url
        with pytest.raises(TryLater, match=f"status {status}"):
            await world.teller.tell()
        world.pipelines._http = right
    await world.tell()
    assert world.events() == [(told_back.BEGAN, "qualified")]


async def test_an_answer_that_never_ends_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.customerio.pipelines.WHOLE_SECONDS_MAX", 0.01)

    async def drips(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("never")

    world.told(decided())
    async with httpx.AsyncClient(transport=httpx.MockTransport(drips), base_url="https://cdp.customer.io/v1") as stuck:
        world.pipelines._http, right = stuck, world.pipelines._http
        with pytest.raises(TryLater, match="TimeoutError"):
            await world.teller.tell()
        world.pipelines._http = right
    await world.tell()
    assert world.events() == [(told_back.BEGAN, "qualified")]


async def test_a_batch_that_is_too_large_is_parted_before_it_is_sent(world: World) -> None:
    large = {f"p{n}": "x" * 1000 for n in range(29)}
    calls = [
        {"type": "track", "userId": "1", "messageId": f"m{n}", "event": "e", "properties": large} for n in range(20)
    ]
    assert await world.pipelines.send(calls) == ()
    assert world.journeys.answers == [200, 200] and len(world.journeys.order) == 20


async def test_run_goes_on_behind_a_whole_batch_of_erased_people(world: World) -> None:
    world.erased |= {(0, f"id:gone-{n}") for n in range(BATCH_MESSAGES_MAX)}
    async with running(world):
        world.told(*(decided(person=f"id:gone-{n}") for n in range(BATCH_MESSAGES_MAX)), decided())
        await until(lambda: bool(world.events()))
