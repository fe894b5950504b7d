"""What is known of one person, computed anew from the list of all signals that count so far.

Nothing is carried from one call to the next: `learn(applied, policy)` starts from nothing each time. A record that was
handed over stands in the list as a list of its own, at the place of the claim. All that happened is united as if it had
been told of one person; only the cart, the cart that an order emptied, and an order told to both keys know whose they were.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, TypeGuard

from contracts.instant import DAY_MS
from contracts.policy import Policy
from contracts.signals import Consented, Conversed, Erased, Identified, Item, Messaged, Paged, PersonSignal, Tracked

When = tuple[int, int]  # occurred_ms, position in the log: "ties by log order"
Told = tuple[When, PersonSignal]


class Handed(NamedTuple):
    """All that a weaker key had been told when it was claimed."""

    applied: Sequence["Told | Handed"]


Applied = Sequence[Told | Handed]

REPLACING = ("Cart Viewed", "Checkout Started", "Checkout Updated")
OCCASION_MS = DAY_MS
OCCASIONS_MAX = 6


@dataclass
class Line:
    quantity: Decimal
    price: Decimal | None
    currency: str | None
    category: str | None
    priced: When
    touched: When
    categorized: When = (-1, -1)

    def value(self, policy: Policy) -> Decimal | None:
        each = policy.converted(self.price, self.currency)
        return None if each is None else each * self.quantity


@dataclass
class Cart:
    lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    total: Decimal | None = None
    total_currency: str | None = None
    has_total: bool = False
    base: When = (-1, -1)
    changed: When = (-1, -1)
    touched: When | None = None

    def forget_total(self) -> None:
        self.total, self.total_currency, self.has_total = None, None, False

    def empty(self) -> bool:
        return not self.lines and not (self.has_total and self.total != 0)

    def value(self, policy: Policy) -> Decimal | None:
        if self.has_total:
            return policy.converted(self.total, self.total_currency)
        values = [line.value(policy) for line in self.lines.values()]
        return None if any(value is None for value in values) else sum((v for v in values if v is not None), Decimal(0))


@dataclass
class Order:
    """amount: None while no message told one. items: None while no message had any."""

    when: When
    order_id: str | None
    amount: Decimal | None = None
    items: tuple[Item, ...] | None = None
    line: str | None = None  # category of the largest line
    cart: str | None = None  # category of the cart that it emptied
    refunded: Decimal = Decimal(0)
    full: bool = False
    cancelled: bool = False

    @property
    def value(self) -> Decimal:
        return self.amount or Decimal(0)

    @property
    def category(self) -> str | None:
        return self.line or self.cart

    def counts(self) -> bool:
        return not (self.full or self.cancelled)

    def fill(self, other: "Order") -> None:
        """Take from a later word on the same order what this one lacks."""
        if self.amount is None:
            self.amount = other.amount
        if self.items is None:
            self.items, self.line = other.items, other.line
        self.cart = self.cart or other.cart


@dataclass
class Facts:
    cart: Cart = field(default_factory=Cart)
    orders: list[Order] = field(default_factory=list)  # all that were seen, oldest first
    counted: list[Order] = field(default_factory=list)
    refunds: list[tuple[int, bool]] = field(default_factory=list)  # occurred_ms, full
    cancels: list[int] = field(default_factory=list)
    pages: list[tuple[When, str]] = field(default_factory=list)
    events: list[tuple[When, str, str | None]] = field(default_factory=list)
    sends: list[int] = field(default_factory=list)
    clicks: list[When] = field(default_factory=list)
    opened: bool | None = None
    clicked: bool | None = None
    consents: dict[str, bool] = field(default_factory=dict)
    conversations: dict[str, tuple[When, bool]] = field(default_factory=dict)
    traits: dict[str, object] = field(default_factory=dict)
    email: str | None = None
    viewed: str | None = None
    erased: bool = False
    cycle_ms: Fraction | None = None

    def lifetime_value(self) -> Decimal:
        return sum((max(order.value - order.refunded, Decimal(0)) for order in self.counted), Decimal(0))


def learn(applied: Applied, policy: Policy, address: tuple[When, str] | None = None) -> Facts:
    """The facts that these signals (in log order) tell."""
    facts = Facts()
    in_time = sorted(flat(applied), key=lambda pair: pair[0])
    facts.cart, emptied = cart_of(applied, policy)
    facts.orders = sorted(orders_of(applied, emptied, policy).values(), key=lambda order: order.when)
    _refunds(facts, in_time, policy)
    facts.counted = [order for order in facts.orders if order.counts()]
    facts.cycle_ms = cycle_of(facts.counted, policy)
    emails = [address] if address is not None else []
    facts.erased = any(isinstance(signal, Erased) for _, signal in in_time)
    for when, signal in in_time:
        if isinstance(signal, Tracked):
            facts.events.append((when, signal.event, signal.order_id))
            if signal.event == "Product Viewed" and signal.item is not None:
                facts.viewed = signal.item.name or signal.item.product or facts.viewed
            if signal.event.startswith("Viewed ") and signal.event.endswith(" Page"):
                facts.pages.append((when, page_kind(signal.path or signal.event, policy)))
        elif isinstance(signal, Paged):
            facts.pages.append((when, page_kind(signal.path, policy)))
        elif isinstance(signal, Consented):
            facts.consents[signal.tool] = signal.subscribed
        elif isinstance(signal, Conversed):
            facts.conversations[signal.conversation] = (when, signal.open)
        elif isinstance(signal, Identified):
            facts.traits.update(signal.traits)
            emails += [(when, signal.email)] if signal.email is not None else []
    facts.email = max(emails)[1] if emails else None
    _mail(facts, in_time, policy)
    return facts


def flat(applied: Applied) -> list[Told]:
    """All that was told, handed over or not."""
    told: list[Told] = []
    for entry in applied:
        told += flat(entry.applied) if isinstance(entry, Handed) else [entry]
    return told


def page_kind(path: str, policy: Policy) -> str:
    return next((kind for kind, pattern in policy.path_patterns if pattern.match(path)), "other")


def _mail(facts: Facts, in_time: Sequence[Told], policy: Policy) -> None:
    messages = [(when, signal) for when, signal in in_time if isinstance(signal, Messaged)]
    for when, message in messages:
        if message.metric == "sent" and message.channel in policy.pressure.channels:
            facts.sends.append(when[0])
        if message.channel == "email" and message.metric == "clicked" and message.human:
            facts.clicks.append(when)
    mails = [message for _, message in messages if message.channel == "email"]
    sent = [message.delivery for message in mails if message.metric == "sent"]
    if sent:
        of_newest = {mail.metric for mail in mails if mail.delivery == sent[-1] and mail.human}
        facts.opened, facts.clicked = "opened" in of_newest, "clicked" in of_newest


def cart_of(applied: Applied, policy: Policy) -> tuple[Cart, dict[int, str | None]]:
    """The cart, and by log position of an order's message the category of the cart that it emptied."""
    cart, emptied, ordered = Cart(), dict[int, str | None](), set[str]()
    for entry in applied:
        if isinstance(entry, Handed):
            theirs, more = cart_of(entry.applied, policy)
            cart, emptied = unite(cart, theirs, policy), {**more, **emptied}
            ordered |= {signal.order_id for _, signal in flat([entry]) if _is_order(signal, policy) and signal.order_id}
            continue
        when, signal = entry
        if not isinstance(signal, Tracked):
            continue
        if _is_order(signal, policy):
            if signal.order_id is not None and signal.order_id in ordered:
                continue
            ordered.add(signal.order_id or f"message {when[1]}")
            _forget_old(cart, when, policy)
            gone = {key: line for key, line in cart.lines.items() if line.touched < when}
            emptied[when[1]] = largest(gone, policy)
            _keep_later(cart, when)
        elif signal.event in REPLACING or signal.event in ("Product Added", "Product Removed"):
            _forget_old(cart, when, policy)
            if when > cart.base:
                _change(cart, when, signal)
            if signal.event != "Product Removed":
                cart.touched = max(cart.touched or when, when)
    return cart, emptied


