"""Takes the webhooks of Customer.io and Intercom and answers 200 once Kafka has them, as they came.

A payload is never judged here: a refusal would make Customer.io hold back everything behind it. Only a wrong signature is
refused (401), and what Kafka did not take within a second (503: the sender repeats it). A body that one record cannot hold is
split where it is a batch of calls, and else kept in numbered parts in quarantine, whole.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import structlog
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from agents import signature
from agents.clock import Clock
from agents.log_writer import LogUnavailable, LogWriter
from agents.measures import QUARANTINED, RECEIVE_SECONDS, RECEIVED
from agents.probes import Ask, Told, routes
from agents.settings import Settings
from contracts import large_batch, quarantined
from contracts.received import frame
from contracts.topics import QUARANTINE, SOURCE_CUSTOMERIO, SOURCE_INTERCOM

BODY_BYTES_MAX = 16 * 1024 * 1024  # thirty times Customer.io's largest batch; beyond it nobody means us
ONE_RECORD_BYTES_MAX = 1_000_000  # fits with our frame and Kafka's own into Kafka's default of 1,048,588

log = structlog.get_logger(__name__)

Check = Callable[[bytes, Mapping[str, str]], bool]


class Door(NamedTuple):
    """One address: where its bodies go, under which source name, and who may pass."""

    path: str
    topic: str
    source: str
    check: Check


def doors(settings: Settings) -> list[Door]:
    """The addresses for which a secret is set, or that the settings open; others do not exist."""
    found = []
    reports = _plain(settings.customerio_webhook_secrets)
    calls = _plain(settings.customerio_pipelines_secrets)
    notifications = _plain(settings.intercom_client_secrets)
    if reports:
        found.append(Door("/customerio/webhook", SOURCE_CUSTOMERIO.name, "customerio_webhook", _report_check(reports)))
    if calls or settings.customerio_pipelines_open:
        check = _calls_check(calls) if calls else _anybody
        found.append(Door("/customerio/pipelines", SOURCE_CUSTOMERIO.name, "customerio_pipelines", check))
    if notifications:
        check = _notification_check(notifications)
        found.append(Door("/intercom/webhook", SOURCE_INTERCOM.name, "intercom_webhook", check))
    return found


def receiver_app(*, doors: list[Door], writer: LogWriter, clock: Clock) -> Starlette:
    """POST to each door; HEAD to it answers 200 (Intercom probes so); GET /live and /ready."""

    found = routes(live=live, ready=reaching(writer))
    for door in doors:
        found.append(Route(door.path, _endpoint(door, writer, clock), methods=["POST", "HEAD"]))
    return Starlette(routes=found)


async def live() -> Told:
    """Whoever hears this has been answered."""
    return Told(True, "receiving")


def reaching(writer: LogWriter) -> Ask:
    """Ready while the log can be reached."""

    async def ready() -> Told:
        if await writer.reachable():
            return Told(True, "receiving; the log can be reached")
        return Told(False, "the log cannot be reached; every webhook is answered 503 and will be sent again")

    return ready


def _endpoint(door: Door, writer: LogWriter, clock: Clock) -> Callable[[Request], object]:
    async def receive(request: Request) -> Response:
        if request.method == "HEAD":
            return Response()
        with RECEIVE_SECONDS.labels(door.source).time():
            response = await _receive(door, writer, clock, request)
        RECEIVED.labels(door.source, str(response.status_code)).inc()
        return response

    return receive


async def _receive(door: Door, writer: LogWriter, clock: Clock, request: Request) -> Response:
    try:
        body = await _body(request)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    if body is None:
        return PlainTextResponse(f"a body has at most {BODY_BYTES_MAX} bytes", 413)
    if not door.check(body, request.headers):
        log.warning("wrong_signature", door=door.source)
        return PlainTextResponse("the signature does not fit the body and any secret of this address", 401)
    try:
        for topic, value in records_of(body, door=door, accepted_ms=clock.now_ms()):
            await writer.put(topic, value)
    except LogUnavailable as error:
        log.warning("log_unavailable", door=door.source, error=str(error))
        return _unavailable()
    return PlainTextResponse("ok")


def records_of(body: bytes, *, door: Door, accepted_ms: int) -> list[tuple[str, bytes]]:
    """(topic, value) of the records that hold a body between them."""
    bodies: list[bytes] | None = [body]
    if len(body) > ONE_RECORD_BYTES_MAX:
        bodies = large_batch.split(body, bytes_max=ONE_RECORD_BYTES_MAX)
    if bodies is None:
        place = f"{door.source}/{hashlib.sha256(body).hexdigest()[:32]}"
        QUARANTINED.labels("receive", "too_large").inc()
        parts = quarantined.in_parts(stage="receive", reason="too_large", source=place, value=body)
        return [(QUARANTINE.name, quarantined.encode(part)) for part in parts]
    return [(door.topic, frame(one, accepted_ms=accepted_ms, source=door.source)) for one in bodies]


async def _body(request: Request) -> bytes | None:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _unavailable() -> Response:
    return PlainTextResponse("the log cannot be reached; try again", 503, headers={"Retry-After": "1"})


def _plain(secrets: tuple[SecretStr, ...]) -> list[bytes]:
    return [secret.get_secret_value().encode() for secret in secrets]


def _report_check(secrets: list[bytes]) -> Check:
    return lambda body, headers: signature.customerio_report(
        body,
        timestamp=headers.get("x-cio-timestamp", ""),
        signature=headers.get("x-cio-signature", ""),
        secrets=secrets,
    )


def _calls_check(secrets: list[bytes]) -> Check:
    return lambda body, headers: signature.pipelines_webhook(
        body, signature=headers.get("x-signature", ""), secrets=secrets
    )


def _notification_check(secrets: list[bytes]) -> Check:
    return lambda body, headers: signature.intercom_notification(
        body, signature=headers.get("x-hub-signature", ""), secrets=secrets
    )


def _anybody(body: bytes, headers: Mapping[str, str]) -> bool:
    return True
