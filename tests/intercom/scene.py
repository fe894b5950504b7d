"""A rehearsed Intercom with a clock that is moved by hand, and the real adapter in front of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import httpx
from openapi_core import OpenAPI
from starlette.types import ASGIApp

from agents.intercom import Intercom
from contracts.commands import Command, ContactEvent
from contracts.fields import manifest
from contracts.signals import Scalar
from rehearsal.intercom import intercom_app
from rehearsal.intercom_faults import Fault, Faulty
from rehearsal.intercom_workspace import Contact, Workspace
from tests.intercom.official import Validated

START_MS = 1_772_442_000_000  # 2026-03-02T09:00:00Z
LAG_MS = 120_000
FLAG = "cio_segment_high_aov_abandoner"
EXPIRES_S = START_MS // 1000 + 10 * 3600


class HandClock:
    def __init__(self) -> None:
        self.at_ms = START_MS

    def now_ms(self) -> int:
        return self.at_ms

    def pass_seconds(self, seconds: float) -> None:
        self.at_ms += int(seconds * 1000)

    async def sleep(self, seconds: float) -> None:
        """Time passes only when somebody would wait for it."""
        self.pass_seconds(seconds)


class Scene:
    through: Callable[[ASGIApp], httpx.AsyncBaseTransport] = staticmethod(lambda app: httpx.ASGITransport(app=app))
    """How the server is reached; what stands in between may be put here."""

    def __init__(self, api: OpenAPI, *, requests_per_window: int = 1667) -> None:
        self.clock = HandClock()
        self.manifest = manifest(("high_aov_abandoner", "at_risk_repeat"))
        self.workspace = Workspace(now_ms=self.clock.now_ms, search_lag_ms=LAG_MS)
        app = intercom_app(self.workspace, token="secret", requests_per_window=requests_per_window)
        self.faults: list[Fault | None] = []
        self.validated = Validated(Scene.through(app), api)
        self.faulty = Faulty(self.validated, lambda _: self.faults.pop(0) if self.faults else None)
        self.intercom = Intercom(
            base_url="https://api.intercom.io", token="secret", now_ms=self.clock.now_ms, transport=self.faulty
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.intercom.close()

    @asynccontextmanager
    async def beside(self, transport: httpx.AsyncBaseTransport, *, token: str = "secret") -> AsyncIterator[Intercom]:
        """Another adapter under the same clock, which reaches Intercom in its own way."""
        intercom = Intercom(
            base_url="https://api.intercom.io", token=token, now_ms=self.clock.now_ms, transport=transport
        )
        yield intercom
        await intercom.close()

    def contact(self, external_id: str = "42") -> Contact:
        found = self.workspace.by_external_id(external_id)
        assert found is not None
        return found

    def calls(self) -> list[tuple[str, str, int]]:
        """What was asked since the attributes were registered, and how it was answered."""
        return [call for call in self.workspace.requests if not call[1].startswith("/data_attributes")]

    def writes(self) -> list[tuple[str, str, int]]:
        return [call for call in self.calls() if call[0] in ("PUT", "POST") and not call[1].endswith("/search")]


def shown(**changes: Scalar) -> dict[str, Scalar]:
    """Attributes of a person in the moment of an abandoned cart."""
    attributes: dict[str, Scalar] = {
        FLAG: True,
        "cio_segment_at_risk_repeat": False,
        "cio_moment": "high_aov_abandoner",
        "cio_moment_reason": "Left a cart of 180.00",
        "cio_moment_expires_at": EXPIRES_S,
        "last_cart_value": 180.0,
        "lifetime_orders": 1,
        "returns_page_visited": False,
    }
    return attributes | changes


def calm(**changes: Scalar) -> dict[str, Scalar]:
    nothing = {FLAG: False, "cio_moment": None, "cio_moment_reason": None, "cio_moment_expires_at": None}
    return shown(last_cart_value=0.0, **nothing) | changes


def activation(revision: int = 1, person: str = "id:42", **changes: object) -> Command:
    event = ContactEvent(
        "cart_abandoned_high_aov",
        START_MS // 1000 - 7200,
        {"tier": "vip", "value": {"amount": 18000, "currency": "usd"}},
    )
    values: dict[str, object] = {
        "person": person, "revision": revision, "attributes": shown(), "decided_ms": START_MS,
        "external_id": person.removeprefix("id:"), "email": f"{person.removeprefix('id:')}@example.com", "create": True,
        "activates": True, "episode": "high_aov_abandoner@2026-03-02T07:00:00.000Z", "expires_ms": EXPIRES_S * 1000,
        "event": event,
    }  # fmt: skip
    return Command(**(values | changes))  # type: ignore[arg-type]  # the tests name what they change


def withdrawal(revision: int = 2, person: str = "id:42", **changes: object) -> Command:
    quiet = {
        "attributes": calm(),
        "create": False,
        "activates": False,
        "episode": None,
        "expires_ms": None,
        "event": None,
    }
    return activation(revision, person, **(quiet | changes))
