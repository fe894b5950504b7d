"""Attributes that are missing, vanish, or do not fit: what the adapter makes of the workspace, and of a write."""

import asyncio
import itertools
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from openapi_core import OpenAPI

from agents.intercom import Known, Made, Overtaken, Refused, TryLater, Unfit
from agents.intercom.contact import WRITES_MAX
from agents.intercom.patience import WAITS_MAX
from console.setup import compared
from contracts.commands import Command
from contracts.fields import manifest
from rehearsal.intercom_workspace import Rejection
from tests.intercom.scene import FLAG, Scene, activation, withdrawal

NEW = Known()


async def show(scene: Scene, command: Command, known: Known = NEW) -> Known:
    return await scene.intercom.show(command, known)


async def test_an_attribute_that_somebody_archived_refuses_the_command_and_leaves_the_contact(scene: Scene) -> None:
    scene.workspace.attributes[FLAG]["archived"] = True
    with pytest.raises(Refused) as caught:
        await show(scene, activation())
    assert caught.value.reason == "attributes_unfit"
    assert scene.workspace.contacts == {}


async def test_an_attribute_that_vanished_is_registered_again(scene: Scene) -> None:
    del scene.workspace.attributes[FLAG]
    await show(scene, activation())
    assert scene.contact().custom[FLAG] is True


class Vanishing(dict[str, dict[str, Any]]):
    """Attributes of a workspace in which others vanish, one each time that one is made."""

    def __init__(self, attributes: dict[str, dict[str, Any]], names: Iterable[str]) -> None:
        super().__init__(attributes)
        self._names = iter(names)
        self.made = 0

    def __setitem__(self, name: str, attribute: dict[str, Any]) -> None:
        super().__setitem__(name, attribute)
        self.made += 1
        self.pop(next(self._names, ""), None)


async def test_attributes_that_vanish_while_others_are_made_anew_refuse_no_withdrawal(scene: Scene) -> None:
    known = await show(scene, activation())
    scene.workspace.attributes = Vanishing(scene.workspace.attributes, ["cio_moment", "last_cart_value"])
    del scene.workspace.attributes[FLAG]
    await show(scene, withdrawal(), known)
    assert scene.contact().custom[FLAG] is False
    assert scene.workspace.attributes.made == 3


async def test_attributes_that_vanish_as_fast_as_they_are_made_are_waited_for_and_not_refused(scene: Scene) -> None:
    known = await show(scene, activation())
    scene.workspace.attributes = Vanishing(scene.workspace.attributes, itertools.cycle(["cio_moment", FLAG]))
    del scene.workspace.attributes[FLAG]
    with pytest.raises(TryLater) as caught:
        await show(scene, withdrawal(), known)
    assert not caught.value.shared
    assert scene.workspace.attributes.made == WRITES_MAX


async def test_of_two_calls_that_miss_an_attribute_both_go_on_though_one_of_them_makes_it(scene: Scene) -> None:
    people = ("id:1", "id:2", "id:3")
    known = {person: await show(scene, activation(person=person)) for person in people}
    scene.workspace.attributes = Vanishing(scene.workspace.attributes, ["cio_moment", "last_cart_value"])
    del scene.workspace.attributes[FLAG]
    await asyncio.gather(*(show(scene, withdrawal(person=person), known[person]) for person in people))
    assert [scene.contact(person.removeprefix("id:")).custom[FLAG] for person in people] == [False] * 3


async def test_a_write_that_is_refused_though_no_attribute_is_missing_is_repeated_once(scene: Scene) -> None:
    known = await show(scene, activation())
    refused: list[str] = []

    async def invalid(request: httpx.Request) -> httpx.Response:
        if request.method != "PUT":
            return await scene.validated.handle_async_request(request)
        refused.append(request.url.path)
        return httpx.Response(400, json={"type": "error.list", "errors": [{"code": "parameter_invalid"}]})

    async with scene.beside(httpx.MockTransport(invalid)) as intercom:
        await intercom.register(scene.manifest)
        with pytest.raises(Refused) as caught:
            await intercom.show(withdrawal(), known)
    assert caught.value.reason == "parameter_invalid"
    assert len(refused) == 2, "without a word of what is missing, an attribute may be"


async def test_what_was_overtaken_before_an_attribute_is_made_anew_makes_none_and_is_no_refusal(scene: Scene) -> None:
    known = await show(scene, activation())
    del scene.workspace.attributes[FLAG]
    answers = iter((True, False))
    with pytest.raises(Overtaken):
        await scene.intercom.show(withdrawal(), known, fresh=lambda: next(answers))
    assert FLAG not in scene.workspace.attributes


async def test_attributes_that_cannot_be_listed_now_are_no_refusal(scene: Scene) -> None:
    known = await show(scene, activation())
    del scene.workspace.attributes[FLAG]
    scene.faults = [None, "busy"]
    with pytest.raises(TryLater):
        await show(scene, withdrawal(), known)


