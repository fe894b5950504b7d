"""The adapter's branches, each against the rehearsed Intercom and the official description."""

import json

import httpx
import msgspec
import pytest
from openapi_core import OpenAPI
from openapi_core.validation.request.exceptions import RequestValidationError
from openapi_core.validation.response.exceptions import ResponseValidationError

from agents.intercom import Ambiguous, Intercom, Known, Refused, TryLater, Unauthorized, Unknown
from contracts.commands import Command
from rehearsal.intercom import intercom_app
from tests.intercom.official import Validated
from tests.intercom.scene import FLAG, START_MS, Scene, activation, calm, shown, withdrawal

NEW = Known()


async def show(scene: Scene, command: Command, known: Known = NEW) -> Known:
    return await scene.intercom.show(command, known)


async def test_an_activation_creates_the_contact_and_tells_the_event_last(scene: Scene) -> None:
    known = await show(scene, activation())
    contact = scene.contact()
    assert contact.custom == {name: value for name, value in shown().items() if value is not None}
    assert known.intercom_id == contact.id
    assert [path for _, path, _ in scene.calls()] == ["/contacts/find_by_external_id/42", "/contacts", "/events"]
    assert [event["created_at"] for event in contact.events] == [START_MS // 1000 - 7200]


async def test_what_is_shown_already_is_not_written_again(scene: Scene) -> None:
    known = await show(scene, activation())
    before = len(scene.calls())
    assert await show(scene, activation(2), known) == known
    assert len(scene.calls()) == before


async def test_a_withdrawal_writes_only_what_changed(scene: Scene) -> None:
    bodies: list[bytes] = []
    known = await show(scene, activation())
    scene.validated.seen = bodies.append
    await show(scene, withdrawal(), known)
    [body] = bodies
    assert msgspec.json.decode(body)["custom_attributes"] == {
        FLAG: False, "cio_moment": None, "cio_moment_reason": None, "cio_moment_expires_at": None, "last_cart_value": 0.0,
    }  # fmt: skip
    assert "cio_moment" not in scene.contact().custom


async def test_a_contact_of_another_sender_is_found_and_read_before_it_is_written(scene: Scene) -> None:
    scene.workspace.create({"external_id": "42", "custom_attributes": {"lifetime_orders": 1}})
    known = await show(scene, activation())
    assert scene.contact().custom[FLAG] is True
    assert known.attributes is not None
    assert known.attributes["lifetime_orders"] == 1
    assert [call[0] for call in scene.calls()] == ["GET", "PUT", "POST"]


async def test_a_withdrawal_for_nobody_is_shown_after_one_look(scene: Scene) -> None:
    assert (await show(scene, withdrawal())).intercom_id is None
    assert scene.calls() == [("GET", "/contacts/find_by_external_id/42", 404)]


async def test_a_withdrawal_for_a_contact_that_never_had_a_moment_writes_nothing(scene: Scene) -> None:
    scene.workspace.create({"external_id": "42", "custom_attributes": {"lifetime_orders": 1}})
    await show(scene, withdrawal())
    assert scene.writes() == []


async def test_a_contact_created_meanwhile_is_taken_by_the_id_in_the_conflict(scene: Scene) -> None:
    def somebody_is_faster(request: httpx.Request) -> None:
        if request.method == "POST" and not scene.workspace.contacts:
            scene.workspace.create({"external_id": "42", "email": "42@example.com"})

    scene.validated.before = somebody_is_faster
    known = await show(scene, activation())
    assert known.intercom_id == scene.contact().id
    assert scene.contact().custom[FLAG] is True
    assert 409 in [status for _, _, status in scene.calls()]


async def test_a_contact_created_meanwhile_that_shows_everything_is_not_written(scene: Scene) -> None:
    everything = {name: value for name, value in shown().items() if value is not None}

    def somebody_is_faster(request: httpx.Request) -> None:
        if request.method == "POST" and not scene.workspace.contacts:
            scene.workspace.create({"external_id": "42", "custom_attributes": everything})

    scene.validated.before = somebody_is_faster
    await show(scene, activation())
    assert [method for method, _, _ in scene.calls()] == ["GET", "POST", "GET", "POST"], "a clash, a look, the event"


async def test_an_event_that_finds_no_contact_is_told_once_more_and_nothing_is_written_twice(scene: Scene) -> None:
    """Found by its e-mail, given our id, and not there for the event: whoever writes there is at work right now."""
    scene.workspace.create({"email": "42@example.com"})
    lost = iter((True, False))

    async def forgetful(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/events" and next(lost):
            return httpx.Response(404, json={"type": "error.list", "errors": [{"code": "not_found"}]})
        return await scene.validated.handle_async_request(request)

    async with scene.beside(httpx.MockTransport(forgetful)) as intercom:
        known = await intercom.show(activation(), NEW)
    assert known.event_refusal is None
    assert len(scene.contact().events) == 1
    assert [method for method, _, _ in scene.calls()].count("PUT") == 1


async def test_a_clash_with_a_contact_of_which_nothing_is_known_is_ambiguous(scene: Scene) -> None:
    async def nameless(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            message = "A contact matching those details already exists with id=a1"
            return httpx.Response(
                409, json={"type": "error.list", "errors": [{"code": "conflict", "message": message}]}
            )
        found = {"type": "contact", "id": "a1", "external_id": None, "email": None}
        missing = httpx.Response(404, json={"type": "error.list", "errors": [{"code": "not_found"}]})
        return httpx.Response(200, json=found) if request.url.path == "/contacts/a1" else missing

    async with scene.beside(httpx.MockTransport(nameless)) as intercom:
        with pytest.raises(Ambiguous):
            await intercom.show(activation(email=None), NEW)


async def test_a_conflict_with_another_persons_email_is_ambiguous_and_overwrites_nothing(scene: Scene) -> None:
    scene.workspace.create({"external_id": "7", "email": "42@example.com"})
    with pytest.raises(Ambiguous) as caught:
        await show(scene, activation())
    assert scene.contact("7").custom == {}
    assert "example.com" not in str(caught.value)


async def test_a_contact_known_by_email_alone_gets_the_id_once_its_person_has_one(scene: Scene) -> None:
    scene.workspace.create({"email": "42@example.com"})
    await show(scene, activation())
    assert scene.contact("42").custom[FLAG] is True
    assert len(scene.workspace.contacts) == 1


@pytest.mark.parametrize("end", ["archive", "delete"])
async def test_an_archived_or_deleted_contact_is_left_alone(scene: Scene, end: str) -> None:
    known = await show(scene, activation())
    assert known.intercom_id is not None
    if end == "archive":
        scene.workspace.archive(known.intercom_id, archived=True)
    else:
        scene.workspace.delete(known.intercom_id)
    with pytest.raises(Refused) as caught:
        await show(scene, activation(2, attributes=shown(last_cart_value=200.0)), known)
    assert caught.value.reason == "archived"
    assert scene.contact().custom["last_cart_value"] == 180.0


async def test_a_withdrawal_for_a_vanished_contact_has_nothing_to_take_back(scene: Scene) -> None:
    known = await show(scene, activation())
    assert known.intercom_id is not None
    scene.workspace.delete(known.intercom_id)
    assert await show(scene, withdrawal(), known) == NEW


async def test_a_merged_contact_is_followed_to_the_one_that_it_became(scene: Scene) -> None:
    known = await show(scene, activation())
    into = scene.workspace.create({"external_id": "9", "custom_attributes": {"returns_page_visited": True}})["id"]
    assert known.intercom_id is not None
    scene.workspace.merge(known.intercom_id, into)
    followed = await show(scene, withdrawal(attributes=calm(lifetime_orders=3)), known)
    assert followed.intercom_id == into
    assert scene.contact("9").custom["lifetime_orders"] == 3
    assert scene.contact("9").custom["returns_page_visited"] is False, (
        "what the other one shows says nothing of this one"
    )


async def test_a_write_that_is_told_of_a_merge_trusts_nothing_that_it_knew_of_the_merged_contact(scene: Scene) -> None:
    """Intercom describes this answer for reads alone; a write may get it all the same."""
    known = await show(scene, activation())
    into = scene.workspace.create({"external_id": "9", "custom_attributes": {"returns_page_visited": True}})["id"]

    async def merged(request: httpx.Request) -> httpx.Response:
        if request.url.path == f"/contacts/{known.intercom_id}":
            return httpx.Response(410, headers={"Link": f'</contacts/{into}>; rel="canonical"'})
        return await scene.validated.handle_async_request(request)

    async with scene.beside(httpx.MockTransport(merged)) as intercom:
        followed = await intercom.show(withdrawal(), known)
    assert followed.intercom_id == into
    assert scene.contact("9").custom["returns_page_visited"] is False


async def test_a_person_known_by_email_alone_is_searched_for(scene: Scene) -> None:
    made = scene.workspace.create({"email": "o'hara@example.com"})["id"]
    scene.clock.pass_seconds(121)
    command = activation(person="email:o'hara@example.com", external_id=None, email="o'hara@example.com")
    assert (await show(scene, command)).intercom_id == made
    assert scene.workspace.contacts[made].custom[FLAG] is True


async def test_a_person_whom_search_does_not_show_yet_is_found_through_the_conflict(scene: Scene) -> None:
    made = scene.workspace.create({"email": "o'hara@example.com"})["id"]
    command = activation(person="email:o'hara@example.com", external_id=None, email="o'hara@example.com")
    assert (await show(scene, command)).intercom_id == made


async def test_two_contacts_with_one_email_are_ambiguous(scene: Scene) -> None:
    scene.workspace.create({"role": "lead", "email": "a@example.com"})
    scene.workspace.create({"role": "lead", "email": "a@example.com"})
    scene.clock.pass_seconds(121)
    with pytest.raises(Ambiguous):
        await show(scene, activation(person="email:a@example.com", external_id=None, email="a@example.com"))
    assert scene.writes() == []


async def test_erasing_clears_every_attribute_and_tells_no_event(scene: Scene) -> None:
    known = await show(scene, activation(event=None))
    await show(scene, activation(2, erase=True, create=False), known)
    assert scene.contact().custom == {}
    assert scene.contact().events == []


async def test_values_are_sent_in_the_types_of_the_manifest(scene: Scene) -> None:
    wrong = shown(last_cart_value=180, lifetime_orders=2.0, cio_moment_reason="x" * 300, last_cart_category=7)
    await show(scene, activation(attributes=wrong))
    custom = scene.contact().custom
    assert (type(custom["last_cart_value"]), type(custom["lifetime_orders"])) == (float, int)
    assert len(custom["cio_moment_reason"]) == 255
    assert "last_cart_category" not in custom


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "reset", "half_answer", "broken"])
async def test_a_create_whose_answer_is_lost_is_unknown_and_its_repeat_agrees(scene: Scene, fault: str) -> None:
    scene.faults = [None, fault]  # type: ignore[list-item]  # the parameters are such words
    with pytest.raises(Unknown) as caught:
        await show(scene, activation())
    assert caught.value.known == Known(attributes=None)
    known = await show(scene, activation(), caught.value.known)
    assert len(scene.workspace.contacts) == 1
    assert known.attributes == shown()
    assert len(scene.contact().events) == 1


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "reset", "half_answer", "broken"])
async def test_after_an_unknown_write_a_withdrawal_writes_everything(scene: Scene, fault: str) -> None:
    calm_known = await show(scene, activation(event=None, attributes=calm()))
    scene.faults = [fault]  # type: ignore[list-item]  # the parameters are such words
    with pytest.raises(Unknown) as caught:
        await show(scene, activation(2), calm_known)
    assert caught.value.known is not None
    await show(scene, withdrawal(3), caught.value.known)
    assert scene.contact().custom[FLAG] is False
    assert "cio_moment" not in scene.contact().custom


