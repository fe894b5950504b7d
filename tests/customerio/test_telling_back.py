"""The way back to Customer.io: what is told, in which order, once, under any fault, and that it never comes round again."""

import asyncio
import json
import random
from typing import Any

import httpx
import msgspec
import pytest
from openapi_core import OpenAPI
from openapi_core.validation.request.exceptions import RequestValidationError

from agents.customerio import BATCH_MESSAGES_MAX, Pipelines, TryLater, Unauthorized
from agents.reliable import Handler, Record, Store
from agents.teller_agent import CODEC, TellerAgent
from agents.telling_back import EVENT_AGE_MS_MAX, EVENTS_MAX, Untold, add, messages, without
from contracts import calls, decisions, told_back
from contracts.decisions import Decision, decision_id
from contracts.instant import to_rfc3339
from contracts.topics import DECISIONS
from rehearsal.customerio import Journeys, customerio_app
from rehearsal.intercom_faults import ARRIVED, NOT_ARRIVED, Fault, Faulty
from tests.customerio.official import Validated
from tests.intercom.scene import START_MS, HandClock
from tests.intercom.world import until
from tests.reliable.memory import Local

KEY = "write_key_42"
PERSON = "id:42"
AUDIENCE = "high_aov_abandoner"


def decided(
    outcome: str = "activated",
    reason: str = "qualified",
    *,
    person: str = PERSON,
    at_ms: int = START_MS,
    **changes: Any,
) -> Decision:
    episode = f"{AUDIENCE}@{to_rfc3339(START_MS - 7_200_000)}"
    values: dict[str, Any] = {
        "person": person, "audience": AUDIENCE, "episode": episode, "outcome": outcome, "reason": reason,
        "at": to_rfc3339(at_ms), "occurred_at": to_rfc3339(at_ms), "expires_at": to_rfc3339(START_MS + 36_000_000),
        "arm": "assisted", "tier": "vip", "cause": "time", "clauses": (), "policy": "abcdefabcdef",
        "id": decision_id(person, episode, outcome, reason, to_rfc3339(at_ms)),
    }  # fmt: skip
    return Decision(**(values | changes))


def ended(reason: str = "purchased", *, at_ms: int = START_MS + 1000, **changes: Any) -> Decision:
    return decided("withdrawn", reason, at_ms=at_ms, **changes)


class World:
    """The agent on a partition, the real adapter, and a Customer.io behind faults and the official description."""

    def __init__(self, api: OpenAPI, write_key: str = KEY) -> None:
        self.journeys = Journeys()
        self.clock = HandClock()
        self.faults: list[Fault | None] = []
        app = customerio_app(self.journeys, write_key=KEY)
        self.validated = Validated(httpx.ASGITransport(app=app), api)
        self.faulty = Faulty(self.validated, lambda _: self.faults.pop(0) if self.faults else None)
        self.speaks = True
        self.pipelines = Pipelines(
            base_url="https://cdp.customer.io/v1", write_key=write_key, allowed=self.allowed, transport=self.faulty
        )
        self.local: dict[bytes, bytes] = {}
        self.read_again = 0
        self.start()

    async def allowed(self) -> bool:
        return self.speaks

    def start(self) -> None:
        """As after a crash: what was flushed is there, what was not is read again."""
        self.teller = TellerAgent(sender=self.pipelines, clock=self.clock)
        self.store = Store(0, Local(self.local), encode=CODEC.encode, decode=CODEC.decode, hidden=frozenset())
        self.teller.assigned(self.store, 0, None)

    def flush(self) -> None:
        for key, data in self.store.snapshot().items():
            if data is None:
                self.local.pop(key, None)
            else:
                self.local[key] = data

    def told(self, *made: Decision) -> None:
        records = [
            Record(DECISIONS.name, 0, n, one.person.encode(), decisions.encode(one)) for n, one in enumerate(made)
        ]
        assert list(self.teller.batch(self.store, records)) == []

    async def tell(self) -> None:
        """Until nothing waits; a failure is repeated as `run` does, without its pauses."""
        for _ in range(500):
            try:
                await self.teller.tell()
            except TryLater:
                continue
            if not self.teller._waiting:
                return
        raise AssertionError("it never ended")

    def attributes(self, user: str = "42") -> dict[str, Any]:
        return self.journeys.attributes.get(user, {})

    def events(self, user: str = "42") -> list[tuple[str, str]]:
        return [(call["event"], call["properties"]["reason"]) for call in self.journeys.events.get(user, [])]


@pytest.fixture
def world(pipelines: OpenAPI) -> World:
    return World(pipelines)


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


async def test_a_backlog_collapses_to_the_newest_attributes_and_keeps_each_event(world: World) -> None:
    world.told(decided(), ended(), decided(at_ms=START_MS + 2000))
    await world.tell()
    assert len(world.journeys.answers) == 1
    assert world.attributes()["concierge_in_moment"] is True
    assert [name for name, _ in world.events()] == [told_back.BEGAN, told_back.ENDED, told_back.BEGAN]


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


async def test_one_bad_call_among_many_costs_the_others_nothing(world: World) -> None:
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


async def test_a_worker_that_may_not_speak_sends_nothing_and_keeps_everything(world: World) -> None:
    world.told(decided())
    world.speaks = False
    with pytest.raises(TryLater):
        await world.teller.tell()
    assert world.journeys.answers == [] and len(list(world.store.items())) == 1


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


async def test_run_sends_by_itself_and_stays_alive_when_customerio_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GATHER_SECONDS", "PAUSE_FIRST_SECONDS"):
        monkeypatch.setattr(f"agents.teller_agent.{name}", 0.0)
    world.faults = ["busy", "broken", "refused_connection"]
    running = asyncio.create_task(world.teller.run())
    world.told(decided())
    await until(lambda: bool(world.events()))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert world.faulty.served == ["busy", "broken", "refused_connection"]


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
