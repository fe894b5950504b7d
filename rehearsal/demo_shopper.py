"""One person of the simulated shop and the day that they are part of: who they are, what their browser and the shop send.

Everything that a shopper does becomes a `Sent` of the day; what lies outside the day is not sent.
"""

from random import Random
from typing import Any, Literal, NamedTuple

from contracts.instant import HOUR_MS, MINUTE_MS, SECOND_MS
from rehearsal.demo_calls import Visitor, call, notification, report

Feed = Literal["pipelines", "reporting", "intercom"]
Kind = Literal["order", "order_again", "refund", "cancel", "duplicate", "unreadable", "other"]

GIVEN = (
    "Mila", "Noah", "Ada", "Leo", "Ines", "Omar", "Yuki", "Elif", "Sam", "Nora", "Theo", "Ruth", "Ivan",
    "Lena", "Kofi", "Anna", "Luca", "Zoe", "Emil", "Maya",
)  # fmt: skip
FAMILY = (
    "novak", "brandt", "silva", "okafor", "tanaka", "demir", "hughes", "larsen", "moreau", "costa", "weber",
    "patel", "rossi", "kim", "lopez",
)  # fmt: skip


class Product(NamedTuple):
    product_id: str
    name: str
    category: str
    price: int


PRODUCTS = (
    Product("oat-cleanser", "Oat Milk Cleanser", "cleansers", 34),
    Product("gel-cleanser", "Green Tea Gel Cleanser", "cleansers", 28),
    Product("toner-rose", "Rosewater Toner", "toners", 32),
    Product("serum-vitc", "Vitamin C 15 % Serum", "serums", 88),
    Product("serum-nia", "Niacinamide 10 % Serum", "serums", 42),
    Product("serum-ha", "Hyaluronic Serum", "serums", 54),
    Product("retinol-03", "Retinol 0.3 Night Serum", "retinol", 74),
    Product("retinol-1", "Retinol 1.0 Night Serum", "retinol", 96),
    Product("cream-peptide", "Peptide Moisturizer", "moisturizers", 78),
    Product("cream-barrier", "Barrier Repair Cream", "moisturizers", 62),
    Product("eye-caffeine", "Caffeine Eye Cream", "eye care", 69),
    Product("spf-50", "Daily Mineral SPF 50", "sun care", 38),
    Product("mask-clay", "Pink Clay Mask", "masks", 48),
    Product("set-ritual", "Evening Ritual Set", "sets", 165),
    Product("led-mask", "LED Light Mask", "devices", 249),
)


class Sent(NamedTuple):
    """One message: when the shop sends it, its bytes, and what the shop itself knows of it, for the checks.

    person: the canonical key (`id:...`) of whoever it is about, "" where it names nobody. kind: `order` is the first
    message of an order, `order_again` another event about it. visit: the visit that it belongs to, 0 for none. past: tells
    of something long ago.
    """

    at_ms: int
    body: bytes
    feed: Feed
    person: str
    kind: Kind
    message: str
    order: str = ""
    visit: int = 0
    past: bool = False


class Day:
    """The day as it is being written: the random source, the messages so far and running numbers."""

    def __init__(self, rng: Random, start_ms: int, hours: float) -> None:
        self.rng, self.start_ms = rng, start_ms
        self.end_ms = start_ms + int(hours * HOUR_MS)
        self.sent: list[Sent] = []
        self.token = f"{rng.getrandbits(24):06x}"
        self.visits = self.numbers = 0

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def soon(self, at_ms: int, low_minutes: float, high_minutes: float) -> int:
        return at_ms + int(self.rng.uniform(low_minutes, high_minutes) * MINUTE_MS)

    def number(self) -> str:
        self.numbers += 1
        return f"{self.token}-{self.numbers:05d}"

    def add(self, at_ms: int, body: bytes, feed: Feed, who: Visitor, message: str, **about: Any) -> None:
        if self.start_ms <= at_ms < self.end_ms:
            self.sent.append(Sent(at_ms, body, feed, f"id:{who.user}", about.pop("kind", "other"), message, **about))


