"""What a marketer sets up in Intercom, step by step, with the names of the policy in force filled in. Pure text.

The API can create attributes only; segments, routing and messages are made in Intercom by hand. Names of attributes and
events are exact; Intercom may name its menus otherwise by now.
"""

import re
from typing import NamedTuple

from contracts.fields import places, segment_field
from contracts.policy import Audience, Policy

EVENT_FACTS = ("tier", "reason", "product", "category", "value", "expires")  # of every event, where the fact is known
ABBREVIATIONS = frozenset({"aov", "cx", "ltv", "sms", "vip"})


class Step(NamedTuple):
    """title: what it is for. lines: what to do, in order."""

    title: str
    lines: tuple[str, ...]


def steps(policy: Policy) -> tuple[Step, ...]:
    """Segments, then routing, then the proactive messages; audiences by falling priority."""
    messages = (_message(name, audience) for name, audience in policy.by_priority)
    return (_segments(policy), _routing(), _inbox(policy), _messages(), *messages)


def _segments(policy: Policy) -> Step:
    one_each = (f'"{spoken(name)} now": {segment_field(name)} is true' for name, _ in policy.by_priority)
    return Step(
        "Segments on the synced flags",
        (
            "Contacts > Add filter > choose the attribute; then Save segment, under the name in quotes.",
            *one_each,
            '"Needs a person now", all of them together: cio_moment has any value',
        ),
    )


def _routing() -> Step:
    return Step(
        "Routing for vip",
        (
            'Workflows > New workflow > trigger "Customer sends their first message".',
            "First branch, where cio_tier is vip and cio_moment has any value: assign to the team of your best people, "
            "mark as priority.",
            "Second branch, where cio_moment has any value: assign to the team that answers sales questions.",
            "Else: what you have today. The first branch that fits counts, so keep this order.",
        ),
    )


def _inbox(policy: Policy) -> Step:
    return Step(
        "What an agent sees",
        (
            "Inbox > any conversation > Details > Customize: pin cio_moment, cio_moment_reason, cio_moment_expires_at and "
            "cio_tier to the top of the user's data.",
            f"cio_moment_reason says why, in a sentence; last_cart_value is in {policy.currency}.",
        ),
    )


def _messages() -> Step:
    return Step(
        "Proactive messages: how each of the following is made",
        (
            "Outbound > New message > Chat or Post, to a dynamic audience.",
            "When to send: add an event rule with the message's event. Only events that come once it is live count.",
            "Who: the message's flag is true, so that nobody gets it whose moment is over. The flag is written before the "
            "event comes.",
            "Frequency: every time the event occurs. Set no limit, no schedule and no control group here: how often, at "
            'which hours and who is held out are in the policy ("caps", "hours", "holdout"), and who is held out gets no event.',
            f"Text: each event carries {', '.join(EVENT_FACTS)}, where they are known; give each a fallback.",
            "Goal: your order event, where Intercom gets it; Concierge tells whether it paid (`concierge lift`).",
        ),
    )


def _message(name: str, audience: Audience) -> Step:
    facts = [fact for fact in dict.fromkeys(places(audience.because)) if fact != "currency"]
    about = (f"Attributes for the text: {', '.join(facts)}",) if facts else ()
    return Step(
        f"Proactive message: {spoken(name)}",
        (
            f"Event: {event_name(audience.event)}",
            f"Who: {segment_field(name)} is true",
            f'Why, as an agent reads it: "{audience.because}"',
            *about,
        ),
    )


def event_name(event: str) -> str:
    """As Intercom shows it: it takes no dots and no dollar signs."""
    return re.sub(r"[.$]", "-", event)


def spoken(name: str) -> str:
    words = [word.upper() if word in ABBREVIATIONS else word for word in name.split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]