async def test_without_a_manifest_a_write_that_does_not_fit_is_refused_and_nothing_is_registered(scene: Scene) -> None:
    async with scene.beside(scene.faulty) as bare:
        del scene.workspace.attributes[FLAG]
        asked = len(scene.calls())
        listed = len(scene.workspace.requests) - asked
        with pytest.raises(Refused) as caught:
            await bare.show(activation(), NEW)
    assert caught.value.reason == "parameter_invalid"
    assert [path for _, path, _ in scene.calls()[asked:]] == ["/contacts/find_by_external_id/42", "/contacts"]
    assert len(scene.workspace.requests) - len(scene.calls()) == listed


async def test_registering_creates_what_is_missing_once(scene: Scene) -> None:
    assert await scene.intercom.register(scene.manifest) == ()
    assert set(scene.workspace.attributes) == {field.name for field in scene.manifest}
    assert await scene.intercom.register(manifest(("winback_vip",))) == ("cio_segment_winback_vip",)


async def test_differences_are_read_without_writing_and_the_missing_made_whatever_else_differs(scene: Scene) -> None:
    del scene.workspace.attributes[FLAG]
    scene.workspace.attributes["cio_tier"]["archived"] = True
    scene.workspace.attributes["lifetime_orders"]["data_type"] = "string"
    scene.workspace.attributes["last_cart_value"]["api_writable"] = False
    before = len(scene.workspace.requests)
    found = await scene.intercom.differences(scene.manifest)
    assert {(one.attribute, one.what) for one in found} == {
        (FLAG, "missing"), ("cio_tier", "archived"), ("lifetime_orders", "type"), ("last_cart_value", "not_writable"),
    }  # fmt: skip
    assert [call[:2] for call in list(scene.workspace.requests)[before:]] == [("GET", "/data_attributes")]
    assert await scene.intercom.create(scene.manifest, found) == Made((FLAG,), ())
    assert len(await scene.intercom.differences(scene.manifest)) == 3


async def test_an_attribute_that_another_worker_has_just_made_is_as_good_as_made(scene: Scene) -> None:
    del scene.workspace.attributes[FLAG]
    found = await scene.intercom.differences(scene.manifest)
    scene.workspace.create_attribute({"name": FLAG, "data_type": "boolean"})
    assert await scene.intercom.create(scene.manifest, found) == Made((FLAG,), ())
    assert scene.workspace.requests[-2] == ("POST", "/data_attributes", 400)


async def test_an_attribute_that_is_not_writable_is_refused_in_a_write(scene: Scene) -> None:
    scene.workspace.attributes["last_cart_value"]["api_writable"] = False
    with pytest.raises(Refused, match="attributes_unfit"):
        await show(scene, activation())
    assert scene.workspace.contacts == {}


@pytest.mark.parametrize("change", [{"data_type": "integer"}, {"archived": True}, {"api_writable": False}])
async def test_an_attribute_that_does_not_fit_stops_the_start(scene: Scene, change: dict[str, object]) -> None:
    scene.workspace.attributes["last_cart_value"].update(change)
    with pytest.raises(Unfit, match="last_cart_value"):
        await scene.intercom.register(scene.manifest)


async def test_an_attribute_that_intercom_does_not_accept_stops_the_start(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    del scene.workspace.attributes[FLAG]

    def reserved(body: dict[str, Any]) -> dict[str, Any]:
        raise Rejection(400, "parameter_invalid", "this name is reserved")

    monkeypatch.setattr(scene.workspace, "create_attribute", reserved)
    with pytest.raises(Unfit, match=rf"{FLAG} is not accepted by Intercom \(parameter_invalid\): give the audience"):
        await scene.intercom.register(scene.manifest)


async def test_a_workspace_without_room_for_attributes_stops_the_start(scene: Scene) -> None:
    for number in range(250 - len(scene.workspace.attributes)):
        scene.workspace.create_attribute({"name": f"theirs_{number}", "data_type": "string"})
    with pytest.raises(Unfit, match="250"):
        await scene.intercom.register(manifest(("winback_vip",)))


async def test_setup_that_intercom_has_no_time_for_goes_on_where_it_was_broken_off(api: OpenAPI) -> None:
    async with Scene(api) as scene:
        begun_ms = scene.clock.now_ms()
        scene.faults = ["busy", None, None, None, "lost_answer", None, "broken", None, "refused_connection"]
        created, left = await compared(scene.intercom, scene.manifest, check=False, sleep=scene.clock.sleep)
    assert scene.faulty.served == ["busy", "lost_answer", "broken", "refused_connection"]
    assert (created, left) == (tuple(field.name for field in scene.manifest), ())
    posts = [status for method, _, status in scene.workspace.requests if method == "POST"]
    assert posts == [200] * len(scene.manifest), "nothing is made twice"
    assert scene.clock.now_ms() - begun_ms >= 12_000, "it waits for the window's end"


async def test_setup_gives_up_where_intercom_never_has_time(api: OpenAPI) -> None:
    async with Scene(api) as scene:
        scene.faults = ["busy"] * 100
        with pytest.raises(TryLater):
            await compared(scene.intercom, scene.manifest, check=True, sleep=scene.clock.sleep)
    assert len(scene.faulty.served) == WAITS_MAX
