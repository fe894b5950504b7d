"""A story in words: reasons, refusals, clauses and instants as a support agent or a marketer reads them."""

import re

from contracts.decisions import Clause, Decision, Reason
from contracts.instant import from_rfc3339, to_rfc3339
from contracts.signals import Scalar
from streams.identity import CAME_ALONG

REASONS: dict[Reason, str] = {
    "qualified": "it fits, and nothing holds it back",
    "purchased": "the person has bought",
    "refunded": "an order was refunded",
    "cancelled": "an order was cancelled",
    "unsubscribed": "the person has unsubscribed",
    "in_conversation": "the person is talking with support, or just was",
    "excluded": "the policy excludes the person",
    "erased": "the person was erased",
    "stale_data": "the data that it stands on is not to be trusted",
    "holdout": "left alone, to see what moments are worth",
    "outside_hours": "nobody is there at this hour",
    "cap": "the person has had as many moments as the cap allows",
    "pressure": "Customer.io has just written to the person",
    "priority": "a more important moment has the place",
    "no_longer_true": "it is not true any more",
    "expired": "its time is over",
    "policy_changed": "the policy was changed",
    "moved": "it goes on under a stronger key of the person",
}
REFUSALS = {
    "archived": "the contact is archived there; restore it if that is wanted",
    "ambiguous": "several contacts have this e-mail address; merge them there",
    "no_identity": "neither an id nor an e-mail address is known",
    "merged_in_a_loop": "its contacts are merged into each other",
    "conflict": "another contact has this id or e-mail address",
    "attributes_unfit": "an attribute there has another type or is missing; see `concierge setup --check`",
    "expired": "its time was over before it could be shown",
}
STEPS = {
    "window": "within its window",
    "no stop": "no stop holds",
    "inputs sound": "the data is sound",
    "staffed": "somebody is there",
    "below the cap": "below the cap",
    "no channel pressure": "no message just now",
    "no higher moment": "no more important moment",
    "arm": "not held out",
}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MONEY = "_value"  # facts of this ending are money


class Clock:
    """Instants in UTC, to the minute or to the second; the day is named where it is another than the one named before."""

    def __init__(self, *, seconds: bool = False) -> None:
        self._day = ""
        self._chars = len("11:00:00") if seconds else len("11:00")

    def at(self, at_ms: int) -> str:
        day, _, time = to_rfc3339(at_ms).partition("T")
        if day == self._day:
            return time[: self._chars]
        self._day = day
        return f"{day} {time[: self._chars]} UTC"


def refusal(reason: str | None) -> str:
    """Intercom's own words stay as they are, since there may be any number."""
    return REFUSALS.get(reason or "", reason or "unknown")


def clause(one: Clause, day: str = "") -> str:
    """day: instants of this day (YYYY-MM-DD) are told by their time alone."""
    saw = ", ".join(f"{name} {near(value(name, seen), day)}" for name, seen in one.saw.items())
    text = STEPS.get(one.clause, one.clause)
    return f"{text} ({saw})" if saw else text


def near(text: str, day: str) -> str:
    """An instant as in decisions without the `T`, and without the day where it is this one; other text as it is."""
    if not INSTANT.fullmatch(text):
        return text
    return text[11:19] if text[:10] == day else f"{text[:10]} {text[11:19]}"


def value(name: str, seen: Scalar) -> str:
    if seen is None:
        return "unknown"
    if isinstance(seen, bool):
        return "yes" if seen else "no"
    if isinstance(seen, int | float):
        return f"{seen:.2f}" if name.endswith(MONEY) else f"{seen:g}"
    return seen


def reason(decision: Decision) -> str:
    """With what holds it back and until when, where the decision says so."""
    if CAME_ALONG in decision.clauses:
        return "it goes on, having come along with a weaker key of the person"
    words = REASONS[decision.reason]
    failed = next((one for one in decision.clauses if not one.held and one.clause in STEPS), None)
    if decision.outcome != "withheld" or failed is None:
        higher = failed.saw.get("higher") if failed is not None else None
        return f"{words}: {higher}" if isinstance(higher, str) else words
    until = failed.saw.get("until")
    return f"{words}, until {Clock().at(from_rfc3339(until))}" if isinstance(until, str) else words


def conditions(decision: Decision) -> str:
    """What the person did, for whoever has no sentence of the policy: the conditions that held, with what they saw."""
    return "; ".join(clause(one) for one in decision.clauses if one.held and one.clause not in STEPS)
