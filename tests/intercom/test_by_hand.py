"""Whatever somebody edits by hand is found, attribute by attribute, mended where that is asked for, and told to nobody."""

import json
from typing import Any

import pytest
import structlog
from openapi_core import OpenAPI

from agents.agreement import OVERDUE_MS
from agents.examination import examine
from agents.reconciling import Reconciling
from contracts.commands import Command
from contracts.fields import FACTS, manifest
from contracts.signals import Scalar
from tests.intercom.scene import EXPIRES_S, FLAG, LAG_MS, Scene, activation, calm, shown, withdrawal
from tests.intercom.test_reconciling import PERSON, Wards, reconciling, settled
from tests.intercom.world import World, standing

AUDIENCES = ("high_aov_abandoner", "at_risk_repeat")
WHOLE: dict[str, Scalar] = shown(
    cio_tier="vip", intercom_assisted=True, last_cart_category="serums", last_viewed_product="Night serum",
    predicted_ltv_tier="mid", returns_page_visited=True,
)  # fmt: skip
OTHER: dict[str, Scalar] = {"boolean": False, "string": "by hand", "date": EXPIRES_S + 60, "float": 0.01, "integer": 7}


@pytest.fixture
async def world(scene: Scene) -> World:
    return standing(scene)


async def given(world: World, command: Command) -> None:
    await world.told(command)
    await world.after(5)


def test_the_command_of_these_tests_tells_every_attribute() -> None:
    assert set(WHOLE) == {field.name for field in manifest(AUDIENCES)}


@pytest.mark.parametrize("value", ["another", "none"])
@pytest.mark.parametrize("field", manifest(AUDIENCES), ids=lambda field: field.name)
async def test_every_attribute_is_held_against_the_state_and_mended(
    scene: Scene, world: World, field: Any, value: str
) -> None:
    await given(world, activation(attributes=WHOLE))
    edit = None if value == "none" else True if WHOLE[field.name] is False else OTHER[field.data_type]
    scene.workspace.update(scene.contact().id, {"custom_attributes": {field.name: edit}})
    with structlog.testing.capture_logs() as logs:
        found = await reconciling(scene, mend=True).look(Wards(world))
    if WHOLE[field.name] is False and edit is None:
        assert found == "agrees", "never written reads as false"
        return
    assert found == "edited"
    assert [(log["event"], log["attributes"], log["mended"]) for log in logs] == [
        ("contact_differs", [field.name], True)
    ]
    await world.after(60)
    assert {name: scene.contact().custom.get(name) for name in WHOLE} == WHOLE
    assert len(scene.contact().events) == 1


def test_there_is_an_attribute_of_each_type() -> None:
    assert {field.data_type for field in FACTS} == set(OTHER)


async def test_what_is_logged_names_attributes_and_nobody(scene: Scene, world: World) -> None:
    await given(world, activation(person="id:ada@example.com", attributes=WHOLE))
    contact = scene.contact("ada@example.com")
    scene.workspace.update(contact.id, {"custom_attributes": {"last_viewed_product": "a secret", FLAG: False}})
    background = reconciling(scene, mend=False)
    background.rounds.forget(0)
    background.rounds.meet(0, "id:ada@example.com")
    with structlog.testing.capture_logs() as logs:
        assert await background.look(Wards(world)) == "edited"
    assert logs == [
        {
            "event": "contact_differs", "log_level": "warning", "what": "edited", "mended": False,
            "attributes": sorted([FLAG, "last_viewed_product"]),
        }
    ]  # fmt: skip
    assert not any(word in json.dumps(logs) for word in ("ada", "secret", "serum", contact.id))


async def test_a_moment_put_back_by_hand_after_its_end_is_mended_and_one_whose_end_is_late_is_left_to_the_judge(
    scene: Scene, world: World
) -> None:
    await given(world, activation(attributes=WHOLE))
    wards = Wards(world)
    scene.clock.at_ms = EXPIRES_S * 1000 + OVERDUE_MS
    with structlog.testing.capture_logs() as logs:
        assert await reconciling(scene, mend=True).look(wards) == "standing"
    assert [log["mended"] for log in logs] == [False], "the courier would drop it as expired"
    assert not world.kept[PERSON].pending
    await given(world, withdrawal())
    assert scene.contact().custom[FLAG] is False
    moment = {name: WHOLE[name] for name in ("cio_moment", "cio_moment_expires_at", FLAG)}
    scene.workspace.update(scene.contact().id, {"custom_attributes": moment})
    assert await reconciling(scene, mend=True).look(wards) == "standing"
    await world.after(60)
    assert {name: scene.contact().custom.get(name) for name in calm()} == calm()


async def test_the_pass_leaves_to_withdrawals_what_is_kept_back_for_them(api: OpenAPI) -> None:
    async with Scene(api, requests_per_window=40) as scene:
        await scene.intercom.register(scene.manifest)
        world = standing(scene)
        await given(world, activation(attributes=WHOLE))
        assert scene.contact().custom[FLAG] is True
        scene.clock.pass_seconds(30)
        background, wards = reconciling(scene, mend=True), Wards(world)
        found = [await background.look(wards) for _ in range(50)]
        looks = found.count("agrees")
        assert 0 < looks <= 32 and found[looks:] == ["later"] * (50 - looks), "a fifth is kept back"
        before = len(scene.calls())
        await background.look(wards)
        assert len(scene.calls()) == before, "what waits for the budget asks nothing"
        await world.told(withdrawal())
        assert scene.contact().custom[FLAG] is False, "a withdrawal has its part"


async def test_between_two_contacts_it_waits(scene: Scene, world: World) -> None:
    background = Reconciling(intercom=scene.intercom, now_ms=scene.clock.now_ms, seconds=10, mends=lambda _: True)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 3:
            raise StopAsyncIteration

    with pytest.raises(StopAsyncIteration):
        await background.run(Wards(world), sleep=sleep)
    assert slept == [10, 10, 10, 10]


async def test_an_examination_looks_five_times_a_second_at_most(scene: Scene) -> None:
    contacts = {f"id:{n}": settled(activation(person=f"id:{n}")) for n in range(11)}
    begun_ms = scene.clock.now_ms()
    told = await examine(contacts, scene.intercom, now_ms=scene.clock.now_ms, sleep=scene.clock.sleep)
    assert (told.looked, scene.clock.now_ms() - begun_ms) == (11, 2000)


async def test_a_contact_that_cannot_be_told_from_another_is_counted_and_left(scene: Scene, world: World) -> None:
    address = "ada@example.com"
    command = activation(person=f"email:{address}", external_id=None, email=address, attributes=WHOLE)
    await given(world, command)
    scene.workspace.create({"email": address, "role": "lead"})
    scene.clock.pass_seconds(LAG_MS / 1000)
    background = reconciling(scene, mend=True)
    background.rounds.forget(0)
    background.rounds.meet(0, command.person)
    assert await background.look(Wards(world)) == "refused"
    assert not world.kept[command.person].pending


async def test_a_contact_that_was_deleted_is_missing_and_stays_away(scene: Scene, world: World) -> None:
    await given(world, activation(attributes=WHOLE))
    scene.workspace.delete(scene.contact().id)
    assert await reconciling(scene, mend=True).look(Wards(world)) == "missing"
    await world.after(60)
    assert not world.kept[PERSON].pending and not scene.contact().live
