"""The mirror: a rehearsal Intercom for one persona, written by the real adapter, without a network and without delay."""

from types import TracebackType

import httpx

from agents.intercom import Failure, Intercom, Known
from contracts.commands import Command
from contracts.fields import manifest
from contracts.policy import Policy
from contracts.signals import Scalar
from rehearsal.intercom import intercom_app
from rehearsal.intercom_workspace import Contact, Workspace

BASE_URL = "http://intercom.rehearsal"


class Mirror:
    """Use as `async with Mirror(policy, start_ms) as mirror`. failures: why a command could not be shown."""

    def __init__(self, policy: Policy, start_ms: int) -> None:
        self.failures: list[str] = []
        self._manifest = manifest(tuple(policy.audiences))
        self._now_ms = start_ms
        self._known: dict[str, Known] = {}
        self._workspace = Workspace(now_ms=lambda: self._now_ms, search_lag_ms=0, attributes=self._manifest)
        self._intercom = Intercom(
            base_url=BASE_URL,
            token="rehearsal",  # noqa: S106  # the rehearsal Intercom takes any
            now_ms=lambda: self._now_ms,
            transport=httpx.ASGITransport(app=intercom_app(self._workspace)),
        )

    async def __aenter__(self) -> "Mirror":
        await self._intercom.register(self._manifest)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._intercom.close()

    def meet(self, contact: dict[str, str], now_ms: int) -> None:
        """Somebody who talks in Intercom is a contact there."""
        self._now_ms = now_ms
        if self._contact(contact.get("external_id", ""), contact["email"]) is None:
            self._workspace.create({"role": "user", **contact})

    async def deliver(self, command: Command, now_ms: int) -> None:
        self._now_ms = now_ms
        if command.activates and command.expires_ms is not None and command.expires_ms <= now_ms:
            return
        known = self._known.get(command.person, Known())
        try:
            known = await self._intercom.show(command, known)
        except Failure as failure:
            self.failures.append(str(failure))
            known = failure.known or known
        self._known[command.person] = known

    def shown(self, external_id: str, email: str) -> dict[str, Scalar]:
        """The custom attributes of the person's contact; empty where there is none."""
        contact = self._contact(external_id, email)
        return dict(contact.custom) if contact is not None else {}

    def _contact(self, external_id: str, email: str) -> Contact | None:
        contact = self._workspace.by_external_id(external_id)
        if contact is not None and contact.live:
            return contact
        return next(
            (held for held in self._workspace.contacts.values() if held.live and held.email == email.lower()), None
        )