class Shopper:
    """One visitor's doings; `known` once the shop knows who is behind the browser."""

    def __init__(self, day: Day, number: int, *, known: bool) -> None:
        rng = day.rng
        given, family = rng.choice(GIVEN), rng.choice(FAMILY)
        user = f"{given.lower()}-{family}-{number}"
        self.day, self.known = day, known
        self.who = Visitor(user, f"{given.lower()}.{family}{number}@example.com", f"b-{rng.getrandbits(40):010x}")
        self.cart: list[tuple[Product, int]] = []
        self.visit = 0

    def call(
        self, kind: str, at_ms: int, *, sent_ms: int | None = None, about: Kind = "other", order: str = "", **said: Any
    ) -> None:
        message = self.day.number()
        body = call(kind, self.who, at_ms, message, known=self.known, **said)
        feed: Feed = "pipelines"
        self.day.add(
            at_ms if sent_ms is None else sent_ms,
            body,
            feed,
            self.who,
            message,
            kind=about,
            order=order,
            visit=self.visit,
            past=sent_ms is not None,
        )

    def page(self, at_ms: int, path: str) -> None:
        self.call("page", at_ms, properties={"path": path})

    def view(self, at_ms: int, product: Product) -> None:
        said = {**product._asdict(), "currency": "USD"}
        self.call(
            "track", at_ms, event="Product Viewed", properties={**said, "path": f"/products/{product.product_id}"}
        )

    def put(self, at_ms: int, product: Product, quantity: int) -> None:
        self.cart.append((product, quantity))
        said = {**product._asdict(), "quantity": quantity, "currency": "USD"}
        self.call("track", at_ms, event="Product Added", properties=said)

    def identify(self, at_ms: int) -> None:
        self.known = True
        self.call("identify", at_ms, traits={"email": self.who.email, "plan": "none"})

    def checkout(self, at_ms: int) -> None:
        self.call("track", at_ms, event="Checkout Started", properties=self._basket(self.day.number()))

    def buy(self, at_ms: int, *, sent_ms: int | None = None) -> str:
        """Order Completed by the browser and Order Paid by the shop's server, one order."""
        order = f"o-{self.day.number()}"
        basket = self._basket(order)
        later_ms = self.day.rng.randint(2, 40) * SECOND_MS
        messages: list[tuple[str, Kind, int]] = [
            ("Order Completed", "order", 0),
            ("Order Paid", "order_again", later_ms),
        ]
        for name, about, delay_ms in messages:
            when = None if sent_ms is None else sent_ms + delay_ms
            self.call("track", at_ms + delay_ms, sent_ms=when, about=about, order=order, event=name, properties=basket)
        self.cart = []
        return order

    def undo(self, name: str, at_ms: int, order: str, about: Kind, total: int | None = None) -> None:
        amount = {} if total is None else {"total": total, "currency": "USD"}
        self.call("track", at_ms, about=about, order=order, event=name, properties={"order_id": order, **amount})

    def email(self, metric: str, at_ms: int, delivery: str, *, sent_ms: int | None = None, **said: Any) -> None:
        message = self.day.number()
        body = report(metric, self.who, at_ms, message, delivery, **said)
        self.day.add(at_ms if sent_ms is None else sent_ms, body, "reporting", self.who, message)

    def chat(self, at_ms: int) -> None:
        conversation = self.day.number()
        closed_ms = self.day.soon(at_ms, 12, 70)
        for topic, when in (("conversation.user.created", at_ms), ("conversation.admin.closed", closed_ms)):
            message = f"notif_{self.day.number()}"
            body = notification(topic, self.who, when, message, conversation)
            self.day.add(when, body, "intercom", self.who, message)

    def _basket(self, order: str) -> dict[str, Any]:
        lines = [{**product._asdict(), "quantity": quantity} for product, quantity in self.cart]
        total = sum(product.price * quantity for product, quantity in self.cart)
        return {"order_id": order, "total": total, "currency": "USD", "products": lines}
