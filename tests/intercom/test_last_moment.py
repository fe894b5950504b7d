"""What the adapter looks at right before it writes: freshness, conversations, the budget; and events that are refused."""

import httpx
import msgspec
import pytest
from openapi_core import OpenAPI

from agents.intercom import Known, Overtaken, Refused, Talking, TryLater
from tests.intercom.scene import FLAG, START_MS, Scene, activation, shown, withdrawal

NEW = Known()


async def test_an_event_that_intercom_refuses_leaves_the_flag_shown_says_why_and_is_not_repeated(scene: Scene) -> None:
    for number in range(120):
        scene.workspace.create({"external_id": f"other-{number}"})
        scene.workspace.record_event({"user_id": f"other-{number}", "event_name": f"theirs {number}", "created_at": 1})
    known = await scene.intercom.show(activation(), NEW)
    assert scene.contact().custom[FLAG] is True
    assert known.event_refusal == "parameter_invalid"
    before = len(scene.calls())
    assert await scene.intercom.show(activation(2), known) == known
    assert len(scene.calls()) == before


class Turning:
    """Fresh for so many writes, then not."""

    def __init__(self, writes: int) -> None:
        self.left = writes

    def __call__(self) -> bool:
        self.left -= 1
        return self.left >= 0


async def test_what_was_overtaken_while_the_contact_was_looked_for_is_not_created(scene: Scene) -> None:
    with pytest.raises(Overtaken):
        await scene.intercom.show(activation(), NEW, fresh=Turning(0))
    assert scene.calls() == [("GET", "/contacts/find_by_external_id/42", 404)]


async def test_what_was_overtaken_while_the_contact_was_looked_for_is_not_written(scene: Scene) -> None:
    made = scene.workspace.create({"external_id": "42"})["id"]
    with pytest.raises(Overtaken) as caught:
        await scene.intercom.show(activation(), NEW, fresh=Turning(0))
    assert scene.writes() == []
    assert caught.value.known is not None
    assert caught.value.known.intercom_id == made


async def test_what_was_overtaken_after_the_flag_tells_no_event(scene: Scene) -> None:
    known = await scene.intercom.show(activation(), NEW, fresh=Turning(1))
    assert known.event is None
    assert scene.contact().events == []
    assert scene.contact().custom[FLAG] is True


async def test_an_open_conversation_is_found_before_the_first_write_and_asked_for_once(scene: Scene) -> None:
    made = scene.workspace.create({"external_id": "42"})["id"]
    scene.workspace.converse("77", made, "snoozed")
    with pytest.raises(Talking) as caught:
        await scene.intercom.show(activation(), NEW, ask=True)
    assert caught.value.conversations == (("77", START_MS // 1000),)
    assert scene.writes() == []
    known = caught.value.known
    assert known is not None
    known = await scene.intercom.show(activation(), known, ask=True)
    assert scene.contact().custom[FLAG] is True
    asked = [path for _, path, _ in scene.calls() if path == "/conversations/search"]
    assert len(asked) == 1
    with pytest.raises(Talking):
        await scene.intercom.show(activation(2, attributes=shown(lifetime_orders=2)), known, ask=True)


async def test_conversations_are_looked_for_also_where_nothing_but_the_event_is_left_to_tell(scene: Scene) -> None:
    known = msgspec.structs.replace(await scene.intercom.show(activation(), NEW), event=None)
    scene.workspace.converse("77", scene.contact().id, "open")
    with pytest.raises(Talking):
        await scene.intercom.show(activation(), known, ask=True)
    assert len(scene.contact().events) == 1


@pytest.mark.parametrize("talks", [[], [("77", "closed")]])
async def test_without_an_open_conversation_the_activation_goes_on(scene: Scene, talks: list[tuple[str, str]]) -> None:
    made = scene.workspace.create({"external_id": "42"})["id"]
    for conversation, state in talks:
        scene.workspace.converse(conversation, made, state)
    await scene.intercom.show(activation(), NEW, ask=True)
    assert scene.contact().custom[FLAG] is True


async def test_a_contact_that_is_created_has_talked_with_nobody(scene: Scene) -> None:
    await scene.intercom.show(activation(), NEW, ask=True)
    assert "/conversations/search" not in [path for _, path, _ in scene.calls()]


async def test_a_contact_that_is_deleted_between_the_conflict_and_the_look_is_looked_for_again(scene: Scene) -> None:
    def deleted_under_our_hands(request: httpx.Request) -> None:
        if request.method == "POST" and not scene.workspace.contacts:
            scene.workspace.create({"external_id": "42"})
        elif request.method == "GET" and scene.workspace.contacts:
            contact = scene.contact()
            if contact.live:
                scene.workspace.delete(contact.id)

    scene.validated.before = deleted_under_our_hands
    with pytest.raises(Refused) as caught:
        await scene.intercom.show(activation(), NEW)
    assert caught.value.reason == "archived"


async def test_what_may_wait_stops_before_the_limit_and_says_that_others_need_not(api: OpenAPI) -> None:
    async with Scene(api, requests_per_window=10) as scene:
        command = withdrawal()
        with pytest.raises(TryLater) as caught:
            for _ in range(10):
                await scene.intercom.show(command, NEW, urgent=False)
        assert (caught.value.shared, caught.value.urgent_too) == (True, False)
        assert len(scene.calls()) == 8
        await scene.intercom.show(command, NEW, urgent=True)


async def test_a_contact_that_we_may_have_made_and_no_search_shows_yet_is_waited_for(scene: Scene) -> None:
    """Known by e-mail alone, made by a call whose answer was lost: the withdrawal must not believe that nobody is there."""
    made = scene.workspace.create({"email": "a@example.com", "custom_attributes": {FLAG: True}})["id"]
    gone = withdrawal(person="email:a@example.com", external_id=None, email="a@example.com")
    with pytest.raises(TryLater) as caught:
        await scene.intercom.show(gone, Known(attributes=None), unseen=True)
    assert caught.value.shared is False
    scene.clock.pass_seconds(121)
    await scene.intercom.show(gone, Known(attributes=None), unseen=True)
    assert scene.workspace.contacts[made].custom[FLAG] is False


async def test_a_contact_that_no_search_shows_is_waited_for_only_where_nothing_else_can_find_it(scene: Scene) -> None:
    """An activation creates, and a clash names the contact; whoever has an id is found by it at once."""
    in_doubt = Known(attributes=None)
    by_email = activation(person="email:a@example.com", external_id=None, email="a@example.com")
    assert (await scene.intercom.show(by_email, in_doubt, unseen=True)).intercom_id is not None
    assert (await scene.intercom.show(withdrawal(), in_doubt, unseen=True)).intercom_id is None