def _is_order(signal: PersonSignal, policy: Policy) -> TypeGuard[Tracked]:
    return isinstance(signal, Tracked) and signal.event in policy.names.orders


def unite(ours: Cart, theirs: Cart, policy: Policy) -> Cart:
    """Two carts of one person: quantities of the same product add up; the newer price and touch speak. The newest order
    or replacement of one takes what the other held before it; its own lines it has dealt with."""
    older, newer = sorted((ours, theirs), key=lambda cart: cart.touched or (-1, -1))
    if older.touched is not None and newer.touched is not None:
        _forget_old(older, newer.touched, policy)
    both = Cart(base=max(ours.base, theirs.base), changed=max(ours.changed, theirs.changed))
    kept = [
        {key: line for key, line in mine.lines.items() if line.touched >= other.base}
        for mine, other in ((ours, theirs), (theirs, ours))
    ]
    for key in kept[0] | kept[1]:
        same = [lines[key] for lines in kept if key in lines]
        priced, told = max(same, key=lambda line: line.priced), max(same, key=lambda line: line.categorized)
        touched = max(line.touched for line in same)
        quantity = sum((line.quantity for line in same), Decimal(0))
        both.lines[key] = Line(
            quantity, priced.price, priced.currency, told.category, priced.priced, touched, told.categorized
        )
    stated = max((cart for cart in (ours, theirs) if cart.has_total), key=lambda cart: cart.changed, default=None)
    if stated is not None and stated.changed >= max(both.base, both.changed):
        both.has_total, both.total, both.total_currency = True, stated.total, stated.total_currency
    both.touched = max((cart.touched for cart in (ours, theirs) if cart.touched is not None), default=None)
    return both