async def test_what_is_read_after_a_lost_write_is_not_trusted_since_the_write_may_still_arrive(scene: Scene) -> None:
    scene.workspace.create({"external_id": "42", "custom_attributes": {FLAG: False}})
    bodies: list[bytes] = []
    scene.validated.seen = bodies.append
    await show(scene, withdrawal(), Known(attributes=None))
    assert [call[0] for call in scene.calls()] == ["GET", "PUT"]
    assert json.loads(bodies[0])["custom_attributes"][FLAG] is False


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "reset", "half_answer", "broken"])
async def test_a_lost_answer_to_a_look_is_tried_later(scene: Scene, fault: str) -> None:
    scene.workspace.create({"external_id": "42"})
    scene.faults = [fault]  # type: ignore[list-item]  # the parameters are such words
    with pytest.raises(TryLater) as caught:
        await show(scene, activation())
    assert caught.value.shared is False
    assert scene.writes() == []


async def test_a_refused_connection_is_tried_later_by_everybody(scene: Scene) -> None:
    scene.faults = [None, "refused_connection"]
    with pytest.raises(TryLater) as caught:
        await show(scene, activation())
    assert caught.value.shared is True


async def test_an_event_that_failed_is_sent_later_without_writing_the_contact_again(scene: Scene) -> None:
    scene.faults = [None, None, "lost_answer"]
    with pytest.raises(Unknown) as caught:
        await show(scene, activation())
    assert caught.value.known is not None
    await show(scene, activation(), caught.value.known)
    assert scene.contact().writes == 1
    assert len(scene.contact().events) == 1, "the repeated event is the same event"


