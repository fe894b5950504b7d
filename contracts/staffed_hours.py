"""Staffed hours: when somebody is there for an audience.

`staffed(hours, zone, at)` answers for an aware instant; the spans follow the clock on the wall, also when it is changed.
"""

import re
from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from contracts.conditions import Rule
from contracts.policy_errors import misplaced

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_CLOCK_PATTERN = r"([01]?[0-9]|2[0-4]):([0-5][0-9])"


def _minutes(text: object) -> int:
    match = re.fullmatch(_CLOCK_PATTERN, str(text))
    if match is None or (minutes := int(match[1]) * 60 + int(match[2])) > 24 * 60:
        raise ValueError('write a time of day, such as "09:00"')
    return minutes


ClockTime = Annotated[
    int, BeforeValidator(_minutes), WithJsonSchema({"type": "string", "pattern": rf"^{_CLOCK_PATTERN}$"})
]


class Staffed(Rule):
    """Staffed on these days from `from` until before `to`, in the policy's time zone."""

    days: tuple[Day, ...] = Field(min_length=1, description="The days of the week.")
    opens: ClockTime = Field(alias="from", description="When somebody is there from, on the clock of the time zone.")
    closes: ClockTime = Field(alias="to", description="When nobody is there any more; 24:00 is the end of the day.")

    @model_validator(mode="after")
    def _ordered(self) -> "Staffed":
        if self.opens >= self.closes:
            raise misplaced(("to",), "`from` must be before `to`; write a night as two spans")
        return self


def _read_hours(value: object) -> object:
    if value != "always" and not isinstance(value, list | tuple):
        raise ValueError('write always, or a list such as [{days: [mon, tue], from: "09:00", to: "17:00"}]')
    return value


Hours = Annotated[
    Annotated[Literal["always"], Tag("always")] | Annotated[tuple[Staffed, ...], Field(min_length=1), Tag("spans")],
    Discriminator(lambda value: "always" if value == "always" else "spans"),
    BeforeValidator(_read_hours),
]


def staffed(hours: Hours, zone: ZoneInfo, at: datetime) -> bool:
    """Whether somebody is there at the aware instant `at`."""
    if hours == "always":
        return True
    local = at.astimezone(zone)
    minute, day = local.hour * 60 + local.minute, DAYS[local.weekday()]
    return any(day in span.days and span.opens <= minute < span.closes for span in hours)
