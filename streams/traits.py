"""A Customer.io attribute, read as what the policy asks for: a truth, a number or a text.

`holds(test, value)` answers a `trait` condition. Senders write one and the same value in several types (3, 3.0, "3"), so the
type that the policy writes decides how it is compared. Total: every value has an answer, and what is not set holds nothing.
"""

import math
import re
from decimal import Decimal

from contracts.conditions import TraitTest
from contracts.signals import Scalar
from streams.person import State

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def holds(test: TraitTest, value: Scalar) -> bool:
    """All that the test gives must hold; a test that gives a name alone asks whether the attribute is set."""
    return value is not None and _equal(test.equals, value) and _within(test, value)


def trait(state: State, name: str) -> Scalar:
    known = state.traits.get(name)
    return None if known is None else known[1]


def truthy(value: Scalar) -> bool:
    """True in any casing, 1 and "1", as Customer.io reads its reserved booleans."""
    return _truth(value) is True


def _equal(wanted: Scalar, value: Scalar) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, bool):
        return _truth(value) is wanted
    if isinstance(wanted, str):
        return _text(value) == wanted
    number = _number(value)
    return number is not None and number == _number(wanted)


def _within(test: TraitTest, value: Scalar) -> bool:
    if all(bound is None for bound in (test.above, test.at_least, test.below, test.at_most)):
        return True
    number = _number(value)
    return number is not None and test.contain(number)


def _truth(value: Scalar) -> bool | None:
    """None for what is neither true nor false."""
    if isinstance(value, str):
        return _TRUTHS.get(value.lower())
    return bool(value) if value in (0, 1) else None


def _number(value: Scalar) -> Decimal | None:
    """Exact; a bool is none, nor are infinities, exponents in text, and thousands with commas."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    return Decimal(repr(value)) if math.isfinite(value) else None


def _text(value: Scalar) -> str:
    """As Customer.io shows it: true, 3 (also of 3.0), 2.5."""
    if isinstance(value, bool):
        return "true" if value else "false"
    number = None if isinstance(value, str) else _number(value)
    if number is None:
        return str(value)
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
