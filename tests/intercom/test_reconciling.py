"""What differs between state and Intercom is seen, told by its kind, and mended by the courier alone."""

import json
from collections.abc import Mapping

import httpx
import msgspec
import pytest
from openapi_core import OpenAPI

from agents import desired
from agents.agreement import OVERDUE_MS, drift
from agents.courier import TALK_OLD_MS
from agents.desired import Contact
from agents.examination import examine
from agents.intercom import Ambiguous, TryLater
from agents.intercom.patience import WAITS_MAX
from agents.reconciling import CLOSED_SLACK_MS, Reconciling
from contracts.commands import Command
from contracts.signals import Conversed, Scalar
from rehearsal.intercom import intercom_app
from tests.intercom.official import Validated
from tests.intercom.scene import EXPIRES_S, FLAG, LAG_MS, START_MS, Scene, activation, calm, shown, withdrawal
from tests.intercom.world import World, standing

IN_A_MOMENT = dict(shown())
PERSON = "id:42"


def settled(command: Command, refusal: str | None = None) -> Contact:
    return desired.settled(desired.desire(Contact(), command, START_MS), command.revision, refusal)


def found(
    contact: Contact, seen: Mapping[str, Scalar] | None, *, now_ms: int = START_MS
) -> tuple[str, set[str]] | None:
    assert contact.desired is not None
    told = drift(PERSON, contact, contact.desired.attributes, seen, now_ms)
    return None if told is None else (told.what, set(told.differs))


def test_what_agrees_is_no_drift_and_never_written_reads_as_false() -> None:
    assert found(settled(activation()), IN_A_MOMENT) is None
    assert found(settled(withdrawal()), {"lifetime_orders": 1}) is None
    assert found(settled(withdrawal()), None) is None, "there is no contact, and nothing to show"


def test_a_flag_that_somebody_edited_is_told_with_both_values() -> None:
    told = drift(PERSON, settled(activation()), shown(), {**IN_A_MOMENT, FLAG: False}, START_MS)
    assert told is not None and (told.what, told.differs) == ("edited", {FLAG: (True, False)})
    assert found(settled(withdrawal()), {**calm(), "cio_segment_at_risk_repeat": True}) is not None


def test_a_flag_that_stands_beyond_its_end_is_told_also_while_a_withdrawal_waits() -> None:
    over_ms = EXPIRES_S * 1000 + OVERDUE_MS
    waiting = desired.desire(settled(activation()), withdrawal(), START_MS)
    assert waiting.pending
    for contact in (settled(activation()), waiting, settled(activation(), "expired")):
        assert found(contact, IN_A_MOMENT, now_ms=over_ms) == ("standing", {"cio_moment", FLAG})
    assert found(settled(activation()), IN_A_MOMENT, now_ms=over_ms - 1) is None


def test_a_contact_that_should_show_a_moment_and_is_gone_is_missing_or_archived() -> None:
    assert found(settled(activation()), None) == ("missing", {"cio_moment"})
    assert found(settled(activation(), "archived"), None) == ("archived", {"cio_moment"})
    assert found(settled(activation()), None, now_ms=EXPIRES_S * 1000) is None


def test_what_intercom_refused_is_told_with_its_reason_and_what_waits_is_not() -> None:
    told = drift(PERSON, settled(activation(), "attributes_unfit"), shown(), calm(), START_MS)
    assert told is not None and (told.what, told.reason) == ("refused", "attributes_unfit")
    assert found(desired.desire(Contact(), activation(), START_MS), calm()) is None
    assert found(settled(activation(), "expired"), calm()) is None, "it was over before it could be shown"


@pytest.fixture
async def world(scene: Scene) -> World:
    made = standing(scene)
    await made.told(activation())
    await made.after(5)
    return made


def again(command: Command) -> Command:
    return msgspec.structs.replace(command, again=True)