def _forget_old(cart: Cart, when: When, policy: Policy) -> None:
    if cart.touched is not None and when[0] >= cart.touched[0] + policy.cart_forgotten_after:
        cart.lines.clear()
        cart.forget_total()


def _keep_later(cart: Cart, when: When) -> None:
    """What an order or a replacement of that time takes away: lines last touched before it, and an older total."""
    cart.lines = {key: line for key, line in cart.lines.items() if line.touched > when}
    if cart.changed < when:
        cart.forget_total()
    cart.base = max(cart.base, when)


def _change(cart: Cart, when: When, signal: Tracked) -> None:
    if signal.event in REPLACING:
        if signal.items is not None:
            _keep_later(cart, when)
            later = set(cart.lines)
            for item in signal.items:
                if (item.product, item.variant) not in later:
                    _add(cart, when, item, signal.currency)
        elif signal.amount is not None:
            cart.base = max(cart.base, when)
            if when > cart.changed:
                cart.has_total, cart.total, cart.total_currency = True, signal.amount, signal.currency
                cart.changed = when
        return
    items = (signal.item,) if signal.item is not None else signal.items or ()
    for item in items:
        key = (item.product, item.variant)
        if signal.event == "Product Added":
            _add(cart, when, item, signal.currency)
        elif key in cart.lines:
            line = cart.lines[key]
            line.quantity = Decimal(0) if item.quantity is None else max(line.quantity - item.quantity, Decimal(0))
            if line.quantity == 0:
                del cart.lines[key]
            cart.forget_total()
            cart.changed = max(cart.changed, when)


def _add(cart: Cart, when: When, item: Item, currency: str | None) -> None:
    quantity = Decimal(1) if item.quantity is None else item.quantity
    line = cart.lines.setdefault((item.product, item.variant), Line(Decimal(0), None, None, None, (-1, -1), when))
    line.quantity += quantity
    if item.price is not None and when >= line.priced:
        line.price, line.currency, line.priced = item.price, item.currency or currency, when
    if item.category is not None and when >= line.categorized:
        line.category, line.categorized = item.category, when
    line.touched = max(line.touched, when)
    cart.forget_total()
    cart.changed = max(cart.changed, when)


