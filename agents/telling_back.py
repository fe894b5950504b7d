"""What is still to be told to Customer.io of one person: the newest attributes, and the events that led there. Pure.

Attributes collapse to the newest, so that a backlog costs one call a person; each event keeps the id of its decision.
"""

from typing import Any, Literal

import msgspec

from contracts import told_back, versions
from contracts.decisions import Decision
from contracts.instant import DAY_MS, from_rfc3339
from contracts.signals import Scalar

EVENTS_MAX = 64  # of one person waiting: at the caps of any sane policy this is months; the oldest fall out
EVENT_AGE_MS_MAX = 3 * DAY_MS  # an older one starts no journey; whoever sets a write key late gets no flood of the past
TAG = b"T1"  # kind and version of a stored record
Passed = Literal["no_id", "of_no_interest", "erased", "too_old"]


class Told(msgspec.Struct, frozen=True):
    """One event: the decision's id, its instant, its properties."""

    decision: str
    name: str
    at: str
    properties: dict[str, Scalar]


class Untold(msgspec.Struct, frozen=True, omit_defaults=True):
    """state: (id of the newest decision, attributes as they are to be), None where none changes. events: oldest first."""

    state: tuple[str, dict[str, Scalar]] | None = None
    events: tuple[Told, ...] = ()


def add(untold: Untold, decision: Decision, now_ms: int) -> Untold | Passed:
    """What is to be told with this decision; a word where it is nothing. `erased`: all that waits is to be forgotten.

    Only people with an id are told of: it is Customer.io's own, so that no call creates anybody; of one who was erased
    there nothing is told, since that would bring the profile back.
    """
    if not decision.person.startswith("id:"):
        return "no_id"
    if decision.reason == "erased":
        return "erased"
    name = _event(decision)
    if name is None:
        return "of_no_interest"
    if any(told.decision == decision.id for told in untold.events):
        return untold
    state = (decision.id, {**(untold.state[1] if untold.state else {}), **_attributes(decision)})
    if from_rfc3339(decision.at) <= now_ms - EVENT_AGE_MS_MAX:
        return Untold(state, untold.events)
    event = Told(decision.id, name, decision.at, _properties(decision))
    return Untold(state, (*untold.events, event)[-EVENTS_MAX:])


def messages(person: str, untold: Untold) -> list[dict[str, Any]]:
    """The calls in their order: events as they happened, then the attributes as they are now."""
    user = person.removeprefix("id:")
    calls: list[dict[str, Any]] = [
        {
            "type": "track", "userId": user, "messageId": told_back.message_id(told.decision, "event"),
            "event": told.name, "timestamp": told.at, "properties": told.properties,
        }
        for told in untold.events
    ]  # fmt: skip
    if untold.state is not None:  # without a timestamp: Customer.io passes over attributes dated before its newest
        decision, traits = untold.state
        message_id = told_back.message_id(decision, "state")
        calls.append({"type": "identify", "userId": user, "messageId": message_id, "traits": traits})
    return calls


def without(untold: Untold, sent: Untold) -> Untold | None:
    """What is left after `sent` has arrived; None where nothing is. What came meanwhile stays."""
    arrived = {told.decision for told in sent.events}
    events = tuple(told for told in untold.events if told.decision not in arrived)
    state = None if untold.state == sent.state else untold.state
    return Untold(state, events) if events or state is not None else None


def _event(decision: Decision) -> str | None:
    if decision.outcome == "activated":
        return told_back.BEGAN
    if decision.outcome == "withdrawn":
        return told_back.ENDED
    return told_back.HELD_OUT if decision.reason == "holdout" else None


def _attributes(decision: Decision) -> dict[str, Scalar]:
    traits: dict[str, Scalar] = {told_back.ARM: decision.arm}
    if decision.outcome == "activated":
        traits |= {told_back.IN_MOMENT: True, told_back.MOMENT: decision.audience, told_back.ASSISTED: True}
        if decision.expires_at is not None:
            traits[told_back.MOMENT_UNTIL] = from_rfc3339(decision.expires_at) // 1000
    elif decision.outcome == "withdrawn" and decision.arm == "assisted":
        ended_s = from_rfc3339(decision.at) // 1000
        traits |= {told_back.IN_MOMENT: False, told_back.MOMENT: "", told_back.MOMENT_UNTIL: ended_s}
    return traits


def _properties(decision: Decision) -> dict[str, Scalar]:
    """No clauses: they hold what the person did, which Customer.io has told us."""
    return {
        "audience": decision.audience, "episode": decision.episode, "reason": decision.reason, "arm": decision.arm,
        "tier": decision.tier, "occurred_at": decision.occurred_at, "expires_at": decision.expires_at,
        "policy": decision.policy,
    }  # fmt: skip


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Untold)


def encode(untold: Untold) -> bytes:
    return TAG + _encoder.encode(untold)


def decode(data: bytes) -> Untold:
    """NewerRecord where it was written by a newer release."""
    return versions.upcast(data, {TAG: _decoder.decode}, word="what is to be told back")
