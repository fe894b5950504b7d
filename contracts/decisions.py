"""Decisions: a change of an episode, with all that explains it. The spine of explain, lift, comparison and audit."""

import hashlib
from typing import Literal

import msgspec

from contracts import versions
from contracts.instant import to_rfc3339
from contracts.signals import Scalar

VERSION = 1

Outcome = Literal["activated", "withheld", "withdrawn"]
Reason = Literal[
    "qualified",
    "purchased",
    "refunded",
    "cancelled",
    "unsubscribed",
    "in_conversation",
    "excluded",
    "erased",
    "stale_data",
    "holdout",
    "outside_hours",
    "cap",
    "pressure",
    "priority",
    "no_longer_true",
    "expired",
    "policy_changed",
    "moved",
]
Arm = Literal["assisted", "holdout"]
Tier = Literal["vip", "high", "standard"]


class Clause(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of the judgement: what was asked, whether it held, and the values that it saw."""

    clause: str
    held: bool
    saw: dict[str, Scalar] = {}


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """As JSON: times are RFC 3339 UTC with milliseconds.

    episode: `<audience>@<anchor>`. at: the instant that time alone brought, or the acceptance of the signal that brought it.
    occurred_at: when the cause occurred. expires_at: end of the episode's window, None where it has none.
    cause: `time`, or `signal:<message id>`. policy: hash of the policy in force. id: equal for the same decision anywhere.
    """

    person: str
    audience: str
    episode: str
    outcome: Outcome
    reason: Reason
    at: str
    occurred_at: str
    expires_at: str | None
    arm: Arm
    tier: Tier
    cause: str
    clauses: tuple[Clause, ...]
    policy: str
    id: str
    v: int = VERSION


def episode_name(audience: str, anchor_ms: int) -> str:
    return f"{audience}@{to_rfc3339(anchor_ms)}"


def decision_id(person: str, episode: str, outcome: str, reason: str, at: str) -> str:
    """24 hex digits that depend on nothing but the arguments, so that a repeat is seen as one."""
    return hashlib.sha256("\x1f".join((person, episode, outcome, reason, at)).encode()).hexdigest()[:24]


encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Decision)


def decode(record: bytes) -> Decision:
    """The decision of one record; without `v` it is of version 1. msgspec.DecodeError when it is none; NewerRecord."""
    return versions.read(record, _decoder, known=VERSION, word="decision")
