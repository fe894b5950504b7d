"""Staffed hours for the oracle: every half hour of a day looked at on the wall clock of the zone.

Spans of the policies that are drawn begin and end at full or half hours, and so do the changes of clocks.
"""

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from contracts.instant import DAY_MS, MINUTE_MS
from contracts.policy import Audience, Policy
from contracts.staffed_hours import Staffed

HALF_HOUR_MS = 30 * MINUTE_MS
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def staffed(audience: Audience, policy: Policy, at_ms: int) -> bool:
    """Whether somebody is there for this audience."""
    return audience.hours == "always" or _open(audience.hours, policy.time_zone, at_ms)


def next_change_ms(audience: Audience, policy: Policy, at_ms: int) -> int | None:
    """The first instant after `at_ms` at which somebody comes or the last one goes; None where somebody always is."""
    if audience.hours == "always":
        return None
    day = at_ms // DAY_MS
    while True:
        for change_ms in _changes(audience.hours, policy.time_zone, day):
            if change_ms > at_ms:
                return change_ms
        day += 1


@cache
def _changes(spans: tuple[Staffed, ...], zone: str, day: int) -> tuple[int, ...]:
    begin_ms = day * DAY_MS
    return tuple(
        at_ms
        for at_ms in range(begin_ms, begin_ms + DAY_MS, HALF_HOUR_MS)
        if _open(spans, zone, at_ms) != _open(spans, zone, at_ms - 1)
    )


def _open(spans: tuple[Staffed, ...], zone: str, at_ms: int) -> bool:
    wall = datetime.fromtimestamp(at_ms // 1000, ZoneInfo(zone))
    minutes = wall.hour * 60 + wall.minute
    return any(WEEK[wall.weekday()] in span.days and span.opens <= minutes < span.closes for span in spans)
