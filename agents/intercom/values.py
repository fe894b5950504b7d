"""Attribute values as Intercom takes them, and which of them differ from what it shows."""

import math

from contracts.fields import STRING_CHARS_MAX, DataType
from contracts.signals import Scalar


def typed(attributes: dict[str, Scalar], types: dict[str, DataType]) -> dict[str, Scalar]:
    """The values in the exact type of their attribute; what has no meaning in that type becomes None, which clears."""
    return {name: _typed(value, types.get(name)) for name, value in attributes.items()}


def _typed(value: Scalar, data_type: DataType | None) -> Scalar:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool):
        return value if data_type in (None, "boolean") else None
    if isinstance(value, str):
        return value[:STRING_CHARS_MAX] if data_type in (None, "string") else None
    match data_type:
        case "float":
            return float(value)
        case "integer" | "date":
            return int(value)
        case "boolean" | "string":
            return None
        case None:
            return value


def changed(wanted: dict[str, Scalar], shown: dict[str, Scalar] | None) -> dict[str, Scalar]:
    """What has to be written. An attribute that was never written reads as false, 0 or null; None: all, since in doubt."""
    if shown is None:
        return dict(wanted)
    return {name: value for name, value in wanted.items() if not _same(value, shown.get(name))}


def _same(wanted: Scalar, shown: Scalar) -> bool:
    return wanted == shown or (shown is None and not wanted)
