"""The Intercom adapter: one verb makes a contact show a command, one registers the attributes.

Intercom has no upsert. A contact is found by our own memory, else by external id (e-mail where there is none), and created
only where the command says so; a clash is resolved by the id that the 409 names, after checking that it is our person.
"""

import html
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec

from agents.intercom import register as registration
from agents.intercom.attributes import Difference
from agents.intercom.budget import Budget
from agents.intercom.failures import Ambiguous, Failure, Overtaken, Refused, Talking, TryLater, Unauthorized, Unknown
from agents.intercom.find import closings, contact_of, find, read, talks
from agents.intercom.known import Known
from agents.intercom.line import Conflict, Gone, Invalid, Line, Merged, client, current
from agents.intercom.register import Made
from agents.intercom.values import changed, typed
from contracts.commands import Command, ContactEvent
from contracts.fields import DataType, Field
from contracts.signals import Scalar

VANISHED_SECONDS = 5.0  # whoever deletes or merges a contact under our hands is at work right now
UNSEEN_SECONDS = 20.0  # between two searches for a contact that we may have made; the index is minutes behind
WRITES_MAX = 4  # of one command while its attributes vanish; those that vanish faster are waited for
LOOKUPS_MAX = 2  # a contact may vanish under a call once; twice within one call means that somebody fights us
_ID = re.compile(r"id=(\w+)")


async def always() -> bool:
    """Of a process that nobody takes over from."""
    return True


def alone() -> float:
    """The portion of a process that shares its token with no other."""
    return 1.0