async def test_the_window_that_an_answer_named_is_waited_for_without_asking(api: OpenAPI) -> None:
    async with Scene(api, requests_per_window=1) as scene:
        assert (await show(scene, withdrawal())).intercom_id is None
        asked = len(scene.calls())
        with pytest.raises(TryLater) as caught:
            await show(scene, withdrawal())
        assert caught.value.shared is True
        assert caught.value.after_seconds == 12.0
        assert len(scene.calls()) == asked
        scene.clock.pass_seconds(caught.value.after_seconds)
        await show(scene, withdrawal())


async def test_a_429_is_tried_after_the_reset_that_it_names(scene: Scene) -> None:
    scene.faults = ["busy"]
    with pytest.raises(TryLater) as caught:
        await show(scene, activation())
    assert 0 < caught.value.after_seconds <= 12


async def test_a_wrong_token_stops_the_sender(scene: Scene) -> None:
    async with scene.beside(
        httpx.ASGITransport(app=intercom_app(scene.workspace, token="secret")), token="wrong"
    ) as stranger:
        with pytest.raises(Unauthorized):
            await stranger.show(activation(), NEW)


async def test_the_adapter_never_speaks_of_the_subscription_to_emails(scene: Scene) -> None:
    bodies: list[bytes] = []
    scene.validated.seen = bodies.append
    known = await show(scene, activation())
    await show(scene, withdrawal(), known)
    assert bodies
    assert not any(b"unsubscribed" in body for body in bodies)


