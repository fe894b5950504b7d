"""A brand's events, by seed: who did what, sent in order and repeated until acknowledged, as Customer.io does."""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

from contracts.instant import to_rfc3339

PRICES = {"serum": 160, "cream": 90, "wash": 40}
CALLS_A_POST = 20
AGAIN_SECONDS = 0.2  # between two tries of the same body
NEAR, FAR = 3, 25  # messages back; the ring of ids reaches 64 of the person
KINDS = ("cart",) * 9 + ("order",) * 3 + ("cancel", "keep", "page", "identify")


class Acknowledged(NamedTuple):
    """A call that the receiver answered 200 for, the first time; wall instants in ms."""

    call: dict[str, Any]
    sent_ms: int
    acknowledged_ms: int


class Expected(NamedTuple):
    """What an independent look at the acknowledged calls says of one person."""

    orders: int
    cart: Decimal


class Sender:
    """seed: of everything that is chosen. favourite: the share of the traffic that one person has."""

    def __init__(self, address: str, *, seed: int, people: int = 60, favourite: float = 0.0) -> None:
        self.address = address
        self._chance = random.Random(seed)
        self._people = [f"u{number}" for number in range(people)]
        self._favourite = favourite
        self._number = 0
        self._recent: list[dict[str, Any]] = []
        self.acknowledged: list[Acknowledged] = []
        self.tries = 0  # posts that were begun
        self.refused: list[int] = []  # status of each answer that was no 200; 0: no answer
        self.refusal_seconds: list[float] = []  # how long each of them took
        self.repeated = 0
        self._ids: set[str] = set()
        self._turn = threading.Lock()

    def run(self, seconds: float, per_second: float, *, wanted: Callable[[], bool] = lambda: True) -> None:
        """Calls at this pace, whatever an answer takes; ends early when nothing more is wanted."""
        begun, sent = time.monotonic(), 0
        while wanted() and (passed := time.monotonic() - begun) < seconds:
            due = int(passed * per_second) - sent
            if due > 0:
                count = min(due, CALLS_A_POST)
                self.post([self.next_call() for _ in range(count)])
                sent += count
            else:
                time.sleep(0.02)

    def start(self, seconds: float, per_second: float) -> threading.Thread:
        thread = threading.Thread(target=self.run, args=(seconds, per_second), daemon=True)
        thread.start()
        return thread

    def next_call(self) -> dict[str, Any]:
        """A new call, or one in ten times a repeat of an earlier one, near or far."""
        if self._recent and self._chance.random() < 0.1:
            self.repeated += 1
            back = self._chance.choice((NEAR, FAR))
            return self._recent[max(0, len(self._recent) - back)]
        person = self._people[0] if self._chance.random() < self._favourite else self._chance.choice(self._people)
        call = self.call(person, self._chance.choice(KINDS))
        self._recent = [*self._recent[-FAR:], call]
        return call

    def call(self, person: str, kind: str) -> dict[str, Any]:
        self._number += 1
        now_ms = time.time_ns() // 1_000_000
        call: dict[str, Any] = {"messageId": f"m{self._number}", "userId": person, "timestamp": to_rfc3339(now_ms)}
        if kind == "page":
            return call | {"type": "page", "properties": {"path": "/pages/shipping"}}
        if kind == "identify":
            return call | {"type": "identify", "traits": {"email": f"{person}@example.org"}}
        event, properties = {
            "cart": ("Product Added", {"quantity": 1, "currency": "USD"}),
            "order": ("Order Completed", {"order_id": f"o{self._number}", "total": 100, "currency": "USD"}),
            "cancel": ("Subscription Cancel Started", {}),
            "keep": ("Subscription Kept", {}),
        }[kind]
        if kind == "cart":
            product = self._chance.choice(tuple(PRICES))
            properties = {**properties, "product_id": product, "price": PRICES[product]}
        return call | {"type": "track", "event": event, "properties": properties}

    def carts(self, people: Sequence[str]) -> None:
        """A large cart for each, in one body."""
        calls = [self.call(person, "cart") for person in people]
        for call in calls:
            call["properties"] |= {"price": 400, "product_id": "set"}
        self.post(calls)

    def post(self, calls: list[dict[str, Any]]) -> None:
        """One body, until it is acknowledged; what stands behind it waits, whoever sends."""
        with self._turn:
            self._post(calls)

    def _post(self, calls: list[dict[str, Any]]) -> None:
        sent_ms = time.time_ns() // 1_000_000
        while True:
            begun = time.monotonic()
            self.tries += 1
            status = self._try({"batch": calls, "sentAt": None})
            if status == 200:
                break
            self.refused.append(status)
            self.refusal_seconds.append(time.monotonic() - begun)
            time.sleep(AGAIN_SECONDS)
        now_ms = time.time_ns() // 1_000_000
        for call in calls:
            if call["messageId"] not in self._ids:
                self._ids.add(call["messageId"])
                self.acknowledged.append(Acknowledged(call, sent_ms, now_ms))

    def _try(self, body: dict[str, Any]) -> int:
        try:
            return httpx.post(f"{self.address}/customerio/pipelines", json=body, timeout=4).status_code
        except httpx.HTTPError:
            return 0

    def expected(self) -> dict[str, Expected]:
        """By person's key: orders are counted by their id, a cart holds what was added since the newest order."""
        orders: dict[str, int] = defaultdict(int)
        carts: dict[str, Decimal] = defaultdict(Decimal)
        people = set()
        for call, _, _ in self.acknowledged:
            person = f"id:{call['userId']}"
            people.add(person)
            if call.get("event") == "Order Completed":
                orders[person] += 1
                carts[person] = Decimal(0)
            elif call.get("event") == "Product Added":
                carts[person] += Decimal(call["properties"]["price"])
        return {person: Expected(orders[person], carts[person]) for person in people}
