"""Money and quantities as senders write them, read into exact decimals or into nothing.

Readable: integers, floats (by their shortest decimal form) and plain text: a sign, digits with an optional `,` between
groups of three, an optional `.` and decimals, and beside them at most one of `$ EUR-sign GBP-sign` or a three-letter code
(`1,299.00`, `$12`, `12.50 USD`). Everything else is None: NaN, infinities, booleans, exponents in text, `12,50`.
"""

import math
import re
from decimal import ROUND_HALF_EVEN, Decimal

AMOUNT_ABS_MAX = Decimal(10) ** 12  # no order is that large; keeps every sum far inside the decimal context's 28 digits
_DECIMALS_MAX = 6  # the finest any currency or piece count is written in; finer digits are noise of binary floats
_SMALLEST = Decimal(1).scaleb(-_DECIMALS_MAX)
_TEXT_CHARS_MAX = 40  # 13 digits with separators, decimals and a code fit twice

_NUMBER = r"(?P<sign>[+-]?)\s*(?:[$€£]\s*)?(?P<number>(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
_TEXT = re.compile(rf"(?:[A-Za-z]{{3}}\s*)?(?:[$€£]\s*)?{_NUMBER}\s*(?:[A-Za-z]{{3}}|[$€£])?")


def read_amount(value: object) -> Decimal | None:
    """The exact amount, at most six decimals, absolute value below 10^12; None when it cannot be read."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value) if -AMOUNT_ABS_MAX < value < AMOUNT_ABS_MAX else None
    if isinstance(value, float):
        return _bounded(Decimal(repr(value))) if math.isfinite(value) else None
    if isinstance(value, str):
        return _from_text(value)
    return None


def _from_text(text: str) -> Decimal | None:
    if len(text) > _TEXT_CHARS_MAX:
        return None
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        return None
    return _bounded(Decimal(match["sign"] + match["number"].replace(",", "")))


def _bounded(amount: Decimal) -> Decimal | None:
    if not -AMOUNT_ABS_MAX < amount < AMOUNT_ABS_MAX:
        return None
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_DECIMALS_MAX:
        return amount.quantize(_SMALLEST, rounding=ROUND_HALF_EVEN)
    return amount if not isinstance(exponent, int) or exponent <= 0 else amount.quantize(Decimal(1))
