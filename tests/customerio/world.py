"""The agent on a partition, the real adapter, and a rehearsed Customer.io behind faults and the official description."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from openapi_core import OpenAPI

from agents.customerio import Pipelines, TryLater
from agents.reliable import Record, Store
from agents.teller_agent import CODEC, TellerAgent
from contracts import decisions
from contracts.decisions import Decision, decision_id
from contracts.instant import to_rfc3339
from contracts.topics import DECISIONS
from rehearsal.customerio import Journeys, customerio_app
from rehearsal.intercom_faults import Fault, Faulty
from tests.customerio.official import Validated
from tests.intercom.scene import START_MS, HandClock
from tests.reliable.memory import Local

KEY = "write_key_42"
PERSON = "id:42"
AUDIENCE = "high_aov_abandoner"


def decided(
    outcome: str = "activated",
    reason: str = "qualified",
    *,
    person: str = PERSON,
    at_ms: int = START_MS,
    **changes: Any,
) -> Decision:
    episode = f"{AUDIENCE}@{to_rfc3339(START_MS - 7_200_000)}"
    values: dict[str, Any] = {
        "person": person, "audience": AUDIENCE, "episode": episode, "outcome": outcome, "reason": reason,
        "at": to_rfc3339(at_ms), "occurred_at": to_rfc3339(at_ms), "expires_at": to_rfc3339(START_MS + 36_000_000),
        "arm": "assisted", "tier": "vip", "cause": "time", "clauses": (), "policy": "abcdefabcdef",
        "id": decision_id(person, episode, outcome, reason, to_rfc3339(at_ms)),
    }  # fmt: skip
    return Decision(**(values | changes))


def ended(reason: str = "purchased", *, at_ms: int = START_MS + 1000, **changes: Any) -> Decision:
    return decided("withdrawn", reason, at_ms=at_ms, **changes)


class World:
    """The agent on a partition, the real adapter, and a Customer.io behind faults and the official description."""

    def __init__(self, api: OpenAPI, write_key: str = KEY, *, whole: bool = False) -> None:
        """whole: of a batch with a bad call nothing is taken."""
        self.journeys = Journeys()
        self.clock = HandClock()
        self.faults: list[Fault | None] = []
        app = customerio_app(self.journeys, write_key=KEY, whole=whole)
        self.validated = Validated(httpx.ASGITransport(app=app), api)
        self.faulty = Faulty(self.validated, lambda _: self.faults.pop(0) if self.faults else None)
        self.speaks = True
        self.before_speaking: Callable[[], Awaitable[bool]] | None = None
        self.pipelines = Pipelines(
            base_url="https://cdp.customer.io/v1", write_key=write_key, allowed=self.allowed, transport=self.faulty
        )
        self.erased: set[tuple[int, str]] = set()
        self.slept: list[float] = []
        self.local: dict[bytes, bytes] = {}
        self.read_again = 0
        self.start()

    async def allowed(self) -> bool:
        if self.before_speaking is not None:
            return await self.before_speaking()
        return self.speaks

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def start(self) -> None:
        """As after a crash: what was flushed is there, what was not is read again."""
        self.teller = TellerAgent(
            sender=self.pipelines, clock=self.clock, erased=lambda *place: place in self.erased, sleep=self.sleep
        )
        self.store = Store(0, Local(self.local), encode=CODEC.encode, decode=CODEC.decode, hidden=frozenset())
        self.teller.assigned(self.store, 0, None)

    def flush(self) -> None:
        for key, data in self.store.snapshot().items():
            if data is None:
                self.local.pop(key, None)
            else:
                self.local[key] = data

    def told(self, *made: Decision) -> None:
        records = [
            Record(DECISIONS.name, 0, n, one.person.encode(), decisions.encode(one)) for n, one in enumerate(made)
        ]
        assert list(self.teller.batch(self.store, records)) == []

    async def tell(self) -> None:
        """Until nothing waits; a failure is repeated as `run` does, without its pauses."""
        for _ in range(500):
            try:
                await self.teller.tell()
            except TryLater:
                continue
            if not self.teller._waiting:
                return
        raise AssertionError("it never ended")

    def attributes(self, user: str = "42") -> dict[str, Any]:
        return self.journeys.attributes.get(user, {})

    def events(self, user: str = "42") -> list[tuple[str, str]]:
        return [(call["event"], call["properties"]["reason"]) for call in self.journeys.events.get(user, [])]