class Intercom:
    """One workspace.

    base_url: of the token's region. now_ms: milliseconds of a clock that never steps. allowed: asked before every call
    whether this process may still speak; where it may not, TryLater. others: the share of the rate limit that is left to
    the workspace's other apps. portion: this process's part of the rest, 0 to 1. transport: where a test or the
    rehearsal puts its own.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        now_ms: Callable[[], int],
        allowed: Callable[[], Awaitable[bool]] = always,
        others: float = 0.0,
        portion: Callable[[], float] = alone,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = client(base_url=base_url, token=token, transport=transport)
        self._line = Line(self._http, Budget(now_ms, others=others, portion=portion), allowed)
        self._manifest: tuple[Field, ...] = ()
        self._types: dict[str, DataType] = {}

    async def close(self) -> None:
        await self._http.aclose()

    async def register(self, manifest: tuple[Field, ...]) -> tuple[str, ...]:
        """Creates the attributes that are missing and returns their names. Unfit where the workspace does not fit."""
        self._take(manifest)
        return await registration.register(self._line, manifest)

    async def differences(self, manifest: tuple[Field, ...]) -> tuple[Difference, ...]:
        """How the workspace's attributes differ from the manifest; changes nothing."""
        self._take(manifest)
        return await registration.look(self._line, manifest)

    async def create(self, manifest: tuple[Field, ...], differences: tuple[Difference, ...]) -> Made:
        """Creates the attributes that are missing, whatever else differs."""
        return await registration.create(self._line, manifest, differences)

    async def show(
        self,
        command: Command,
        known: Known,
        *,
        fresh: Callable[[], bool] = current,
        urgent: bool = True,
        ask: bool = False,
        unseen: bool = False,
    ) -> Known:
        """Makes the contact show `command` and returns what is known then; intercom_id None: there is no such contact.

        fresh: asked right before every write whether the command still stands. urgent: may use what the budget keeps back.
        ask: look for open conversations before the first write. unseen: we may have made a contact that search does not
        show yet, so that a search which finds none is no proof.

        Raises TryLater, Unknown, Refused (Ambiguous), Overtaken, Talking or Unauthorized, with `known` set to what is known
        by then. A contact that shows all but whose event was refused is no failure: see Known.
        """
        line = self._line.errand(urgent=urgent, fresh=fresh)
        attempt = _Attempt(line, command, self.wanted(command), known, ask=ask, unseen=unseen)
        try:
            return await self._registered(attempt, line)
        except Failure as failure:
            failure.known = attempt.known
            raise

    async def look(
        self, command: Command, *, intercom_id: str | None = None, urgent: bool = False
    ) -> dict[str, Scalar] | None:
        """What the contact of the command's person shows now under the command's names; None where there is no contact.

        intercom_id: the contact's, where it is known. urgent: may use what the budget keeps back. Writes nothing.
        TryLater, Unknown, Refused (Ambiguous) or Unauthorized.
        """
        line = self._line.errand(urgent=urgent, fresh=current)
        found = await read(line, f"/contacts/{intercom_id}") if intercom_id is not None else None
        if found is None:
            found = await find(line, external_id=command.external_id, email=command.email)
            if found is not None and command.external_id is None:
                found = await read(line, f"/contacts/{found['id']}")  # a search shows the past
        if found is None:
            return None
        shown = found.get("custom_attributes") or {}
        return {name: shown.get(name) for name in command.attributes}

    async def closed(self, intercom_id: str, *, after_s: int) -> tuple[tuple[str, int], ...]:
        """(id, instant in unix seconds) of the contact's conversations that were closed after `after_s`.

        Writes nothing. TryLater, Refused or Unauthorized.
        """
        return await closings(self._line, intercom_id, after_s=after_s)

    def wanted(self, command: Command) -> dict[str, Scalar]:
        """What Intercom would show of the command, in the types of the manifest that was given last."""
        return dict.fromkeys(command.attributes) if command.erase else typed(command.attributes, self._types)

    def _take(self, manifest: tuple[Field, ...]) -> None:
        self._manifest = manifest
        self._types = {field.name: field.data_type for field in manifest}

    async def _registered(self, attempt: "_Attempt", line: Line) -> Known:
        """Where Intercom does not know an attribute (somebody took it away), all are registered and the write repeated.

        Another may vanish right after the first was made, so this is done more than once, as long as the refusal speaks
        of an attribute that does not exist. A write that is refused for anything else is repeated once.
        """
        for repeat in range(WRITES_MAX):
            try:
                return await attempt.run()
            except Invalid as invalid:
                if not self._manifest or (repeat > 0 and not invalid.vanished):
                    raise
                await self._register_again(line)
        raise TryLater(VANISHED_SECONDS, "attributes vanish as fast as they are made", shared=False)

    async def _register_again(self, line: Line) -> None:
        try:
            await registration.register(line, self._manifest)
        except (TryLater, Unknown, Unauthorized, Overtaken):
            raise
        except Failure as failure:
            raise Refused("attributes_unfit") from failure


