"""The cart: lines by product and variant, or a value that an event stated; exact, whatever order the events come in.

Rules: docs/architecture.md, "Cart". A Moment orders changes; a change older than the newest order or replacement is lost.
"""

from decimal import Decimal

import msgspec

from contracts.policy import Policy
from contracts.signals import Item
from streams.person import LINES_MAX, Cart, Line, Moment

ZERO = Decimal(0)


class CartView(msgspec.Struct, frozen=True, gc=False):
    """The cart at an instant. value is in the policy's currency, None unknown. until_ms: when time alone empties it."""

    empty: bool
    value: Decimal | None
    until_ms: int | None


def view(cart: Cart, at_ms: int, policy: Policy) -> CartView:
    if cart.touched is None or at_ms >= cart.touched[0] + policy.cart_forgotten_after:
        return CartView(True, ZERO, None)
    until_ms = cart.touched[0] + policy.cart_forgotten_after
    if cart.stated is not None:
        value = policy.converted(cart.stated, cart.stated_currency)
        return CartView(not cart.lines and cart.stated == 0, value, until_ms)
    if not cart.lines:
        return CartView(True, ZERO, None)
    total = ZERO
    for line in cart.lines.values():
        value = line_value(line, policy)
        if value is None:
            return CartView(False, None, until_ms)
        total += value
    return CartView(False, total, until_ms)


def line_value(line: Line, policy: Policy) -> Decimal | None:
    price = policy.converted(line.price, line.currency)
    return None if price is None else price * line.quantity


def largest_category(cart: Cart, policy: Policy) -> str | None:
    """Category of the line with the largest value, ties by product; a line of unknown value counts as the smallest."""
    return _largest(list(cart.lines.values()), policy)


def _largest(lines: list[Line], policy: Policy) -> str | None:
    if not lines:
        return None

    def rank(line: Line) -> tuple[bool, Decimal, str, str]:
        value = line_value(line, policy)
        return value is None, -(value or ZERO), line.product, line.variant

    return min(lines, key=rank).category


def add(cart: Cart, item: Item, currency: str | None, at: Moment, policy: Policy) -> None:
    forget(cart, at, policy)
    cart.touched = max(cart.touched or at, at)
    if cart.reset is not None and at < cart.reset:
        return
    quantity = Decimal(1) if item.quantity is None else max(item.quantity, ZERO)
    if quantity == 0:
        return
    key = _key(item)
    line = cart.lines.get(key)
    if line is None:
        _put(cart, key, item, currency, quantity, at)
    else:
        line.quantity += quantity
        if item.price is not None and (line.priced is None or at >= line.priced):
            line.price, line.currency, line.priced = item.price, item.currency or currency, at
        if item.category is not None and (line.categorized is None or at >= line.categorized):
            line.category, line.categorized = item.category, at
        if at >= line.touched:
            line.name = item.name or line.name
            line.touched = at
    _changed(cart, at)


def remove(cart: Cart, item: Item, at: Moment, policy: Policy) -> None:
    """Subtract; the whole line where no quantity is readable. A removal that finds no line is lost."""
    forget(cart, at, policy)
    line = cart.lines.get(_key(item))
    if line is None or (cart.reset is not None and at < cart.reset):
        return
    left = ZERO if item.quantity is None else line.quantity - max(item.quantity, ZERO)
    if left <= 0:
        del cart.lines[_key(item)]
    else:
        line.quantity = left
    _changed(cart, at)


def replace(
    cart: Cart, items: tuple[Item, ...] | None, amount: Decimal | None, currency: str | None, at: Moment, policy: Policy
) -> None:
    """A snapshot with lines replaces all lines touched before it; one with only a total states the value."""
    forget(cart, at, policy)
    cart.touched = max(cart.touched or at, at)
    if (cart.reset is not None and at < cart.reset) or (items is None and amount is None):
        return
    cart.reset = at
    if items is None:
        if cart.changed is None or at >= cart.changed:
            cart.stated, cart.stated_currency, cart.stated_at = amount, currency, at
        return
    _drop_before(cart, at)
    kept = set(cart.lines)
    for item in items:
        quantity = Decimal(1) if item.quantity is None else max(item.quantity, ZERO)
        key = _key(item)
        if key in kept or quantity == 0:
            continue
        line = cart.lines.get(key)
        if line is not None:  # the list names a product twice
            line.quantity += quantity
            if item.price is not None:
                line.price, line.currency = item.price, item.currency or currency
            if item.category is not None:
                line.category, line.categorized = item.category, at
            line.name = item.name or line.name
            continue
        _put(cart, key, item, currency, quantity, at)
    _changed(cart, at)


def order(cart: Cart, at: Moment, policy: Policy) -> str | None:
    """An order takes the lines last touched before it; says the category of the largest of them."""
    forget(cart, at, policy)
    category = _largest([line for line in cart.lines.values() if line.touched < at], policy)
    if cart.reset is None or at > cart.reset:
        cart.reset = at
    _drop_before(cart, at)
    return category


def forget(cart: Cart, at: Moment, policy: Policy) -> None:
    """A touch at `at` finds a cart empty that was untouched for too long."""
    if cart.touched is not None and at[0] >= cart.touched[0] + policy.cart_forgotten_after:
        _drop_before(cart, at)


def _drop_before(cart: Cart, at: Moment) -> None:
    cart.lines = {key: line for key, line in cart.lines.items() if line.touched >= at}
    if cart.stated_at is not None and cart.stated_at < at:
        cart.stated = cart.stated_currency = cart.stated_at = None


def _changed(cart: Cart, at: Moment) -> None:
    cart.changed = max(cart.changed or at, at)
    if cart.stated_at is not None and cart.stated_at <= at:
        cart.stated = cart.stated_currency = cart.stated_at = None


def _put(cart: Cart, key: str, item: Item, currency: str | None, quantity: Decimal, at: Moment) -> None:
    cart.lines[key] = Line(
        item.product,
        item.variant,
        item.name,
        item.category,
        quantity,
        item.price,
        item.currency or currency,
        at if item.price is not None else None,
        at,
        at if item.category is not None else None,
    )
    if len(cart.lines) > LINES_MAX:
        del cart.lines[min(cart.lines, key=lambda each: cart.lines[each].touched)]


def _key(item: Item) -> str:
    return f"{item.product}\x1f{item.variant}"
