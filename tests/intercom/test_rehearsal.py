"""The rehearsed Intercom has the vendor's habits, and what it answers is as the official description says."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn
from openapi_core import OpenAPI

from contracts.fields import manifest
from rehearsal.intercom import intercom_app
from rehearsal.intercom_workspace import Workspace
from tests.intercom.official import Validated
from tests.intercom.scene import LAG_MS, START_MS, HandClock

HEADERS = {"Authorization": "Bearer secret", "Intercom-Version": "2.16", "Accept": "application/json"}
BASE_URL = "https://api.intercom.io"
EVENT = {"event_name": "cart_abandoned", "created_at": START_MS // 1000}


class Shop:
    """A client that speaks to the workspace through the validator."""

    def __init__(self, api: OpenAPI, **options: Any) -> None:
        self.clock = HandClock()
        self.workspace = Workspace(
            now_ms=self.clock.now_ms, search_lag_ms=LAG_MS, attributes=manifest(("winback_vip",))
        )
        app = intercom_app(self.workspace, token="secret", **options)
        self.http = httpx.AsyncClient(
            transport=Validated(httpx.ASGITransport(app=app), api), base_url=BASE_URL, headers=HEADERS
        )

    async def made(self, **body: Any) -> str:
        answer = await self.http.post("/contacts", json=body)
        assert answer.status_code == 200
        return str(answer.json()["id"])

    async def found(self, email: str) -> int:
        query = {"field": "email", "operator": "=", "value": email}
        return int((await self.http.post("/contacts/search", json={"query": query})).json()["total_count"])


@pytest.fixture
async def shop(api: OpenAPI) -> AsyncIterator[Shop]:
    opened = Shop(api)
    yield opened
    await opened.http.aclose()


def error(answer: httpx.Response) -> tuple[int, str, str]:
    [only] = answer.json()["errors"]
    return answer.status_code, only["code"], only["message"]


async def test_a_duplicate_create_says_the_id_in_the_message_alone(shop: Shop) -> None:
    made = await shop.made(external_id="42", email="A@example.com")
    for body in ({"external_id": "42"}, {"email": "a@example.com"}):
        answer = await shop.http.post("/contacts", json=body)
        assert error(answer) == (409, "conflict", f"A contact matching those details already exists with id={made}")


async def test_an_archived_contact_is_hidden_and_still_blocks_its_identity(shop: Shop) -> None:
    made = await shop.made(external_id="42")
    assert (await shop.http.post(f"/contacts/{made}/archive")).json()["archived"] is True
    assert (await shop.http.get(f"/contacts/{made}")).status_code == 404
    assert (await shop.http.get("/contacts/find_by_external_id/42")).status_code == 404
    answer = await shop.http.post("/contacts", json={"external_id": "42"})
    assert error(answer)[2] == f"An archived contact matching those details already exists with id={made}"
    assert (await shop.http.post(f"/contacts/{made}/unarchive")).json()["archived"] is False
    assert (await shop.http.get(f"/contacts/{made}")).status_code == 200


async def test_a_deleted_contact_blocks_its_identity_and_cannot_come_back(shop: Shop) -> None:
    made = await shop.made(external_id="42")
    assert (await shop.http.delete(f"/contacts/{made}")).json()["deleted"] is True
    assert error(await shop.http.post("/contacts", json={"external_id": "42"}))[0] == 409
    assert error(await shop.http.post(f"/contacts/{made}/unarchive"))[:2] == (400, "bad_request")


async def test_search_shows_the_past_for_a_while_and_a_get_the_present(shop: Shop) -> None:
    made = await shop.made(email="a@example.com")
    assert await shop.found("a@example.com") == 0
    assert (await shop.http.get(f"/contacts/{made}")).status_code == 200
    shop.clock.pass_seconds(LAG_MS / 1000)
    assert await shop.found("a@example.com") == 1
    await shop.http.put(f"/contacts/{made}", json={"email": "b@example.com"})
    assert await shop.found("a@example.com") == 1
    shop.clock.pass_seconds(LAG_MS / 1000)
    assert (await shop.found("a@example.com"), await shop.found("b@example.com")) == (0, 1)


async def test_one_unknown_attribute_fails_the_whole_write(shop: Shop) -> None:
    made = await shop.made(external_id="42")
    attributes = {"lifetime_orders": 3, "nobody_knows_me": 1}
    answer = await shop.http.put(f"/contacts/{made}", json={"custom_attributes": attributes})
    assert error(answer) == (400, "parameter_invalid", "Custom attribute 'nobody_knows_me' does not exist")
    assert shop.workspace.contacts[made].custom == {}


@pytest.mark.parametrize("value", ["3", 3.5, True, [3], {"n": 3}])
async def test_a_value_of_another_type_fails_the_write(shop: Shop, value: object) -> None:
    made = await shop.made(external_id="42")
    body = {"custom_attributes": {"lifetime_orders": value}}
    assert error(await shop.http.put(f"/contacts/{made}", json=body))[:2] == (400, "parameter_invalid")


async def test_an_update_merges_attributes_and_null_clears(shop: Shop) -> None:
    made = await shop.made(external_id="42", custom_attributes={"lifetime_orders": 3, "cio_tier": "vip"})
    body = {"custom_attributes": {"cio_tier": None, "last_cart_value": 9.5}}
    answer = await shop.http.put(f"/contacts/{made}", json=body)
    assert answer.json()["custom_attributes"] == {"lifetime_orders": 3, "last_cart_value": 9.5}


async def test_an_update_may_share_an_email_but_not_an_external_id(shop: Shop) -> None:
    await shop.made(external_id="1", email="a@example.com")
    other = await shop.made(external_id="2", email="b@example.com")
    assert (await shop.http.put(f"/contacts/{other}", json={"email": "a@example.com"})).status_code == 200
    assert error(await shop.http.put(f"/contacts/{other}", json={"external_id": "1"}))[:2] == (409, "conflict")


async def test_names_come_back_escaped_and_attributes_do_not(shop: Shop) -> None:
    made = await shop.made(external_id="1", name="O'Hara & Co", custom_attributes={"cio_tier": "a & b"})
    read = (await shop.http.get(f"/contacts/{made}")).json()
    assert (read["name"], read["custom_attributes"]["cio_tier"]) == ("O&#x27;Hara &amp; Co", "a & b")


async def test_a_merged_contact_points_to_the_one_that_it_became(shop: Shop) -> None:
    source, into = await shop.made(external_id="1"), await shop.made(external_id="2")
    shop.workspace.merge(source, into)
    for path in (f"/contacts/{source}", "/contacts/find_by_external_id/1"):
        answer = await shop.http.get(path)
        assert error(answer)[:2] == (410, "contact_merged")
        assert answer.headers["link"] == f'</contacts/{into}>; rel="canonical"'


async def test_an_event_needs_its_contact_and_counts_once(shop: Shop) -> None:
    assert error(await shop.http.post("/events", json={**EVENT, "user_id": "42"}))[2] == "User Not Found"
    made = await shop.made(external_id="42")
    for address in ({"id": made}, {"user_id": "42"}, {"id": made}):
        answer = await shop.http.post("/events", json={**EVENT, **address})
        assert (answer.status_code, answer.content) == (202, b"")
    await shop.http.post("/events", json={**EVENT, "id": made, "created_at": EVENT["created_at"] + 1})  # type: ignore[operator]  # the value of this key is a number
    assert len(shop.workspace.contacts[made].events) == 2


async def test_an_event_dated_in_milliseconds_or_nested_is_refused(shop: Shop) -> None:
    made = await shop.made(external_id="42")
    for wrong in ({"created_at": START_MS}, {"metadata": {"cart": {"lines": 3}}}):
        assert error(await shop.http.post("/events", json={**EVENT, "id": made, **wrong}))[0] == 400
    assert shop.workspace.contacts[made].events == []


async def test_rate_headers_tell_a_window_of_ten_seconds_and_its_end_two_seconds_late(api: OpenAPI) -> None:
    shop = Shop(api, requests_per_window=2)
    answers = [await shop.http.get("/data_attributes") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"2"}
    assert {answer.headers["x-ratelimit-reset"] for answer in answers} == {str(START_MS // 1000 + 12)}
    shop.clock.pass_seconds(10)
    assert (await shop.http.get("/data_attributes")).status_code == 200
    await shop.http.aclose()


async def test_without_the_right_token_there_is_401_and_no_rate_header(shop: Shop) -> None:
    answer = await shop.http.get("/data_attributes", headers={"Authorization": "Bearer wrong"})
    assert error(answer) == (401, "unauthorized", "Access Token Invalid")
    assert "x-ratelimit-limit" not in answer.headers
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


async def test_a_write_sets_the_cookie_of_recent_writes(shop: Shop) -> None:
    await shop.made(external_id="42")
    assert shop.http.cookies["recent_write"] == "true"


async def test_attributes_are_listed_created_once_and_archived(shop: Shop) -> None:
    body = {"name": "moment_v2", "model": "contact", "data_type": "string"}
    made = (await shop.http.post("/data_attributes", json=body)).json()
    assert made["full_name"] == "custom_attributes.moment_v2"
    assert error(await shop.http.post("/data_attributes", json=body))[:2] == (400, "parameter_invalid")
    await shop.http.put(f"/data_attributes/{made['id']}", json={"archived": True})
    listed = (await shop.http.get("/data_attributes?model=contact")).json()["data"]
    everything = (await shop.http.get("/data_attributes?model=contact&include_archived=true")).json()["data"]
    assert "moment_v2" not in {entry["name"] for entry in listed}
    assert "moment_v2" in {entry["name"] for entry in everything}
    assert error(await shop.http.put("/data_attributes/999", json={"archived": True}))[:2] == (404, "field_not_found")
    await shop.http.post("/data_attributes", json=body | {"name": "size_v2", "model": "company"})
    for query, names in (("", {"email", "size_v2"}), ("?model=company", {"size_v2"}), ("?model=contact", {"email"})):
        listed = (await shop.http.get(f"/data_attributes{query}")).json()["data"]
        assert {entry["name"] for entry in listed} & {"email", "size_v2"} == names


async def test_open_conversations_of_a_contact_are_found(shop: Shop) -> None:
    made = await shop.made(external_id="42")
    shop.workspace.converse("c-1", made, "open")
    shop.workspace.converse("c-2", made, "closed")
    by_contact = {"field": "contact_ids", "operator": "=", "value": made}
    is_open = {"field": "open", "operator": "=", "value": True}
    body = {"query": {"operator": "AND", "value": [by_contact, is_open]}, "pagination": {"per_page": 1}}
    answer = (await shop.http.post("/conversations/search", json=body)).json()
    assert [entry["id"] for entry in answer["conversations"]] == ["c-1"]


async def test_a_search_for_what_is_after_an_instant_begins_with_the_next_day(shop: Shop) -> None:
    made = await shop.made(external_id="42")
    shop.workspace.converse("c-1", made, "closed")
    shop.workspace.converse("c-2", made, "open")
    closed_s = START_MS // 1000
    found = {}
    for hours in (-24, -1, 1):
        filters = [{"field": "statistics.last_close_at", "operator": ">", "value": closed_s + hours * 3600}]
        body = {"query": {"operator": "AND", "value": filters}}
        answer = (await shop.http.post("/conversations/search", json=body)).json()
        found[hours] = [entry["id"] for entry in answer["conversations"]]
    assert found == {-24: ["c-1"], -1: [], 1: []}


async def test_planned_faults_are_answered_without_doing_anything(api: OpenAPI) -> None:
    shop = Shop(
        api, faults=lambda number, method, path: 503 if (number, method, path) == (1, "POST", "/contacts") else None
    )
    assert error(await shop.http.post("/contacts", json={"external_id": "42"}))[:2] == (503, "service_unavailable")
    assert shop.workspace.contacts == {}
    await shop.made(external_id="42")
    await shop.http.aclose()


async def test_a_body_that_is_no_object_and_a_path_that_is_none_get_error_lists() -> None:
    workspace = Workspace(now_ms=lambda: START_MS, search_lag_ms=0)
    transport = httpx.ASGITransport(app=intercom_app(workspace))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=HEADERS) as http:
        assert error(await http.post("/contacts", content=b"[1]"))[:2] == (400, "bad_request")
        assert error(await http.get("/nowhere"))[:2] == (404, "not_found")


async def test_served_over_a_socket_it_shows_everything_that_was_written_beside_intercoms_paths() -> None:
    workspace = Workspace(now_ms=lambda: START_MS, search_lag_ms=0, attributes=manifest(()))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(intercom_app(workspace), log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=base_url, headers=HEADERS, trust_env=False) as http:
        await http.post("/contacts", json={"external_id": "42", "custom_attributes": {"lifetime_orders": 1}})
        await http.post("/events", json={**EVENT, "user_id": "42"})
        [seen] = (await http.get("/_rehearsal/contacts", headers={"Authorization": ""})).json()
    server.should_exit = True
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()
    assert (seen["external_id"], seen["writes"], seen["custom_attributes"]) == ("42", 1, {"lifetime_orders": 1})
    assert [event["name"] for event in seen["events"]] == ["cart_abandoned"]
