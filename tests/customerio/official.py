"""A transport that holds every request and answer against Customer.io's own description of Data Pipelines."""

import json
from pathlib import Path
from typing import Any

import httpx
from openapi_core import Config, OpenAPI

from tests.intercom.official import Request, Response

HOST = "https://cdp.customer.io"
DESCRIPTION = Path(__file__).parents[3] / "shared/reference/customerio-samples/openapi-pipelines-api.json"
PATHS = ("/batch", "/identify", "/track")


class Described(Request):
    def __init__(self, request: httpx.Request) -> None:
        super().__init__(request)
        self.host_url = HOST


def load() -> OpenAPI:
    """The paths that a sender of ours could call; the answers that the description lists without using them are added."""
    described: dict[str, Any] = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    described["paths"] = {path: item for path, item in described["paths"].items() if path in PATHS}
    loosen_what_is_known_to_be_wrong(described)
    for item in described["paths"].values():
        for status in ("400", "401", "429"):
            item["post"]["responses"].setdefault(status, {"$ref": f"#/components/responses/{status}"})
    return OpenAPI.from_dict(described, config=Config(spec_validator_cls=None))


def loosen_what_is_known_to_be_wrong(described: dict[str, Any]) -> None:
    """In a batch, a track call with a userId fits both of two forms of which just one may fit: the anonymous one forgets
    to ask for an anonymousId, which the call of its own asks for."""
    forms = described["components"]["schemas"]["batch"]["properties"]["batch"]["items"]["anyOf"]
    [track] = [form for form in forms if form["title"] == "Track"]
    [anonymous] = [form for form in track["oneOf"] if form["title"] == "Anonymous User"]
    anonymous["allOf"][0]["required"].append("anonymousId")


class Validated(httpx.AsyncBaseTransport):
    """Raises what openapi-core raises, where a request or an answer is not as described. checked: how many passed."""

    def __init__(self, inner: httpx.AsyncBaseTransport, api: OpenAPI) -> None:
        self._inner = inner
        self._api = api
        self.checked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        seen = Described(request)
        self._api.validate_request(seen)
        answer = await self._inner.handle_async_request(request)
        self._api.validate_response(seen, Response(answer, await answer.aread()))
        self.checked += 1
        return answer
