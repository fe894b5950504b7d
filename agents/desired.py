"""The courier's record of one contact: what it is to show, what it shows, and when the next attempt is due.

Pure: a command and the present time in, a record out. The newest revision wins, so a backlog collapses to one call.
"""

from collections.abc import Mapping

import msgspec

from agents.intercom.known import Known
from contracts import versions
from contracts.commands import Command
from contracts.fields import is_flag
from contracts.signals import Scalar

MOMENT = "cio_moment"
MOMENT_ENDS = "cio_moment_expires_at"
BACKOFF_FIRST_MS = 2_000  # a write whose answer was lost is over by then
BACKOFF_MAX_MS = 60_000  # a withdrawal is tried for ever, but not more often than this
DOUBLINGS_MAX = 5  # 2 s doubled five times is beyond the longest pause
BEGUN_MAX = 8  # moments told while one withdrawal is owed; of one that is forgotten the withdrawal goes once more
SEARCH_LAG_MS = 180_000  # recorded searches were right after two minutes, another sender waits three
TAG = b"C1"  # kind and version of a stored record


class Contact(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """desired: the newest command, None once it was settled for an erased person. settled: the revision that has an outcome.

    unseen_until_ms: until then a contact may exist that no search shows, since a create of ours is in doubt.
    owed: a command without outcome that takes back what may still be shown; a newer activation does not hold it up.
    begun: (name, end) of the moments that were to be shown since, the newest last.
    since_ms: when the courier first heard of the activation that waits. not_before_ms: no attempt earlier than this.
    attempts: failed ones since the last outcome. refusal: reason of the last outcome where it was a refusal.
    """

    revision: int = 0
    desired: Command | None = None
    known: Known = Known()
    settled: int = 0
    since_ms: int = 0
    not_before_ms: int = 0
    attempts: int = 0
    refusal: str | None = None
    erased: bool = False
    owed: Command | None = None
    unseen_until_ms: int = 0
    begun: tuple[tuple[Scalar, Scalar], ...] = ()

    @property
    def pending(self) -> bool:
        return self.desired is not None and self.desired.revision > self.settled

    @property
    def next(self) -> Command | None:
        """The command that is to be delivered next."""
        return self.owed or self.desired

    @property
    def begins(self) -> bool:
        """Whether the next command would begin a moment; such a one waits, everything else goes at once."""
        return self.next is not None and _begins(self.next, self.known)

    @property
    def may_show(self) -> bool:
        """Whether the contact shows a moment, or may: after a write whose answer was lost."""
        return self.known.attributes is None or self.known.attributes.get(MOMENT) is not None


def _begins(command: Command, known: Known) -> bool:
    moment = command.attributes.get(MOMENT)
    if command.erase or (moment is None and not command.activates):
        return False
    return command.activates or (known.attributes or {}).get(MOMENT) != moment


def desire(contact: Contact, command: Command, now_ms: int, *, flying: bool = False) -> Contact:
    """The record with `command` as its aim; unchanged where the command is no newer, or the person was erased.

    flying: a call for the person is in flight, of which nobody knows yet what it will have shown.
    """
    if command.again:
        return again(contact, now_ms) if command.revision == contact.revision else contact
    if contact.erased or command.revision <= contact.revision:
        return contact
    waiting = contact.desired if contact.pending else None
    if waiting is not None and _goes_on(waiting, command):
        command = msgspec.structs.replace(
            command,
            create=waiting.create,
            activates=True,
            episode=waiting.episode,
            expires_ms=waiting.expires_ms,
            event=waiting.event,
        )
        since_ms = contact.since_ms
    else:
        since_ms = now_ms
    shows = flying or contact.may_show
    holds_up = contact.pending and not contact.begins and shows and _begins(command, contact.known)
    return msgspec.structs.replace(
        contact,
        revision=command.revision,
        desired=command,
        since_ms=since_ms,
        attempts=0,
        not_before_ms=min(contact.not_before_ms, now_ms + BACKOFF_FIRST_MS),  # what is new waits for no old failures
        erased=command.erase,
        owed=contact.next if holds_up else None,
        begun=(*contact.begun, _moment(command.attributes))[-BEGUN_MAX:] if holds_up else (),
    )


def again(contact: Contact, now_ms: int) -> Contact:
    """The record with its newest command to be shown once more, by what Intercom shows then; its event is not repeated.

    Unchanged where an attempt waits anyway, or there is nothing to show.
    """
    if contact.pending or contact.desired is None:
        return contact
    return msgspec.structs.replace(
        contact,
        known=Known(event=contact.known.event),
        settled=contact.revision - 1,
        since_ms=now_ms,
        attempts=0,
        not_before_ms=0,
    )


def _goes_on(waiting: Command, newer: Command) -> bool:
    """Facts of a person whose activation still waits: the newer command shows the same moment and lacks its making."""
    moment = waiting.attributes.get(MOMENT)
    return waiting.activates and not newer.activates and not newer.erase and newer.attributes.get(MOMENT) == moment


def _moment(attributes: Mapping[str, Scalar]) -> tuple[Scalar, Scalar]:
    """What tells one moment of a person from another, as far as Intercom shows it."""
    return attributes.get(MOMENT), attributes.get(MOMENT_ENDS)


def in_a_moment(shown: Mapping[str, Scalar]) -> bool:
    """Whether a contact that shows this shows a moment, or a flag of one."""
    return shown.get(MOMENT) is not None or any(value for name, value in shown.items() if is_flag(name))


def passed(contact: Contact, shown: Mapping[str, Scalar]) -> Contact:
    """The record without what is owed, where the contact shows no moment, or one that was told later; else unchanged.

    shown: as read just now. What else it shows stays in doubt, so the moment is written in full when its time comes.
    """
    if contact.owed is None or (in_a_moment(shown) and _moment(shown) not in contact.begun):
        return contact
    return msgspec.structs.replace(contact, owed=None, begun=())


def expired(contact: Contact, now_ms: int) -> bool:
    """Whether the next command would show a moment that is over by itself."""
    command = contact.next
    if command is None or not contact.begins:
        return False
    ends_s = command.attributes.get(MOMENT_ENDS)
    over = isinstance(ends_s, int) and ends_s * 1000 <= now_ms
    return over or (command.expires_ms is not None and command.expires_ms <= now_ms)


def ready_ms(contact: Contact, settle_ms: int) -> int:
    """When the next command may go at the earliest."""
    return max(contact.not_before_ms, contact.since_ms + settle_ms if contact.begins else 0)


def backoff_ms(attempts: int) -> int:
    """The pause after one more failure than `attempts`."""
    return min(BACKOFF_FIRST_MS << min(attempts, DOUBLINGS_MAX), BACKOFF_MAX_MS)


def postponed(contact: Contact, known: Known, now_ms: int, pause_ms: int, *, unknown: bool) -> Contact:
    """unknown: whether a write may have been done."""
    unseen_ms = now_ms + SEARCH_LAG_MS if unknown and known.intercom_id is None else contact.unseen_until_ms
    return msgspec.structs.replace(
        contact, known=known, not_before_ms=now_ms + pause_ms, attempts=contact.attempts + 1, unseen_until_ms=unseen_ms
    )


def doubted(contact: Contact, now_ms: int) -> Contact:
    """What the contact shows is in doubt: whoever had the record before may have written more than it wrote down."""
    known = msgspec.structs.replace(contact.known, attributes=None)
    return msgspec.structs.replace(contact, known=known, unseen_until_ms=now_ms + SEARCH_LAG_MS)


def paused(contact: Contact, known: Known, until_ms: int) -> Contact:
    """Put off by no failure."""
    return msgspec.structs.replace(contact, known=known, not_before_ms=until_ms)


def learned(contact: Contact, known: Known) -> Contact:
    return msgspec.structs.replace(contact, known=known)


def settled(contact: Contact, revision: int, refusal: str | None) -> Contact:
    """An outcome is known for `revision`; of an erased person nothing but the fact stays."""
    if contact.erased and contact.revision == revision:
        return Contact(revision=revision, settled=revision, erased=True, refusal=refusal)
    owed = contact.owed if contact.owed is not None and contact.owed.revision != revision else None
    return msgspec.structs.replace(
        contact,
        settled=max(contact.settled, revision),
        attempts=0,
        not_before_ms=0,
        refusal=refusal,
        owed=owed,
        begun=contact.begun if owed is not None else (),
    )


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Contact)


def encode(contact: Contact) -> bytes:
    return TAG + _encoder.encode(contact)


def decode(data: bytes) -> Contact:
    """NewerRecord where it was written by a newer release."""
    return versions.upcast(data, {TAG: _decoder.decode}, word="contacts")
