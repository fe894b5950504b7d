"""Commands: the desired state of one Intercom contact. A newer revision replaces every older one."""

import msgspec

from contracts import versions
from contracts.signals import Scalar

VERSION = 1


class ContactEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An Intercom event, dated with the anchor so that a repeat is the same event; metadata is flat, at most ten keys."""

    name: str
    created_s: int
    metadata: dict[str, Scalar | dict[str, Scalar]]


class Command(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Make the contact of `person` show `attributes`.

    external_id, email: how Intercom knows the person; at least one. revision: increasing per person.
    create: only an activation may create a contact. activates: holds an activation, so it waits the settle time and is
    dropped after `expires_ms`; everything else (withdrawals, facts) never waits. episode: the one that is shown now.
    decided_ms: log instant of the decision behind it. erase: the person is erased; clear what we wrote, then stop.
    merged: keys whose contacts this person took over; their flags are cleared by commands of their own.
    talked_ms: when the log last heard of a conversation of the person, by its own time; None: never.
    again: no new state; the contact of this very revision is to be read again and written where it differs.
    """

    person: str
    revision: int
    attributes: dict[str, Scalar]
    decided_ms: int
    external_id: str | None = None
    email: str | None = None
    create: bool = False
    activates: bool = False
    episode: str | None = None
    expires_ms: int | None = None
    event: ContactEvent | None = None
    erase: bool = False
    v: int = VERSION
    again: bool = False
    talked_ms: int | None = None


encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Command)


def decode(record: bytes) -> Command:
    """The command of one record. msgspec.DecodeError when it is none; NewerRecord."""
    return versions.read(record, _decoder, known=VERSION, word="command")
