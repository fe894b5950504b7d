"""A skincare shop that behaves: one simulated day of visitors, carts, hesitation, orders, e-mails and chats.

Pure: the same random source, start and sizes give the same messages, byte for byte, in time order. How often carts are left
and how long a visit lasts follow RetailRocket (73 % of cart sessions end without a purchase; median visit 308 s).
"""

from collections.abc import Iterator, Sequence
from random import Random

from contracts.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from rehearsal.demo_shopper import PRODUCTS, Day, Sent, Shopper

CART_SHARE = 0.62  # of visits put something into a cart; the rest only look
LEFT_SHARE = 0.73  # of cart sessions end without a purchase
VISIT_MEDIAN_SECONDS, VISIT_SIGMA = 308, 0.9
VISIT_SECONDS_MAX = 50 * 60
LATE_SHARE, EDGE_SHARE = 0.26, 0.10  # of left carts are bought hours later, or within minutes of the two-hour edge
HESITANT_SHARE = 0.40  # of left carts, after reading the shipping or returns page around a checkout
HISTORY_SHARE = 0.16  # of the people bought before and were silent since
DUPLICATE_SHARE = 0.012
UNREADABLE_COUNT = 9
HISTORY_MS = 80 * MINUTE_MS  # how long the telling of old orders takes at the start of the day
QUIET_HOURS = 6  # at the end of a whole day nobody begins a visit


UNREADABLE = (
    b'{"type":"track","event":"Product Added","userId":"mi',
    b"<html><body>502 Bad Gateway</body></html>",
    b'{"type":"track","event":"Order Completed","properties":{"total":1}}',
    b'{"type":"track","userId":{"id":7},"event":"Product Viewed"}',
    b"\xff\xfe\x00broken",
)


def day(rng: Random, *, start_ms: int, hours: float, people: int) -> Iterator[Sent]:
    """The messages of one day that begins at `start_ms` and is `hours` long, in time order."""
    written = Day(rng, start_ms, hours)
    span_hours = hours - QUIET_HOURS if hours > 2 * QUIET_HOURS else hours * 0.7
    for number in range(people):
        with_history = rng.random() < HISTORY_SHARE
        person = Shopper(written, 1000 + number, known=with_history or rng.random() < 0.2)
        begins_ms = start_ms + int(rng.triangular(0.1, span_hours, span_hours * 0.3) * HOUR_MS)
        if with_history:
            _history(person)
        if not with_history or rng.random() < 0.3:
            _visit(person, max(begins_ms, start_ms + (HISTORY_MS if with_history else 0)))
    _repeat_some(written)
    _break_some(written)
    yield from sorted(written.sent, key=lambda sent: (sent.at_ms, sent.message))


def _visit(person: Shopper, at_ms: int) -> None:
    day, rng = person.day, person.day.rng
    day.visits += 1
    person.visit = day.visits
    seconds = min(rng.lognormvariate(0, VISIT_SIGMA) * VISIT_MEDIAN_SECONDS, VISIT_SECONDS_MAX)
    looks = rng.randint(4, 10)
    steps = sorted(at_ms + int(rng.random() * seconds * SECOND_MS) for _ in range(looks))
    person.page(at_ms, "/")
    for step_ms in steps:
        person.view(step_ms, rng.choice(PRODUCTS))
    if rng.random() < 0.85 and not person.known:
        person.identify(rng.choice(steps) + 400)
    last_ms = at_ms + int(seconds * SECOND_MS)
    if day.chance(CART_SHARE):
        _shop(person, steps, last_ms)
    else:
        person.page(last_ms, rng.choice(("/pages/about", "/collections/all", "/blogs/skin-notes", "/pages/faq")))
    person.visit = 0
    if person.known and day.chance(0.5):
        _campaign(person, day.soon(last_ms, 60, 420))


def _shop(person: Shopper, steps: Sequence[int], last_ms: int) -> None:
    day, rng = person.day, person.day.rng
    for step_ms in steps[-rng.randint(1, 4) :]:
        person.put(step_ms + 700, rng.choice(PRODUCTS), rng.choice((1, 1, 1, 2)))
    if not day.chance(LEFT_SHARE):
        person.checkout(last_ms - 1)
        _bought(person, last_ms)
        return
    if day.chance(HESITANT_SHARE):
        person.page(last_ms - 2_000, rng.choice(("/pages/shipping", "/policies/shipping-policy", "/pages/returns")))
        person.checkout(last_ms)
    else:
        person.page(last_ms, "/cart")
    person.visit = 0
    _later(person, last_ms)