async def test_asked_again_the_courier_writes_what_differs_and_nothing_else(scene: Scene, world: World) -> None:
    bodies: list[bytes] = []
    scene.workspace.update(scene.contact().id, {"custom_attributes": {FLAG: False}})
    scene.validated.seen = bodies.append
    await world.told(again(activation()))
    assert bodies == [], "it waits the settle time, since it begins a moment"
    await world.after(5)
    written = [json.loads(body) for body in bodies]
    assert [body for body in written if "query" not in body] == [{"custom_attributes": {FLAG: True}}]
    assert len(scene.contact().events) == 1
    assert world.said() == [(1, "shown", None), (1, "shown", None)]
    assert len({outcome.id for outcome in world.outcomes}) == 1, "to the log it is a repeat"


async def test_asked_again_where_nothing_differs_it_only_reads(scene: Scene, world: World) -> None:
    writes = len(scene.writes())
    await world.told(again(activation()))
    await world.after(5)
    assert len(scene.writes()) == writes
    assert scene.calls()[-1][0] == "GET"


async def test_asked_again_for_an_older_revision_or_while_a_newer_waits_changes_nothing(
    scene: Scene, world: World
) -> None:
    await world.told(withdrawal(), again(activation()))
    await world.after(60)
    assert scene.contact().custom[FLAG] is False
    assert world.said() == [(1, "shown", None), (2, "shown", None)]
    before = world.kept[PERSON]
    assert desired.desire(before, again(activation(3)), START_MS) is before, (
        "a revision that the courier never heard of"
    )


async def test_a_purchase_overtakes_what_was_asked_again(scene: Scene, world: World) -> None:
    scene.workspace.update(scene.contact().id, {"custom_attributes": {FLAG: False}})
    await world.told(again(activation()), withdrawal())
    await world.after(60)
    assert scene.contact().custom[FLAG] is False


async def test_asked_again_after_its_end_nothing_is_shown(scene: Scene, world: World) -> None:
    scene.workspace.update(scene.contact().id, {"custom_attributes": {FLAG: False}})
    scene.clock.at_ms = EXPIRES_S * 1000
    await world.told(again(activation()))
    await world.after(5)
    assert scene.contact().custom[FLAG] is False
    assert world.said()[-1] == (1, "refused", "expired")


def test_a_command_that_asks_again_is_read_by_a_release_that_does_not_know_it_as_the_repeat_that_it_is() -> None:
    written = json.loads(msgspec.json.encode(again(activation())))
    assert written.pop("again") is True
    assert "again" not in json.loads(msgspec.json.encode(activation()))
    assert msgspec.json.decode(json.dumps(written).encode(), type=Command) == activation()


async def test_a_look_shows_the_present_and_follows_a_merge(scene: Scene, world: World) -> None:
    looked = await scene.intercom.look(activation())
    assert looked is not None and looked[FLAG] is True
    assert set(looked) == set(activation().attributes)
    other = scene.workspace.create({"external_id": "7", "custom_attributes": {"lifetime_orders": 9}})
    scene.workspace.merge(scene.contact().id, other["id"])
    looked = await scene.intercom.look(activation())
    assert looked is not None and (looked[FLAG], looked["lifetime_orders"]) == (None, 9)
    assert await scene.intercom.look(activation(person="id:nobody")) is None


async def test_a_look_by_intercoms_own_id_takes_one_call_and_follows_a_merge(scene: Scene, world: World) -> None:
    known = world.kept["id:42"].known.intercom_id
    before = len(scene.calls())
    looked = await scene.intercom.look(activation(), intercom_id=known, urgent=True)
    assert looked is not None and looked[FLAG] is True
    assert [path for _, path, _ in scene.calls()[before:]] == [f"/contacts/{known}"]
    other = scene.workspace.create({"external_id": "7"})
    scene.workspace.merge(scene.contact().id, other["id"])
    looked = await scene.intercom.look(activation(), intercom_id=known)
    assert looked is not None and looked[FLAG] is None
    assert await scene.intercom.look(activation(), intercom_id="gone") == looked, "found anew where the id is not there"
    assert await scene.intercom.look(activation(person="id:nobody"), intercom_id="gone") is None


