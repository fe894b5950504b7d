"""Staffing in log time: whether somebody is there for an audience at an instant, and when that may change next."""

from datetime import UTC, datetime, timedelta

from contracts.instant import HOUR_MS, MINUTE_MS
from contracts.policy import Audience, Policy
from contracts.staffed_hours import staffed

WEEK_MINUTES = 7 * 24 * 60


def staffed_at(audience: Audience, at_ms: int, policy: Policy) -> bool:
    return audience.hours == "always" or staffed(audience.hours, policy.zone, _aware(at_ms))


def next_change_ms(audience: Audience, at_ms: int, policy: Policy) -> int | None:
    """The next full minute at which somebody may come or go. None where somebody is always there.

    While the clocks stand still it is read off the week's spans; across a change of clocks it is looked for minute by
    minute, at most an hour on.
    """
    if audience.hours == "always":
        return None
    at, minute_ms = _aware(at_ms), at_ms - at_ms % MINUTE_MS
    wall = at.astimezone(policy.zone)
    minute = (wall.weekday() * 24 + wall.hour) * 60 + wall.minute
    ahead = min((edge - minute - 1) % WEEK_MINUTES + 1 for edge in audience.staffing_edges)
    if (at + timedelta(minutes=ahead)).astimezone(policy.zone).utcoffset() == wall.utcoffset():
        return minute_ms + ahead * MINUTE_MS
    now = staffed(audience.hours, policy.zone, at)
    for minutes in range(1, 60):
        if staffed(audience.hours, policy.zone, at + timedelta(minutes=minutes)) != now:
            return minute_ms + minutes * MINUTE_MS
    return minute_ms + HOUR_MS


def _aware(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC)
