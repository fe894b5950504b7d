"""What reading one message gives: signals, what was refused and why, and what was passed over on purpose.

Every message ends in at least one of the three, so nothing disappears without a trace.
"""

from typing import Literal, NamedTuple

import msgspec

from contracts.signals import PersonSignal

RejectReason = Literal[
    "not_json", "not_utf8", "too_large", "too_deep", "too_many_calls", "wrong_type", "unknown_envelope", "no_type",
    "no_person", "bad_key", "ancient",
]  # fmt: skip
IgnoreReason = Literal["group", "empty_batch", "no_person", "topic", "ping", "preferences", "housekeeping", "ours"]


class Rejected(NamedTuple):
    """For quarantine: the bytes as they came, of the whole message or of the one call in a batch that is bad."""

    reason: RejectReason
    value: bytes


class Parsed(msgspec.Struct, frozen=True):
    signals: tuple[PersonSignal, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    ignored: tuple[IgnoreReason, ...] = ()


class Refused(Exception):
    """Raised inside the reading of one call, never out of `calls.parse`."""

    def __init__(self, reason: RejectReason) -> None:
        super().__init__(reason)
        self.reason: RejectReason = reason