async def test_a_look_by_email_does_not_believe_the_search_about_attributes(scene: Scene) -> None:
    command = activation(person="email:a@example.com", external_id=None, email="a@example.com")
    made = scene.workspace.create({"email": "a@example.com", "custom_attributes": {FLAG: True}})
    scene.clock.pass_seconds(LAG_MS / 1000)
    scene.workspace.update(made["id"], {"custom_attributes": {FLAG: False}})
    looked = await scene.intercom.look(command)
    assert looked is not None and looked[FLAG] is False
    scene.workspace.create({"email": "a@example.com", "role": "lead"})
    scene.clock.pass_seconds(LAG_MS / 1000)
    with pytest.raises(Ambiguous):
        await scene.intercom.look(command)


async def test_an_examination_waits_out_a_rate_limit_and_names_what_it_cannot_decide(api: OpenAPI) -> None:
    async with Scene(api) as scene:
        transport = Validated(httpx.ASGITransport(app=intercom_app(scene.workspace, requests_per_window=2)), api)
        async with scene.beside(transport) as intercom:
            await intercom.differences(scene.manifest)
            contacts = {f"id:{n}": settled(activation(person=f"id:{n}")) for n in range(6)}
            contacts["x"] = settled(activation(person="x", external_id=None, email=None))
            contacts["id:erased"] = Contact(revision=3, settled=3, erased=True)
            told = await examine(contacts, intercom, now_ms=scene.clock.now_ms, sleep=scene.clock.sleep)
    assert any(status == 200 for _, _, status in scene.workspace.requests)
    assert (told.looked, told.waiting) == (7, 0)
    assert [(one.person, one.what, one.reason) for one in told.drifts] == [
        *((f"id:{n}", "missing", None) for n in range(6)), ("x", "refused", "no_identity"),
    ]  # fmt: skip
    assert scene.clock.at_ms > START_MS + 10_000, "no window was ever used up: the run is void"


async def test_an_examination_gives_up_where_intercom_never_answers() -> None:
    class Away:
        asked = 0

        async def look(self, command: Command) -> dict[str, Scalar] | None:
            self.asked += 1
            raise TryLater(2.0, "no connection", shared=True)

        def wanted(self, command: Command) -> dict[str, Scalar]:
            return command.attributes

    async def at_once(_: float) -> None:
        return None

    away = Away()
    with pytest.raises(TryLater):
        await examine({PERSON: settled(activation())}, away, now_ms=lambda: START_MS, sleep=at_once)
    assert away.asked == WAITS_MAX


class Wards:
    """A courier's partition as the background pass sees it."""

    def __init__(self, world: World) -> None:
        self.world = world

    def record(self, partition: int, person: str) -> Contact | None:
        return self.world.kept.get(person) if partition == 0 else None

    def again(self, partition: int, person: str) -> None:
        self.world.courier.again(partition, person)

    async def tell(self, conversed: Conversed) -> None:
        self.world.talks.append(conversed)


def reconciling(scene: Scene, *, mend: bool) -> Reconciling:
    made = Reconciling(intercom=scene.intercom, now_ms=scene.clock.now_ms, seconds=10, mends=lambda _: mend)
    made.rounds.meet(0, PERSON)
    return made


async def test_the_background_pass_counts_a_hand_edit_and_mends_it_only_where_the_policy_says_so(
    scene: Scene, world: World
) -> None:
    wards = Wards(world)
    assert await reconciling(scene, mend=True).look(wards) == "agrees"
    scene.workspace.update(scene.contact().id, {"custom_attributes": {FLAG: False}})
    assert await reconciling(scene, mend=False).look(wards) == "edited"
    await world.after(60)
    assert scene.contact().custom[FLAG] is False
    assert await reconciling(scene, mend=True).look(wards) == "edited"
    await world.after(60)
    assert scene.contact().custom[FLAG] is True
    assert await reconciling(scene, mend=True).look(wards) == "agrees"
    assert len(scene.contact().events) == 1


