"""The rehearsal Intercom over HTTP in a thread, with a record of every write in order."""

import asyncio
import threading
import time
from typing import Any, NamedTuple

import uvicorn

from contracts.fields import manifest
from contracts.policy import Policy
from rehearsal.demo_parts import free_port
from rehearsal.intercom import intercom_app
from rehearsal.intercom_workspace import Contact, Json, Workspace

UP_SECONDS_MAX = 20.0


class Write(NamedTuple):
    """What a contact showed after a write, at an instant of the wall."""

    person: str
    at_ms: int
    shown: dict[str, Any]


class _Recording(Workspace):
    """writes: every one that was taken, oldest first."""

    writes: list[Write]

    def _apply(self, contact: Contact, body: Json) -> Json:
        answer = super()._apply(contact, body)
        self.writes.append(Write(f"id:{contact.external_id}", self.now_ms(), dict(contact.custom)))
        return answer


class Showing:
    """Use as `with Showing(policy) as intercom`."""

    def __init__(self, policy: Policy) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        attributes = manifest(tuple(policy.audiences))
        self._workspace = _Recording(now_ms=_wall_ms, search_lag_ms=0, attributes=attributes)
        self._workspace.writes = []
        app = intercom_app(self._workspace, requests_per_window=1_000_000)
        config = uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="critical", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()), daemon=True)

    def __enter__(self) -> "Showing":
        self._thread.start()
        deadline = time.monotonic() + UP_SECONDS_MAX
        while not self._server.started:
            assert time.monotonic() < deadline, "the rehearsal Intercom did not start"
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(UP_SECONDS_MAX)

    @property
    def writes(self) -> list[Write]:
        return list(self._workspace.writes)

    def contacts(self) -> dict[str, Contact]:
        """By person's key, those that are there."""
        held = list(self._workspace.contacts.values())
        return {f"id:{contact.external_id}": contact for contact in held if contact.live}


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
