"""Prism as a second opinion: what the adapter sends and the rehearsal answers is as described, by another validator.

The tests of the adapter are run again as they are; the fixtures of this directory put Prism in between.
"""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.intercom.test_adapter import *  # noqa: F403  # the same tests, through Prism
from tests.intercom.test_last_moment import *  # noqa: F403  # the same tests, through Prism
from tests.prism.proxy import Objection, Through, Upstream

del test_values_are_sent_in_the_types_of_the_manifest  # noqa: F821  # Prism writes 180.0 as 180

HEADERS = {"Authorization": "Bearer secret", "Intercom-Version": "2.16"}
BASE_URL = "https://api.intercom.io"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/contacts", {"email": 5}), ("/contacts", {"emial": "a@example.com", "role": "user"}),
        ("/contacts", {"role": "user", "custom_attributes": {"nested": {"a": 1}}}),
        ("/events", {"event_name": "x", "created_at": "now", "id": "1"}),
        ("/contacts/search", {"query": {"field": "email", "value": "a@example.com"}}),
    ],
)  # fmt: skip
async def test_prism_objects_to_a_request_that_is_not_as_described(
    address: str, upstream: Upstream, path: str, body: dict[str, object]
) -> None:
    upstream.app = Starlette(routes=[])
    async with httpx.AsyncClient(transport=Through(address), base_url=BASE_URL, headers=HEADERS) as http:
        with pytest.raises(Objection):
            await http.post(path, json=body)


async def test_prism_objects_to_an_answer_that_is_not_as_described(address: str, upstream: Upstream) -> None:
    async def numbers_for_ids(request: Request) -> JSONResponse:
        return JSONResponse({"type": "contact", "id": 7})

    upstream.app = Starlette(routes=[Route("/contacts/{name}", numbers_for_ids)])
    async with httpx.AsyncClient(transport=Through(address), base_url=BASE_URL, headers=HEADERS) as http:
        with pytest.raises(Objection):
            await http.get("/contacts/7")
