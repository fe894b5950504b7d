"""Product lines as shops write them: a list, one object, objects by some key, or any of these as JSON text."""

from collections.abc import Mapping
from typing import Any

from contracts.envelope import read_json
from contracts.money import read_amount
from contracts.parsed import Refused
from contracts.signals import Item

ITEMS_MAX = 500  # lines of one call; state keeps carts, and no consumer's cart is larger
TEXT_CHARS_MAX = (
    100  # of any text that state may keep; beyond it no name tells a product from another, and records stay small
)

_MARKS = frozenset({"product_id", "sku", "name", "variant", "category", "price", "quantity"})
_UNREADABLE = Item(product="")


def text_of(value: object) -> str | None:
    """Text or a number as text, trimmed and cut; None where there is none."""
    if isinstance(value, str):
        return value.strip()[:TEXT_CHARS_MAX] or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)[:TEXT_CHARS_MAX]
    return None


def currency_of(value: object) -> str | None:
    return value.strip().upper()[:TEXT_CHARS_MAX] or None if isinstance(value, str) else None


def read_product(fields: Mapping[str, Any]) -> Item:
    """One line; what cannot be read is None, so that a value that depends on it is unknown and not wrong."""
    get = fields.get
    name = text_of(get("name"))
    return Item(
        product=text_of(get("product_id")) or text_of(get("sku")) or name or "",
        variant=text_of(get("variant")) or "",
        name=name,
        category=text_of(get("category")),
        price=read_amount(get("price")),
        currency=currency_of(get("currency")),
        quantity=read_amount(get("quantity")),
    )


def flat_product(properties: Mapping[str, Any]) -> Item | None:
    """The product whose fields stand in the properties themselves, None where none does."""
    return None if _MARKS.isdisjoint(properties) else read_product(properties)


def read_products(products: object) -> tuple[Item, ...] | None:
    """The lines of `products`; None where there is nothing readable, () for an empty list or object.

    An entry that is no object, and all entries beyond `ITEMS_MAX` together, become a line without a price, which makes
    the value of the whole unknown.
    """
    if isinstance(products, str):
        try:
            products = read_json(products.encode("utf-8", "replace"))
        except Refused:
            return None
    if isinstance(products, dict):
        products = list(products.values()) if _MARKS.isdisjoint(products) else [products]
    if not isinstance(products, list):
        return None
    lines = [read_product(line) if isinstance(line, dict) else _entry(line) for line in products[:ITEMS_MAX]]
    if len(products) > ITEMS_MAX:
        lines[-1] = _UNREADABLE
    return tuple(lines)


def _entry(line: object) -> Item:
    return Item(product=text_of(line) or "")
