"""A stateful Intercom over HTTP for demo, personas and tests: an ASGI app around one Workspace.

It answers as the vendor is known to: rate headers on every authenticated answer, errors as `error.list`, 202 without a
body, the read-your-writes cookie. `/_rehearsal/contacts` is not Intercom's: it shows everything that was written.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.fields import Field
from rehearsal.intercom_workspace import Json, Rejection, Workspace

API_VERSION = "2.16"
WINDOW_SECONDS = 10  # Intercom counts in windows of this length
RESET_OVERSHOOT_SECONDS = 2  # the reset header was always later than the refill by this much
REQUESTS_PER_WINDOW = 1667  # 10 000 a minute, the default of a private app
SEARCH_LAG_MS = 120_000  # recorded searches were right after two minutes
PRIVATE = "/_rehearsal/"

Faults = Callable[[int, str, str], int | None]
"""(number of the request from 1, method, path) -> the status to answer instead of doing anything, or None."""


def intercom_app(
    workspace: Workspace,
    *,
    token: str | None = None,
    requests_per_window: int = REQUESTS_PER_WINDOW,
    faults: Faults | None = None,
) -> Starlette:
    """token: the one bearer token that is accepted, any where None."""
    routes = [
        Route("/contacts", _create, methods=["POST"]),
        Route("/contacts/search", _search, methods=["POST"]),
        Route("/contacts/merge", _merge, methods=["POST"]),
        Route("/contacts/find_by_external_id/{external_id:path}", _find, methods=["GET"]),
        Route("/contacts/{contact_id}", _contact, methods=["GET", "PUT", "DELETE"]),
        Route("/contacts/{contact_id}/{verb:str}", _archive, methods=["POST"]),
        Route("/data_attributes", _attributes, methods=["GET", "POST"]),
        Route("/data_attributes/{attribute_id:int}", _attribute, methods=["PUT"]),
        Route("/events", _event, methods=["POST"]),
        Route("/conversations/search", _conversations, methods=["POST"]),
        Route(PRIVATE + "contacts", _snapshot, methods=["GET"]),
    ]
    gate = Middleware(_Gate, workspace=workspace, token=token, requests_per_window=requests_per_window, faults=faults)
    app = Starlette(routes=routes, middleware=[gate])
    app.state.workspace = workspace
    app.add_exception_handler(Rejection, _rejected)
    app.add_exception_handler(404, _no_such_path)
    return app


class _Gate:
    """Token, version, rate and planned faults before any path; request id and rate headers after it."""

    def __init__(
        self, app: ASGIApp, *, workspace: Workspace, token: str | None, requests_per_window: int, faults: Faults | None
    ) -> None:
        self.app = app
        self._workspace = workspace
        self._token = token
        self._limit = requests_per_window
        self._faults = faults
        self._window, self._used, self._number = -1, 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(PRIVATE):
            await self.app(scope, receive, send)
            return
        self._number += 1
        request = Request(scope)
        date = formatdate(self._workspace.now_ms() / 1000, usegmt=True)
        own = {"date": date, "x-request-id": f"{self._number:020x}", "intercom-version": API_VERSION}
        refusal = self._credentials(request)
        if refusal is None:
            own |= self._count()
            refusal = self._limits(request, own)
        if refusal is not None:
            self._log(request, refusal.status)
            answer = _error(refusal, own["x-request-id"])
            answer.headers.update(own)
            await answer(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = int(message["status"])
                self._log(request, status)
                headers = message["headers"]
                headers += [(name.encode(), value.encode()) for name, value in own.items()]
                if request.method in ("POST", "PUT", "DELETE") and status < 300:
                    headers.append((b"set-cookie", b"recent_write=true; path=/; max-age=1"))
            await send(message)

        scope.setdefault("state", {})["request_id"] = own["x-request-id"]
        await self.app(scope, receive, send_on)

    def _credentials(self, request: Request) -> Rejection | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or not token or self._token not in (None, token):
            return Rejection(401, "unauthorized", "Access Token Invalid")
        return None

    def _count(self) -> dict[str, str]:
        window = self._workspace.now_ms() // 1000 // WINDOW_SECONDS
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        reset_s = (window + 1) * WINDOW_SECONDS + RESET_OVERSHOOT_SECONDS
        left = max(0, self._limit - self._used)
        return {
            "x-ratelimit-limit": str(self._limit),
            "x-ratelimit-remaining": str(left),
            "x-ratelimit-reset": str(reset_s),
        }

    def _limits(self, request: Request, own: dict[str, str]) -> Rejection | None:
        if self._used > self._limit:
            return Rejection(429, "rate_limit_exceeded", f"Exceeded rate limit of {self._limit} in 10_seconds")
        if request.headers.get("intercom-version", API_VERSION) != API_VERSION:
            return Rejection(400, "intercom_version_invalid", "The requested version is not known here")
        status = self._faults(self._number, request.method, request.url.path) if self._faults else None
        return (
            None if status is None else Rejection(status, _FAULT_CODES.get(status, "server_error"), "a planned fault")
        )

    def _log(self, request: Request, status: int) -> None:
        self._workspace.requests.append((request.method, request.url.path, status))


_FAULT_CODES = {429: "rate_limit_exceeded", 503: "service_unavailable", 504: "request_timeout"}


def _error(rejection: Rejection, request_id: str) -> JSONResponse:
    errors = [{"code": rejection.code, "message": rejection.message}]
    body = {"type": "error.list", "request_id": request_id, "errors": errors}
    return JSONResponse(body, rejection.status, rejection.headers)


async def _rejected(request: Request, error: Exception) -> Response:
    assert isinstance(error, Rejection)
    return _error(error, request.state.request_id)


async def _no_such_path(request: Request, error: Exception) -> Response:
    return _error(Rejection(404, "not_found", "Resource Not Found"), getattr(request.state, "request_id", "0"))


async def _body(request: Request) -> Json:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Rejection(400, "bad_request", "the body is no JSON object")
    return body


def _workspace(request: Request) -> Workspace:
    workspace = request.app.state.workspace
    assert isinstance(workspace, Workspace)
    return workspace


async def _create(request: Request) -> Response:
    return JSONResponse(_workspace(request).create(await _body(request)))


async def _search(request: Request) -> Response:
    return JSONResponse(_workspace(request).search(await _body(request)))


async def _merge(request: Request) -> Response:
    body = await _body(request)
    return JSONResponse(_workspace(request).merge(str(body.get("from")), str(body.get("into"))))


async def _find(request: Request) -> Response:
    return JSONResponse(_workspace(request).find(request.path_params["external_id"]))


async def _contact(request: Request) -> Response:
    workspace, contact_id = _workspace(request), request.path_params["contact_id"]
    match request.method:
        case "PUT":
            return JSONResponse(workspace.update(contact_id, await _body(request)))
        case "DELETE":
            return JSONResponse(workspace.delete(contact_id))
        case _:
            return JSONResponse(workspace.get(contact_id))


async def _archive(request: Request) -> Response:
    verb = request.path_params["verb"]
    if verb not in ("archive", "unarchive"):
        raise Rejection(404, "not_found", "Resource Not Found")
    return JSONResponse(_workspace(request).archive(request.path_params["contact_id"], archived=verb == "archive"))


async def _attributes(request: Request) -> Response:
    workspace = _workspace(request)
    if request.method == "POST":
        return JSONResponse(workspace.create_attribute(await _body(request)))
    include_archived = request.query_params.get("include_archived") == "true"
    model = request.query_params.get("model")
    return JSONResponse(workspace.list_attributes(include_archived=include_archived, model=model))


async def _attribute(request: Request) -> Response:
    body = await _body(request)
    return JSONResponse(_workspace(request).update_attribute(request.path_params["attribute_id"], body))


async def _event(request: Request) -> Response:
    _workspace(request).record_event(await _body(request))
    return Response(status_code=202)


async def _conversations(request: Request) -> Response:
    return JSONResponse(_workspace(request).search_conversations(await _body(request)))


async def _snapshot(request: Request) -> Response:
    return JSONResponse(_workspace(request).snapshot())


async def serve(app: Starlette, *, host: str, port: int) -> None:
    """Serves until cancelled or told to stop by a signal."""
    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, date_header=False, server_header=False
    )  # the app dates its answers itself
    server = uvicorn.Server(config)
    await server.serve()


def run(
    host: str,
    port: int,
    manifest: Iterable[Field],
    *,
    search_lag_ms: int = SEARCH_LAG_MS,
    requests_per_window: int = REQUESTS_PER_WINDOW,
) -> None:
    """A workspace with the manifest's attributes, served in this process on the wall clock until it is told to stop."""

    workspace = Workspace(now_ms=_wall_ms, search_lag_ms=search_lag_ms, attributes=manifest)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(intercom_app(workspace, requests_per_window=requests_per_window), host=host, port=port))


def _wall_ms() -> int:
    return int(time.time() * 1000)
