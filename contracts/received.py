"""A record of a source topic as our receiver writes it: when it was accepted and from where, then the raw bytes.

The frame is one ASCII line `concierge1 <accepted_ms> <source>` before the body. A record without it comes from a brand's
own bridge and is the body itself.
"""

import re
from typing import NamedTuple

from contracts.versions import newer

_NEWER_FRAME = re.compile(rb"concierge([2-9]|[1-9][0-9]{1,3}) [0-9]{1,15} [a-z_]{1,40}\n")
_FRAME = re.compile(rb"concierge1 ([0-9]{1,15}) ([a-z_]{1,40})\n")


class Received(NamedTuple):
    """accepted_ms and source are None for a record that our receiver did not write."""

    accepted_ms: int | None
    source: str | None
    body: bytes


def frame(body: bytes, *, accepted_ms: int, source: str) -> bytes:
    """The record's value; source is lower-case words such as `customerio_webhook`."""
    return b"concierge1 %d %s\n%s" % (accepted_ms, source.encode("ascii"), body)


def unframe(value: bytes) -> Received:
    """Bytes without the frame are a body of unknown acceptance. NewerRecord for the frame of a newer receiver alone."""
    match = _FRAME.match(value)
    if match is None:
        if _NEWER_FRAME.match(value):
            raise newer("this message was received by a newer release")
        return Received(None, None, value)
    return Received(int(match[1]), match[2].decode("ascii"), value[match.end() :])