async def test_a_request_that_the_description_forbids_is_caught(scene: Scene) -> None:
    async with httpx.AsyncClient(transport=scene.validated, base_url="https://api.intercom.io") as http:
        headers = {"Authorization": "Bearer secret", "Intercom-Version": "2.16"}
        with pytest.raises(RequestValidationError):
            await http.post("/contacts", json={"email": 5}, headers=headers)
        with pytest.raises(RequestValidationError):
            await http.post("/contacts", json={"emial": "a@example.com", "role": "user"}, headers=headers)
        with pytest.raises(RequestValidationError):
            await http.post("/events", json={"event_name": "x", "created_at": "now", "id": "1"}, headers=headers)


async def test_an_answer_that_the_description_forbids_is_caught(api: OpenAPI) -> None:
    def numbers_for_ids(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"type": "contact", "id": 7})

    transport = Validated(httpx.MockTransport(numbers_for_ids), api)
    async with httpx.AsyncClient(transport=transport, base_url="https://api.intercom.io") as http:
        with pytest.raises(ResponseValidationError):
            await http.get("/contacts/7", headers={"Authorization": "Bearer secret", "Intercom-Version": "2.16"})


@pytest.mark.parametrize("calls_allowed", [0, 1, 2])
async def test_a_worker_that_was_replaced_makes_no_further_call(scene: Scene, calls_allowed: int) -> None:
    """Stopped for longer than its session between any two calls: the successor has shown something newer meanwhile."""
    asked, before = 0, len(scene.workspace.requests)

    async def allowed() -> bool:
        nonlocal asked
        asked += 1
        return asked <= calls_allowed

    intercom = Intercom(
        base_url="http://intercom.test",
        token="t",
        now_ms=lambda: START_MS,
        allowed=allowed,
        transport=httpx.ASGITransport(app=intercom_app(scene.workspace)),
    )
    with pytest.raises(TryLater):
        await intercom.show(activation(), NEW)
    await intercom.close()
    assert len(scene.workspace.requests) - before == calls_allowed


@pytest.mark.parametrize("user", ["a+b@example.com", "50%/x?y=1#z", "Jürgen 🧴", "a b", "%2F", "x/archive"])
async def test_an_identifier_of_any_shape_finds_its_contact_at_once(scene: Scene, user: str) -> None:
    made = scene.workspace.create({"external_id": user})
    known = await scene.intercom.show(activation(person=f"id:{user}"), Known())
    assert known.intercom_id == made["id"]
    assert [(method, status) for method, _, status in scene.calls()] == [("GET", 200), ("PUT", 200), ("POST", 202)]