def _later(person: Shopper, left_ms: int) -> None:
    """What becomes of a cart that was left: bought late, bought at the edge, talked about, or nothing."""
    day, rng = person.day, person.day.rng
    fate = rng.random()
    if not person.known:
        return
    if fate < LATE_SHARE:
        _bought(person, day.soon(left_ms, 130, 420))
    elif fate < LATE_SHARE + EDGE_SHARE:
        _bought(person, left_ms + 2 * HOUR_MS + rng.randint(-2 * MINUTE_MS, 8 * MINUTE_MS))
    elif fate < 0.48:
        person.chat(day.soon(left_ms, 20, 300))
    elif fate < 0.53:
        person.put(day.soon(left_ms, 90, 200), rng.choice(PRODUCTS), 1)
    elif fate < 0.56:
        person.email("unsubscribed", day.soon(left_ms, 30, 240), day.number())
    elif fate < 0.59:
        person.call(
            "track", day.soon(left_ms, 30, 240), event="Subscription Cancel Started", properties={"plan": "refill"}
        )


def _bought(person: Shopper, at_ms: int) -> None:
    day = person.day
    total = sum(product.price * quantity for product, quantity in person.cart)
    order = person.buy(at_ms)
    undoing = day.rng.random()
    if undoing < 0.04:
        person.undo("Order Cancelled", day.soon(at_ms, 15, 120), order, "cancel")
    elif undoing < 0.08:
        person.undo("Order Refunded", day.soon(at_ms, 60, 300), order, "refund", total)
    elif undoing < 0.11:
        person.undo("Order Partially Refunded", day.soon(at_ms, 60, 300), order, "other", total // 3)


def _campaign(person: Shopper, at_ms: int) -> None:
    day, delivery = person.day, f"d-{person.day.number()}"
    person.email("sent", at_ms, delivery, subject="Your skin, this week")
    person.email("delivered", day.soon(at_ms, 0.1, 2), delivery)
    if day.chance(0.6):
        opened_ms = day.soon(at_ms, 2, 90)
        person.email("opened", opened_ms, delivery, prefetched=day.chance(0.4))
        if day.chance(0.3):
            person.email("clicked", opened_ms + 9_000, delivery, machine=day.chance(0.5), href="https://shop.example/")


def _history(person: Shopper) -> None:
    """Orders of long ago and the newest e-mail since, told at the start of the day under their old dates."""
    day, rng = person.day, person.day.rng
    told_ms = day.soon(day.start_ms, 1, HISTORY_MS / MINUTE_MS * 0.9)
    person.call("identify", told_ms, traits={"email": person.who.email, "plan": "none"})
    newest_ms = day.start_ms - rng.randint(61, 86) * DAY_MS
    for age in sorted((rng.randint(30, 300) for _ in range(rng.choice((0, 1, 1, 2)))), reverse=True):
        person.cart = [(rng.choice(PRODUCTS[:12]), 1)]
        told_ms += 2 * MINUTE_MS
        person.buy(newest_ms - age * DAY_MS, sent_ms=told_ms)
    person.cart = [(rng.choice(PRODUCTS[:12]), rng.choice((1, 2)))]
    told_ms += 2 * MINUTE_MS
    person.buy(newest_ms, sent_ms=told_ms)
    person.cart = []
    delivery, mailed_ms = f"d-{day.number()}", day.start_ms - rng.randint(2, 20) * DAY_MS
    person.email("sent", mailed_ms, delivery, sent_ms=told_ms + 2 * MINUTE_MS)
    person.email("opened", mailed_ms + HOUR_MS, delivery, sent_ms=told_ms + 3 * MINUTE_MS, prefetched=day.chance(0.25))
    if day.chance(0.3):
        _campaign(person, day.soon(day.start_ms, 180, 900))
    if day.chance(0.2):
        person.cart = [(rng.choice(PRODUCTS), 1)]
        _bought(person, day.soon(day.start_ms, 240, 1000))


def _repeat_some(day: Day) -> None:
    """The feeds are at least once: some messages come twice, orders more often than others."""
    for sent in list(day.sent):
        share = 0.15 if sent.kind == "order" else DUPLICATE_SHARE
        again_ms = sent.at_ms + day.rng.randint(1, 90) * SECOND_MS
        if day.chance(share) and again_ms < day.end_ms:
            day.sent.append(sent._replace(at_ms=again_ms, kind="duplicate", visit=0))


def _break_some(day: Day) -> None:
    span_ms = day.end_ms - day.start_ms
    for number in range(UNREADABLE_COUNT):
        at_ms = day.start_ms + int((number + 0.5) * span_ms / UNREADABLE_COUNT)
        body = UNREADABLE[number % len(UNREADABLE)]
        day.sent.append(Sent(at_ms, body, "pipelines", "", "unreadable", f"bad-{number}"))
