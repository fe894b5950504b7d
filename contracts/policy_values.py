"""The values that stand in a policy: texts, spans, amounts, counts, names, each read strictly and described for editors.

A type refuses what its word does not mean (`true` for a number, `30` for a span) with what to write instead.
"""

import math
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from contracts.instant import DAY_MS, duration_ms
from contracts.money import AMOUNT_ABS_MAX

REMEMBERED_MAX = (
    16  # occurrences of a page kind, an event or a send that a person's record keeps; no rule may ask for more
)
SPAN_DAYS_MAX = 36_500  # a hundred years: longer than any customer, and far below what an instant may be
SPAN_MS_MAX = SPAN_DAYS_MAX * DAY_MS
SPAN_CHARS_MAX = 40  # of a duration's text; the longest that is needed has four parts

NOT_BLANK_PATTERN = r"\S"
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,59}$"
CURRENCY_PATTERN = r"^[A-Z]{3}$"
DURATION_PATTERN = r"(\d+(\.\d+)?[smhd])+"


def span_ms(text: str) -> int:
    """Milliseconds of a duration. ValueError when it is none, or longer than a span may be."""
    try:
        length_ms = duration_ms(text) if len(text) <= SPAN_CHARS_MAX else SPAN_MS_MAX + 1
    except ValueError:
        raise ValueError("write a duration with its unit, such as 30m, 2h30m or 3d") from None
    if length_ms > SPAN_MS_MAX:
        raise ValueError(f"write a duration of at most {SPAN_DAYS_MAX}d")
    return length_ms


def _read_span(value: object) -> int:
    """A duration text becomes milliseconds; a bare 0 is a number to YAML."""
    bare = value == 0 and isinstance(value, int) and not isinstance(value, bool)
    return span_ms("0" if bare else str(value))


def _some_time(length_ms: int) -> int:
    if length_ms == 0:
        raise ValueError("write a duration above 0, or nothing is ever counted")
    return length_ms


def _read_amount(value: object) -> object:
    """Floats by their shortest decimal form. A bool is no amount, though Python counts with it."""
    if isinstance(value, bool):
        raise ValueError("write a number, such as 150 or 99.90")
    return str(value) if isinstance(value, float) else value


def _read_scalar(value: object) -> object:
    if not isinstance(value, str | bool | int | float) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("write one text, number, true or false")
    return value


def _read_names(value: object) -> object:
    return [value] if isinstance(value, str) else value


def span_schema(pattern: str) -> WithJsonSchema:
    """What an editor is told of a text of this pattern, for which a bare 0 may stand."""
    return WithJsonSchema({"anyOf": [{"const": 0}, {"type": "string", "pattern": rf"^\s*{pattern}\s*$"}]})


Text = Annotated[str, Field(pattern=NOT_BLANK_PATTERN)]
Span = Annotated[int, BeforeValidator(_read_span), span_schema(rf"(0|{DURATION_PATTERN})")]
Lately = Annotated[Span, AfterValidator(_some_time)]  # a rolling span in which something is counted
Money = Annotated[
    Decimal,
    Field(gt=-AMOUNT_ABS_MAX, lt=AMOUNT_ABS_MAX),
    BeforeValidator(_read_amount),
    WithJsonSchema({"type": ["number", "string"]}),
]
Count = Annotated[int, Field(ge=0, le=REMEMBERED_MAX, strict=True)]
PageKind = Literal["product", "help", "returns", "shipping"]
_NAME_SCHEMA = {"type": "string", "pattern": NOT_BLANK_PATTERN}
Names = Annotated[
    tuple[Text, ...],
    Field(min_length=1),
    BeforeValidator(_read_names),
    WithJsonSchema({"anyOf": [_NAME_SCHEMA, {"type": "array", "items": _NAME_SCHEMA, "minItems": 1}]}),
]
Scalar = Annotated[
    str | bool | int | float,
    BeforeValidator(_read_scalar),
    WithJsonSchema({"type": ["string", "boolean", "number"]}),
]
