"""A transport that loses things on the way, between a real client and a real (or rehearsed) server.

Each fault says whether the server saw the request, so that a test knows what was done behind a failed call.
"""

from collections.abc import Callable
from typing import Literal

import httpx

Fault = Literal["refused_connection", "lost_request", "lost_answer", "reset", "half_answer", "busy", "broken"]
NOT_ARRIVED: tuple[Fault, ...] = ("refused_connection", "lost_request", "busy", "broken")
ARRIVED: tuple[Fault, ...] = ("lost_answer", "reset", "half_answer")
Plan = Callable[[httpx.Request], Fault | None]


class Faulty(httpx.AsyncBaseTransport):
    """plan: asked before each request; None lets it pass. served: every fault that happened, in order."""

    def __init__(self, inner: httpx.AsyncBaseTransport, plan: Plan) -> None:
        self._inner = inner
        self._plan = plan
        self.served: list[Fault] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fault = self._plan(request)
        if fault is None:
            return await self._inner.handle_async_request(request)
        self.served.append(fault)
        match fault:
            case "refused_connection":
                raise httpx.ConnectError("connection refused", request=request)
            case "lost_request":
                raise httpx.ReadTimeout("nothing came back", request=request)
            case "busy":
                return _error(429, "rate_limit_exceeded", request)
            case "broken":
                return _error(500, "server_error", request)
            case "lost_answer" | "reset" | "half_answer":
                answer = await self._inner.handle_async_request(request)
                body = await answer.aread()
                if fault == "lost_answer":
                    raise httpx.ReadTimeout("nothing came back", request=request)
                if fault == "reset":
                    raise httpx.ReadError("connection reset", request=request)
                return httpx.Response(answer.status_code, content=body[: len(body) // 2] or b"{", request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _error(status: int, code: str, request: httpx.Request) -> httpx.Response:
    body = {"type": "error.list", "request_id": None, "errors": [{"code": code, "message": "a planned fault"}]}
    return httpx.Response(status, json=body, request=request)


def planned(faults: list[Fault | None]) -> Plan:
    """The faults one after the other, then none."""
    left = list(faults)
    return lambda _: left.pop(0) if left else None