def largest(lines: dict[tuple[str, str], Line], policy: Policy) -> str | None:
    ranked = sorted(lines.items(), key=lambda pair: (-(pair[1].value(policy) or Decimal(0)), pair[0]))
    return ranked[0][1].category if ranked else None


def largest_item(items: Sequence[Item], currency: str | None, policy: Policy) -> str | None:
    """Category of the largest line of an order; its lines stand for themselves, also two of one product."""

    def rank(item: Item) -> tuple[Decimal, str, str]:
        each = policy.converted(item.price, item.currency or currency) or Decimal(0)
        return (-each * (Decimal(1) if item.quantity is None else item.quantity), item.product, item.variant)

    return min(items, key=rank).category if items else None


def orders_of(applied: Applied, emptied: dict[int, str | None], policy: Policy) -> dict[str, Order]:
    """One per order_id; the first in the log counts, a value or lines that it lacks come from the next. Of two records
    that both knew it, the one of which it occurred earlier counts as the first."""
    orders: dict[str, Order] = {}
    for entry in applied:
        if isinstance(entry, Handed):
            for name, theirs in orders_of(entry.applied, emptied, policy).items():
                first, second = sorted((orders.get(name, theirs), theirs), key=lambda order: order.when)
                first.fill(second)
                orders[name] = first
            continue
        when, signal = entry
        if _is_order(signal, policy):
            line = largest_item(signal.items or (), signal.currency, policy)
            told = Order(when, signal.order_id, amount_of(signal, policy), signal.items or None, line)
            told.cart = emptied.get(when[1])
            orders.setdefault(signal.order_id or f"\0{when[1]}", told).fill(told)
    return orders


def amount_of(signal: Tracked, policy: Policy) -> Decimal | None:
    stated = policy.converted(signal.amount, signal.currency)
    if stated is not None:
        return stated
    if not signal.items:
        return None
    values = [policy.converted(item.price, item.currency or signal.currency) for item in signal.items]
    pairs = zip(values, signal.items, strict=True)
    known = [v * (Decimal(1) if item.quantity is None else item.quantity) for v, item in pairs if v is not None]
    return sum(known, Decimal(0)) if len(known) == len(values) else None


def _refunds(facts: Facts, in_time: Sequence[Told], policy: Policy) -> None:
    by_id = {order.order_id: order for order in facts.orders if order.order_id is not None}
    for when, signal in in_time:
        if not isinstance(signal, Tracked):
            continue
        order = by_id.get(signal.order_id) if signal.order_id is not None else None
        if signal.event in policy.names.cancels:
            facts.cancels.append(when[0])
            if order is not None:
                order.cancelled = True
        elif signal.event in policy.names.refunds + policy.names.partial_refunds:
            whole, amount = signal.event in policy.names.refunds, amount_of(signal, policy)
            if order is None:
                facts.refunds.append((when[0], whole and amount is None))
                continue
            order.refunded += amount or Decimal(0)
            full = whole if order.value == 0 else (whole and amount is None) or order.refunded >= order.value
            order.full = order.full or full
            facts.refunds.append((when[0], order.full))


def cycle_of(counted: list[Order], policy: Policy) -> Fraction | None:
    """The reorder cycle in milliseconds; None where unknown."""
    occasions: list[int] = []
    for order in counted:
        if not occasions or order.when[0] - occasions[-1] >= OCCASION_MS:
            occasions.append(order.when[0])
    if len(occasions) >= 3:
        last = occasions[-OCCASIONS_MAX:]
        gaps = sorted(later - earlier for earlier, later in itertools.pairwise(last))
        return Fraction(gaps[(len(gaps) - 1) // 2] + gaps[len(gaps) // 2], 2)
    days = policy.reorder_days.get(counted[-1].category or "") if counted else None
    return None if days is None else Fraction(days * DAY_MS)
