"""What a marketer sets up in Intercom, step by step, with the names of the policy in force filled in. Pure text.

The API can create attributes only; segments, routing and messages are made in Intercom by hand. Names of attributes and
events are exact; Intercom may name its menus otherwise by now.
"""

from typing import NamedTuple

from contracts.fields import places, segment_field
from contracts.policy import Audience, Policy

EVENT_METADATA = "tier, reason, product, category, value, expires"  # of every event, where the fact is known


class Step(NamedTuple):
    """title: what it is for. lines: what to do, in order."""

    title: str
    lines: tuple[str, ...]


def steps(policy: Policy) -> tuple[Step, ...]:
    """Segments, then routing, then the proactive messages; audiences by falling priority."""
    return (_segments(policy), _routing(), _inbox(policy), *(_message(*found) for found in policy.by_priority))


def _segments(policy: Policy) -> Step:
    lines = [
        f'Contacts > Users > add the filter "{segment_field(name)} is true" > save the segment as "{_spoken(name)} now".'
        for name, _ in policy.by_priority
    ]
    lines.append(
        'Add the filter "cio_moment has any value" > save the segment as "Needs a person now": all of them together.'
    )
    return Step("Segments on the synced flags", tuple(lines))


def _routing() -> Step:
    return Step(
        "Routing for vip",
        (
            'Automation > Workflows > new > trigger "Customer sends their first message in a conversation".',
            'Branch on "User data > cio_tier is vip" and "User data > cio_moment has any value".',
            'In that branch: "Assign to" the team of your best people, then "Set priority".',
            'In a second branch, "User data > cio_moment has any value": "Assign to" the team that answers sales questions.',
            "Else: what you have today. Put the vip branch first, since the first branch that fits counts.",
        ),
    )


def _inbox(policy: Policy) -> Step:
    return Step(
        "What an agent sees",
        (
            "Inbox > any conversation > Details > Customize > pin cio_moment, cio_moment_reason, cio_moment_expires_at and "
            "cio_tier to the top of the user's data.",
            f"cio_moment_reason is a sentence; last_cart_value is in {policy.currency}.",
        ),
    )


def _message(name: str, audience: Audience) -> Step:
    flag = segment_field(name)
    asked = places(audience.because)
    facts = ", ".join(f"{{{fact}}}" for fact in asked if fact != "currency")
    about = f"In the text you may use {facts} of the user. " if facts else ""
    return Step(
        f"Proactive message: {_spoken(name)}",
        (
            f'Outbound > new message > Chat or Post > when: the event "{audience.event}" occurs.',
            f'Who: "{flag} is true", so that nobody gets it whose moment is over; the flag is written before the event.',
            f"{about}The event itself carries {EVENT_METADATA}.",
            'Frequency: every time the event occurs. Limits per person are the policy\'s ("caps"), set none here.',
            "Goal: your order event, so that Intercom counts it beside our own reckoning.",
        ),
    )


def _spoken(name: str) -> str:
    return name.replace("_", " ").capitalize()
