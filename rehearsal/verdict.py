"""Verdicts: what a persona file expects, held against what came.

Money compares as numbers whatever their form; instants to the millisecond. An attribute that Intercom was never told
reads as false, 0 or null.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec

from contracts.decisions import Decision
from contracts.instant import SECOND_MS, duration_text, from_rfc3339, to_rfc3339
from contracts.signals import Scalar
from rehearsal.persona import Check, Persona

INSTANTS = ("at", "occurred_at", "expires_at")
SHOWN = ("at", "audience", "outcome", "reason")  # of a decision that nobody expected


class Difference(NamedTuple):
    """One line of the comparison; held says whether both sides agree. None: there is no such thing on that side."""

    place: str
    expected: str | None
    actual: str | None
    held: bool


def at_ms(decision: Decision) -> int:
    return from_rfc3339(decision.at)


def decided(persona: Persona, decisions: Sequence[Decision]) -> list[Difference]:
    """One line per expected or actual decision, in order."""
    if persona.expect is None:
        return []
    lines = []
    for index in range(max(len(persona.expect), len(decisions))):
        wanted = persona.expect[index] if index < len(persona.expect) else None
        came = _told(decisions[index]) if index < len(decisions) else None
        keys = tuple(wanted) if wanted is not None else SHOWN
        held = wanted is not None and came is not None and all(agree(wanted[key], came[key]) for key in wanted)
        expected, actual = (None if side is None else _row(side, keys, persona.start_ms) for side in (wanted, came))
        lines.append(Difference(f"expect[{index}]", expected, actual, held))
    return lines


def seen(persona: Persona, check: Check, actual: Mapping[str, Scalar], *, unwritten: bool) -> list[Difference]:
    """One line per attribute of a check. unwritten: an attribute without a value may stand for false, 0 or null."""
    at = offset_text(check.at_ms - persona.start_ms)
    lines = []
    for name, wanted in check.wanted.items():
        came = actual.get(name)
        held = agree(wanted, came) or (unwritten and came in (None, "") and _nothing(wanted))
        lines.append(Difference(f"{check.place} at {at}: {name}", _plain(wanted), _plain(came), held))
    return lines


def agree(wanted: Any, came: Any) -> bool:
    """Equal as what they mean: 180, 180.0 and "180.00" are one amount, true is no number."""
    if isinstance(wanted, bool) or isinstance(came, bool):
        return wanted is came
    numbers = isinstance(wanted, int | float) or isinstance(came, int | float)
    if numbers and wanted is not None and came is not None:
        try:
            return Decimal(str(wanted)) == Decimal(str(came))
        except InvalidOperation:
            return False
    return bool(wanted == came)


def offset_text(span_ms: int) -> str:
    sign, span_ms = ("-", -span_ms) if span_ms < 0 else ("", span_ms)
    rest_ms = span_ms % SECOND_MS
    return f"{sign}{duration_text(span_ms)}" + (f" and {rest_ms} ms" if rest_ms else "")


def _nothing(wanted: Any) -> bool:
    return wanted is None or wanted is False or wanted == "" or (not isinstance(wanted, bool) and wanted == 0)


def _told(decision: Decision) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(decision)
    return told | {key: from_rfc3339(told[key]) for key in INSTANTS if told[key] is not None}


def _row(side: Mapping[str, Any], keys: Sequence[str], start_ms: int) -> str:
    return ", ".join(f"{key}: {_value(key, side[key], start_ms)}" for key in keys)


def _value(key: str, value: Any, start_ms: int) -> str:
    if key in INSTANTS and value is not None:
        return offset_text(value - start_ms) if value >= start_ms else to_rfc3339(value)
    return _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