class _Attempt:
    """One command on its way; `known` grows as the calls succeed."""

    def __init__(
        self, line: Line, command: Command, wanted: dict[str, Scalar], known: Known, *, ask: bool, unseen: bool
    ) -> None:
        self._line = line
        self._unseen = unseen and command.external_id is None and not command.create
        self._asks = ask and known.asked != command.revision
        self._command = command
        self._wanted = wanted
        self.known = known
        self._doubt = known.attributes is None
        self._names = False  # the contact was known by its e-mail alone and is to get our external id

    async def run(self) -> Known:
        for _ in range(LOOKUPS_MAX):
            try:
                if self.known.intercom_id is None and not await self._found():
                    if not self._command.create:
                        return self.known  # never written reads as false: there is nothing to take back
                    await self._create()
                await self._ask()
                await self._write()
                await self._tell()
                return self.known
            except Merged as merged:
                self._learn(merged.canonical_id, None)
            except Gone:
                self.known = Known()
        raise TryLater(VANISHED_SECONDS, "the contact vanished twice while it was written", shared=False)

    async def _found(self) -> bool:
        found = await find(self._line, external_id=self._command.external_id, email=self._command.email)
        if found is None and self._unseen:
            raise TryLater(UNSEEN_SECONDS, "a search may not show the contact yet", shared=False)
        if found is not None:
            self._learn(found["id"], None if self._doubt else self._ours(found))
        return found is not None

    async def _ask(self) -> None:
        """Whether the person talks with somebody; a webhook that says so may have been lost. Once per revision."""
        if not self._asks or not (self._names or changed(self._wanted, self.known.attributes) or self._untold()):
            return
        assert self.known.intercom_id is not None, "found or created"
        found = await talks(self._line, self.known.intercom_id)
        self._asks = False
        self.known = msgspec.structs.replace(self.known, asked=self._command.revision)
        if found:
            raise Talking(found)

    async def _create(self) -> None:
        command = self._command
        body: dict[str, Any] = {"role": "user"}
        if command.external_id is not None:
            body["external_id"] = command.external_id
        if command.email is not None:
            body["email"] = command.email
        body["custom_attributes"] = {name: value for name, value in self._wanted.items() if value is not None}
        try:
            created = await self._doubtful("POST", "/contacts", body)
        except Conflict as conflict:
            await self._adopt(conflict.message)
        else:
            self._asks = False  # nobody has talked with a contact that did not exist
            self._learn(created["id"], dict(self._wanted))

    async def _adopt(self, message: str) -> None:
        """Takes the contact that a 409 names, if it is our person; an archived one is left where somebody put it."""
        if "archived" in message:
            raise Refused("archived")
        match = _ID.search(message)
        if match is None:
            raise Ambiguous
        found = await read(self._line, f"/contacts/{match[1]}")
        if found is None:
            raise Gone  # it was deleted this very moment
        if not self._is_ours(found):
            raise Ambiguous
        self._names = self._command.external_id is not None and not found.get("external_id")
        self._learn(found["id"], self._ours(found))

    def _is_ours(self, found: dict[str, Any]) -> bool:
        """By external id; by e-mail where the contact has no external id yet, or we have none to give."""
        external_id, ours = found.get("external_id"), self._command.external_id
        if ours is not None and external_id:
            return bool(external_id == ours)
        email = html.unescape(str(found.get("email") or "")).lower()  # names and addresses come back escaped
        return email != "" and email == (self._command.email or "").lower()

    async def _write(self) -> None:
        difference = changed(self._wanted, self.known.attributes)
        name = {"external_id": self._command.external_id} if self._names else {}
        if not difference and not name:
            return
        try:
            path = f"/contacts/{self.known.intercom_id}"
            await self._doubtful("PUT", path, {**name, "custom_attributes": difference})
        except Conflict as conflict:
            raise Refused("conflict") from conflict
        self._names = False
        self._learn(self.known.intercom_id, {**(self.known.attributes or {}), **difference})

    async def _tell(self) -> None:
        """The event comes last: Intercom knows none for a contact that it does not know.

        The contact shows its moment by now, so whatever becomes of the event does not undo that: one that is no longer
        fresh is left out, one that is refused is told with the reason and not repeated.
        """
        event = self._untold()
        if event is None:
            return
        body = {"event_name": event.name, "created_at": event.created_s, "id": self.known.intercom_id}
        refusal = None
        try:
            await self._line.call("POST", "/events", {**body, "metadata": event.metadata})
        except (Gone, Merged):
            raise
        except Overtaken:
            return
        except Refused as refused:
            refusal = refused.reason
        told = (event.name, event.created_s)
        self.known = msgspec.structs.replace(self.known, event=told, event_refusal=refusal)

    def _untold(self) -> ContactEvent | None:
        event = self._command.event
        if event is None or self._command.erase or self.known.event == (event.name, event.created_s):
            return None
        return event

    async def _doubtful(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A write of attributes: where its answer is lost, nothing of them is known any more."""
        try:
            return contact_of(await self._line.call(method, path, body))
        except Unknown:
            self.known = msgspec.structs.replace(self.known, attributes=None)
            raise

    def _ours(self, found: dict[str, Any]) -> dict[str, Scalar]:
        shown = found.get("custom_attributes") or {}
        return {name: shown.get(name) for name in self._wanted}

    def _learn(self, intercom_id: str | None, attributes: dict[str, Scalar] | None) -> None:
        self.known = msgspec.structs.replace(self.known, intercom_id=intercom_id, attributes=attributes)
