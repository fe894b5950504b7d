"""A transport that holds every request and answer against Intercom's official API description."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

HOST = "https://api.intercom.io"
DESCRIPTION = Path(__file__).parents[3] / "shared/reference/intercom-openapi-2.16.yaml"
PATHS = ("/contacts", "/data_attributes", "/events", "/conversations/search")
# Errors that Intercom gives and its description does not list; their bodies still have to be its error list.
UNLISTED = (400, 401, 404, 409, 410, 422, 429, 500, 502, 503, 504)


class Request:
    """What openapi-core wants to see of a request."""

    content_type = "application/json"

    def __init__(self, request: httpx.Request) -> None:
        self.host_url = HOST
        self.path = request.url.raw_path.decode().partition("?")[0]  # as it was sent: an escaped slash parts nothing
        self.method = request.method.lower()
        self.body = request.content
        self.content_type = request.headers.get("content-type", "")
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(list(request.url.params.multi_items())),
            header=Headers(list(request.headers.multi_items())),
            cookie=ImmutableMultiDict([]),
        )


class Response:
    """What openapi-core wants to see of an answer."""

    def __init__(self, answer: httpx.Response, body: bytes) -> None:
        self.data = body
        self.status_code = answer.status_code
        self.content_type = answer.headers.get("content-type", "")
        self.headers = Headers(list(answer.headers.multi_items()))


def load() -> OpenAPI:
    """The description, whole but for the paths that we never call; about a second."""
    described: dict[str, Any] = yaml.load(DESCRIPTION.read_bytes(), yaml.CSafeLoader)  # the file is ours to trust
    described["paths"] = {path: item for path, item in described["paths"].items() if path.startswith(PATHS)}
    loosen_what_is_known_to_be_wrong(described)
    return OpenAPI.from_dict(described, config=Config(spec_validator_cls=None))


def loosen_what_is_known_to_be_wrong(described: dict[str, Any]) -> None:
    """Request ids are no UUIDs in recorded traffic; metadata values may be money and numbers, as its own text says."""
    schemas = described["components"]["schemas"]
    del schemas["error"]["properties"]["request_id"]["format"]
    schemas["create_data_event_request"]["properties"]["metadata"]["additionalProperties"] = {
        "anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "object"}]
    }
    for name in ("create_contact_request", "update_contact_request"):
        schemas[name]["additionalProperties"] = False  # a misspelt field would pass otherwise
    error_list = {"description": "an error", "content": {"application/json": {"schema": schemas["error"]}}}
    operations = (operation for item in described["paths"].values() for operation in item.values())
    for operation in operations:
        if isinstance(operation, dict) and "responses" in operation:
            for status in UNLISTED:
                operation["responses"].setdefault(str(status), error_list)


class Validated(httpx.AsyncBaseTransport):
    """Raises what openapi-core raises, where a request or an answer is not as described. checked: how many passed."""

    def __init__(self, inner: httpx.AsyncBaseTransport, api: OpenAPI) -> None:
        self._inner = inner
        self._api = api
        self.checked = 0
        self.seen: Callable[[bytes], object] | None = None  # takes the body of every write
        self.before: Callable[[httpx.Request], object] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        seen = Request(request)
        if self.seen is not None and request.method in ("POST", "PUT"):
            self.seen(request.content)
        if self.before is not None:
            self.before(request)
        self._api.validate_request(seen)
        answer = await self._inner.handle_async_request(request)
        body = await answer.aread()
        self._check_answer(seen, answer, body)
        self.checked += 1
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _check_answer(self, seen: Request, answer: httpx.Response, body: bytes) -> None:
        if answer.status_code == 202:
            assert body == b"", "an accepted event has no body"
            assert "content-type" not in answer.headers
        self._api.validate_response(seen, Response(answer, body))
