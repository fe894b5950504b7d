"""What Customer.io is told of a person's moments: the names of events and attributes, and how our own messages are known.

Whatever carries one of these names or ids and comes back through a feed of Customer.io is ours, and says nothing new.
"""

from typing import Any

BEGAN = "Concierge Moment Began"
ENDED = "Concierge Moment Ended"
HELD_OUT = "Concierge Moment Held Out"  # the control group meets the same moments, so that revenue can be compared
EVENTS = frozenset({BEGAN, ENDED, HELD_OUT})

IN_MOMENT = "concierge_in_moment"  # true while Intercom shows a moment: journeys stand down
MOMENT = "concierge_moment"  # the audience, "" when there is none
MOMENT_UNTIL = "concierge_moment_until"  # unix seconds; the end, also where nobody says so any more
ARM = "concierge_arm"  # assisted or holdout
ASSISTED = "concierge_assisted"  # true from the first moment that was ordered to be shown
TRAITS = frozenset({IN_MOMENT, MOMENT, MOMENT_UNTIL, ARM, ASSISTED})

ID_PREFIX = "concierge-"  # of a messageId


def message_id(decision_id: str, kind: str) -> str:
    """The same for every repeat of the same decision. kind: `event` or `state`."""
    return f"{ID_PREFIX}{decision_id}-{kind}"


def is_ours(call: dict[str, Any]) -> bool:
    """By id, event name or attributes, whichever Customer.io has kept. A call of anybody else is never taken for ours."""
    given = call.get("messageId")
    if isinstance(given, str) and given.startswith(ID_PREFIX):
        return True
    event, traits = call.get("event"), call.get("traits")
    if call.get("type") == "track":
        return isinstance(event, str) and event in EVENTS
    return call.get("type") == "identify" and isinstance(traits, dict) and bool(traits) and traits.keys() <= TRAITS
