"""A Customer.io that takes Data Pipelines batches over HTTP: people with their attributes, and events, each message id once.

Strict as `X-Strict-Mode: 1` makes it; without that header it answers 200 to anything and loses what is wrong, as the vendor
does. Whether the good calls of a refused batch are taken is not known: with `whole` none of them is.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

BATCH_BYTES_MAX = 500_000
CALL_BYTES_MAX = 32_000
VALUE_BYTES_MAX = 1000  # of one attribute
Faults = Callable[[int], int | None]
"""Number of the request, from 1 -> the status to answer instead of taking anything, or None."""
KEYS = {
    "track": {"type", "userId", "messageId", "event", "timestamp", "properties"},
    "identify": {"type", "userId", "messageId", "traits", "timestamp"},
}


@dataclass
class Journeys:
    """What arrived, by userId. repeats: ids that came again; lost: calls that were wrong and not told so."""

    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)  # message ids as they were taken
    repeats: int = 0
    lost: int = 0
    answers: list[int] = field(default_factory=list)

    def take(self, call: dict[str, Any]) -> None:
        if call["messageId"] in self.order:
            self.repeats += 1
            return
        self.order.append(call["messageId"])
        if call["type"] == "identify":
            self.attributes.setdefault(call["userId"], {}).update(call["traits"])
        else:
            self.events.setdefault(call["userId"], []).append(call)


def customerio_app(
    journeys: Journeys, *, write_key: str, faults: Faults = lambda _: None, whole: bool = False
) -> Starlette:
    """One Data Pipelines source at `/v1/batch`."""
    wanted = "Basic " + base64.b64encode(f"{write_key}:".encode()).decode()

    async def batch(request: Request) -> Response:
        body = await request.body()
        if request.headers.get("authorization") != wanted:
            answer = _refused(401, ["unauthorized"])
        elif (status := faults(len(journeys.answers) + 1)) is not None:
            answer = _refused(status, ["a planned fault"])
        else:
            answer = _taken(journeys, body, strict=request.headers.get("x-strict-mode") == "1", whole=whole)
        journeys.answers.append(answer.status_code)
        return answer

    return Starlette(routes=[Route("/v1/batch", batch, methods=["POST"])])


def _taken(journeys: Journeys, body: bytes, *, strict: bool, whole: bool) -> JSONResponse:
    errors: list[str] = []
    if len(body) > BATCH_BYTES_MAX:
        errors.append("the batch is too large")
        calls: list[Any] = []
    else:
        calls = msgspec.json.decode(body)["batch"]
    good = []
    for number, call in enumerate(calls):
        wrong = _wrong(call)
        if wrong is None:
            good.append(call)
        else:
            errors.append(f"call {number}: {wrong}")
    for call in () if errors and strict and whole else good:
        journeys.take(call)
    if errors and strict:
        return _refused(400, errors)
    journeys.lost += len(errors)
    return JSONResponse({})


def _refused(status: int, errors: list[str]) -> JSONResponse:
    return JSONResponse({"meta": {"errors": errors}}, status)


def _wrong(call: dict[str, Any]) -> str | None:
    """What is wrong with a call, None where nothing is."""
    kind = call.get("type")
    if kind not in KEYS or call.keys() - KEYS[kind]:
        return "an unknown type or field"
    if len(msgspec.json.encode(call)) > CALL_BYTES_MAX:
        return "too large"
    if not all(isinstance(call.get(name), str) and call[name].strip() for name in ("userId", "messageId")):
        return "no userId or messageId"
    values = call.get("traits" if kind == "identify" else "properties")
    if not isinstance(values, dict) or any(isinstance(value, dict | list) for value in values.values()):
        return "attributes are no flat object"
    if any(isinstance(value, str) and len(value.encode()) > VALUE_BYTES_MAX for value in values.values()):
        return "a value is too long"
    if kind == "track" and not call.get("event"):
        return "no event"
    return None if "timestamp" not in call or _is_instant(call["timestamp"]) else "timestamp is no instant"


def _is_instant(value: object) -> bool:
    try:
        return datetime.fromisoformat(str(value)).tzinfo is not None
    except ValueError:
        return False
