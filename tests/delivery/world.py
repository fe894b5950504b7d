"""The courier and the adapter as they are, a rehearsed Intercom behind a lossy wire, and a world that meddles with both."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from agents.courier import Courier
from agents.intercom import Intercom, Known
from contracts.commands import Command
from contracts.fields import manifest
from contracts.signals import Conversed, Delivered, Scalar
from rehearsal.intercom import REQUESTS_PER_WINDOW, intercom_app
from rehearsal.intercom_workspace import Contact, Workspace
from rehearsal.virtual_time import LoopClock
from tests.delivery import plan
from tests.delivery.plan import Shopper
from tests.delivery.wire import Wire, speaking_for
from tests.intercom.scene import START_MS
from tests.intercom.world import SETTLE_SECONDS, Kept

SEARCH_LAG_MS = 120_000
HURT = 0.08  # of the requests meet a fault on the way
BUSY, BROKEN, BAD_EVENT = 0.008, 0.015, 0.06  # of the requests are answered so, and not done
VANISHES, IS_ARCHIVED = 0.012, 0.001  # of the writes find an attribute gone, or archived for a moment
ARCHIVED_SECONDS = 1.5
TOLD_AGAIN = 0.05  # of the commands are followed by an older one of the same person
DOWN_SECONDS = 12  # between two workers: the session of the first is over, and so is what it had sent
COMMIT_SECONDS = 8.0  # what was recorded since is lost with a worker; commits that hang for once, else one a second
Meddle = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]


class World:
    """One run. meddle: puts something between wire and server, such as a validator."""

    def __init__(self, shoppers: list[Shopper], *, seed: int, restarts: int, meddle: Meddle | None = None) -> None:
        self.shoppers = shoppers
        self.clock = LoopClock(START_MS)
        self.newest: dict[str, Command] = {}
        self.outcomes: dict[str, Delivered] = {}
        self.reasons: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        self.struck_ms: dict[str, int] = {}
        self.archived_attributes = 0
        self._begun = False  # faults begin with the first command
        self.kept = Kept()
        self.told = 0
        self._rng = random.Random(seed + 1)
        self._deaths = plan.deaths(shoppers, restarts)
        self._by_person = {shopper.person: shopper for shopper in shoppers}
        self._log: list[Command] = []
        self._durable: tuple[Kept, int] = (Kept(), 0)
        self._excused: set[str] = set()  # a repeat of theirs may write what is there already
        self._courier: Courier | None = None
        self._manifest = manifest(("high_aov_abandoner", "at_risk_repeat"))
        self.workspace = Workspace(now_ms=self.clock.now_ms, search_lag_ms=SEARCH_LAG_MS)
        app = intercom_app(
            self.workspace, token="secret", requests_per_window=REQUESTS_PER_WINDOW, faults=self._refuses
        )
        server: httpx.AsyncBaseTransport = httpx.ASGITransport(app=app)
        self.wire = Wire(
            meddle(server) if meddle is not None else server,
            seed=seed + 2, hurt=HURT, newest=self.newest.get, before=self._before,
        )  # fmt: skip
        self.intercom = Intercom(
            base_url="https://api.intercom.io", token="secret", now_ms=self.clock.now_ms, transport=self.wire
        )

    async def play(self) -> None:
        """The whole story, and until nothing is under way any more."""
        self._prepare()
        await self.intercom.register(self._manifest)
        self._begun = True
        coming = sorted(self._events(), key=lambda event: event[:2])
        working = self._work(Kept(), [])
        committing = asyncio.create_task(self._commit())
        try:
            for at_ms, _, happens in coming:
                await asyncio.sleep(max(0, at_ms - self.clock.now_ms()) / 1000)
                if self._deaths and self._deaths[0] <= at_ms:
                    del self._deaths[0]
                    working = await self._restart(working)
                happens()
                if working.done():
                    await working
            await self.quiet()
        finally:
            working.cancel()
            committing.cancel()
            await asyncio.gather(working, committing, return_exceptions=True)
            await self.wire.over()
            await self.intercom.close()

    async def quiet(self) -> None:
        """Until every command has its outcome."""
        courier = self._courier
        assert courier is not None, "a worker works at the end"
        while courier.pending_count:  # noqa: ASYNC110  # the loop's time costs nothing
            await asyncio.sleep(1)

    async def show(
        self, command: Command, known: Known, *, fresh: Callable[[], bool], urgent: bool, ask: bool, unseen: bool
    ) -> Known:
        with speaking_for(command):
            return await self.intercom.show(command, known, fresh=fresh, urgent=urgent, ask=ask, unseen=unseen)

    async def look(self, command: Command, *, intercom_id: str | None, urgent: bool) -> dict[str, Scalar] | None:
        with speaking_for(command):
            return await self.intercom.look(command, intercom_id=intercom_id, urgent=urgent)

    def contact(self, shopper: Shopper) -> Contact | None:
        """The one that stands for the shopper, whatever its condition; where it was merged, the one that it became."""
        number = str(shopper.number)
        found = self.workspace.by_external_id(number)
        if found is None:
            email, users = f"{number}@example.com", self.workspace.contacts.values()
            found = next((user for user in users if user.email == email and user.external_id is None), None)
        while found is not None and found.merged_into is not None:
            found = self.workspace.contacts[found.merged_into]
        return found

    def _events(self) -> list[plan.Happening]:
        found: list[plan.Happening] = []
        for shopper in self.shoppers:
            for told in shopper.told:
                found.append((told.at_ms, len(found), lambda command=told.command: self._tell(command)))  # type: ignore[misc]  # bound now
            found.append((shopper.struck_ms, len(found), lambda shopper=shopper: self._strike(shopper)))  # type: ignore[misc]  # bound now
        return found

    def _tell(self, command: Command) -> None:
        """As the topic tells it: numbered per person, and now and then followed by an older one."""
        before = self.newest.get(command.person)
        command = plan.numbered(command, before)
        self.newest[command.person] = command
        self.told += 1
        self._desire(command)
        if before is not None and self._rng.random() < TOLD_AGAIN:
            self._desire(before)

    def _desire(self, command: Command) -> None:
        self._log.append(command)
        if self._courier is not None:
            self._courier.desire(0, command)

    async def _heard(self, heard: Delivered | Conversed) -> None:
        """What the log does with it: a conversation withdraws what is pending."""
        if isinstance(heard, Delivered):
            self.outcomes[heard.person] = heard
            self.reasons[heard.reason or heard.outcome] += 1
            return
        self.struck["conversation read"] += 1
        found = self.contact(self._by_person[heard.person])
        assert found is not None, "somebody talks"
        self.workspace.converse(heard.conversation, found.id, "closed")
        newest = self.newest[heard.person]
        asyncio.get_running_loop().call_later(1, lambda: self._tell(plan.withdrawn(newest, self.clock.now_ms())))

    def _work(self, kept: Kept, told_again: list[Command]) -> "asyncio.Task[None]":
        self.kept = kept
        courier = Courier(intercom=self, clock=self.clock, settle_seconds=SETTLE_SECONDS, deliver=self._heard)
        courier.assign(0, kept)
        self._excused |= {command.person for command in told_again} | {
            person for person, contact in kept.items() if contact.pending
        }
        for person in list(kept):
            courier.inherit(0, person)
        for command in told_again:
            courier.desire(0, command)
        courier.caught_up(0)
        self._courier = courier
        return asyncio.create_task(courier.run())

    async def _restart(self, working: "asyncio.Task[None]") -> "asyncio.Task[None]":
        """The worker dies: records since the last commit are lost, commands since then are told again."""
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        self._courier = None
        await asyncio.sleep(DOWN_SECONDS)
        kept, position = self._durable
        self.struck["restart"] += 1
        self.wire.forget_refusals()
        return self._work(Kept(kept), self._log[position:])

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            if self._courier is not None:
                self._durable = (Kept(self.kept), len(self._log))

    def _refuses(self, number: int, method: str, path: str) -> int | None:
        if not self._begun:
            return None
        drawn = self._rng.random()
        if drawn < BUSY:
            return 429
        if drawn < BUSY + BROKEN:
            return self._rng.choice((500, 502, 503, 504))
        return 400 if path == "/events" and self._rng.random() < BAD_EVENT else None

    def _before(self, request: httpx.Request, command: Command) -> None:
        """Right before the server takes a request: others may be faster, and attributes may vanish."""
        shopper = self._by_person[command.person]
        writes = request.url.path.startswith("/contacts") and request.method in ("POST", "PUT")
        if not writes or request.url.path.endswith("/search"):
            return
        body = json.loads(request.content)
        if request.method == "POST" and shopper.fate == "raced" and self.contact(shopper) is None:
            self.workspace.create({"external_id": str(shopper.number), "email": f"{shopper.number}@example.com"})
        if request.method == "PUT":
            self._compare(request.url.path.rpartition("/")[2], body, command)
        drawn, names = self._rng.random(), sorted(body.get("custom_attributes") or ())
        if names and drawn < VANISHES:
            self.workspace.attributes.pop(self._rng.choice(names), None)
        elif names and drawn < VANISHES + IS_ARCHIVED:
            self._archive(self._rng.choice(names))

    def _archive(self, name: str) -> None:
        entry = self.workspace.attributes.get(name)
        if entry is not None and not entry["archived"]:
            entry["archived"] = True
            self.archived_attributes += 1
            asyncio.get_running_loop().call_later(ARCHIVED_SECONDS, lambda: entry.update(archived=False))

    def _compare(self, contact_id: str, body: dict[str, Any], command: Command) -> None:
        contact = self.workspace.contacts.get(contact_id)
        if contact is None or not contact.live or "external_id" in body or command.person in self._excused:
            return
        if self.wire.touched(command.person):
            return
        wanted = body["custom_attributes"].items()
        if all(
            contact.custom.get(name) == value or (not value and name not in contact.custom) for name, value in wanted
        ):
            self.wire.violations.append(f"a write that changes nothing: {command.person} revision {command.revision}")

    def _prepare(self) -> None:
        for shopper in self.shoppers:
            number = str(shopper.number)
            both = {"external_id": number, "email": f"{number}@example.com"}
            match shopper.fate:
                case "existing":
                    self.workspace.create(both)
                case "talking":
                    made = self.workspace.create(both)["id"]
                    self.workspace.converse(f"c-{number}", made, "open")
                case "archived_before":
                    self.workspace.archive(self.workspace.create(both)["id"], archived=True)
                case "stranger_has_email":
                    self.workspace.create(both | {"external_id": f"stranger-{number}"})
                case "two_leads":
                    for _ in range(2):
                        self.workspace.create({"role": "lead", "email": both["email"]})

    def _strike(self, shopper: Shopper) -> None:
        contact = self.contact(shopper)
        if contact is None or not contact.live:
            return
        match shopper.fate:
            case "archived":
                self.workspace.archive(contact.id, archived=True)
            case "deleted":
                self.workspace.delete(contact.id)
            case "merged":
                into = self.workspace.create({"external_id": f"into-{shopper.number}"})["id"]
                self.workspace.merge(contact.id, into)
            case _:
                return
        self.struck[shopper.fate] += 1
        self.struck_ms[shopper.person] = self.clock.now_ms()
        self._excused.add(shopper.person)