async def test_the_background_pass_leaves_alone_what_waits_what_moved_and_what_is_not_its_own(
    scene: Scene, world: World
) -> None:
    wards, background = Wards(world), reconciling(scene, mend=True)
    scene.workspace.update(scene.contact().id, {"custom_attributes": {FLAG: False}})

    def a_purchase_comes(_: httpx.Request) -> None:
        scene.validated.before = None
        world.courier.desire(0, withdrawal())

    scene.validated.before = a_purchase_comes
    assert await background.look(wards) is None, "the record moved while Intercom was asked"
    asked = len(scene.calls())
    assert await background.look(wards) is None, "a command waits"
    background.rounds.forget(0)
    assert await background.look(wards) is None
    background.rounds.meet(1, PERSON)
    assert await background.look(wards) is None
    assert len(scene.calls()) == asked


async def test_the_background_pass_counts_what_it_cannot_ask_and_goes_on(scene: Scene, world: World) -> None:
    wards, background = Wards(world), reconciling(scene, mend=True)
    scene.faults = ["busy"]
    assert await background.look(wards) == "later"
    scene.clock.pass_seconds(20)
    assert await background.look(wards) == "agrees"
    scene.workspace.archive(scene.contact().id, archived=True)
    assert await background.look(wards) == "missing"
    assert world.kept[PERSON].pending is False, "a contact that is gone is not mended"


async def talks_and_closes(scene: Scene, world: World, *, heard_s: float) -> int:
    """The log's last word on the conversation is `heard_s` old when it is closed; returns when that was, in unix seconds."""
    opened_ms = scene.clock.now_ms()
    scene.workspace.converse("c-1", scene.contact().id, "open")
    await world.told(withdrawal(talked_ms=opened_ms))
    scene.clock.pass_seconds(heard_s)
    scene.workspace.converse("c-1", scene.contact().id, "closed")
    return scene.clock.now_ms() // 1000


async def test_a_close_that_no_webhook_told_is_told_to_the_log_once(scene: Scene, world: World) -> None:
    closed_s = await talks_and_closes(scene, world, heard_s=TALK_OLD_MS / 1000)
    scene.clock.pass_seconds(3600)
    wards, background = Wards(world), reconciling(scene, mend=False)
    assert await background.look(wards) == "agrees"
    [talk] = world.talks
    assert (talk.person, talk.conversation, talk.open) == (PERSON, "c-1", False)
    assert (talk.id, talk.occurred_ms) == (f"read:c-1:{closed_s}:closed", closed_s * 1000)
    assert await background.look(wards) == "agrees"
    assert len(world.talks) == 1
    scene.clock.pass_seconds(3600)
    scene.workspace.converse("c-2", scene.contact().id, "closed")
    await background.look(wards)
    assert [one.conversation for one in world.talks] == ["c-1", "c-2"]


async def test_a_conversation_that_is_open_or_whose_close_was_heard_or_may_still_be_is_told_nothing_of(
    scene: Scene, world: World
) -> None:
    wards, background = Wards(world), reconciling(scene, mend=False)
    await background.look(wards)
    scene.workspace.converse("c-0", scene.contact().id, "closed")
    before = len(scene.calls())
    await background.look(wards)
    assert len(scene.calls()) == before + 1, "of somebody who never talked nothing is asked"
    await talks_and_closes(scene, world, heard_s=CLOSED_SLACK_MS / 1000)
    await background.look(wards)
    scene.clock.pass_seconds(TALK_OLD_MS / 1000)
    await background.look(wards)
    scene.clock.pass_seconds(3600)
    scene.workspace.converse("c-1", scene.contact().id, "snoozed")
    await background.look(wards)
    assert world.talks == []


async def test_conversations_that_cannot_be_asked_for_are_asked_for_in_the_next_round(
    scene: Scene, world: World
) -> None:
    await talks_and_closes(scene, world, heard_s=3600)
    wards, background = Wards(world), reconciling(scene, mend=False)
    scene.faults = [None, "busy"]
    scene.clock.pass_seconds(3600)
    assert await background.look(wards) == "later"
    assert world.talks == []
    scene.clock.pass_seconds(20)
    assert await background.look(wards) == "agrees"
    assert len(world.talks) == 1
