"""Whether a contact in Intercom shows what the state says, and if not, how it differs. Pure."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from agents.desired import MOMENT, MOMENT_ENDS, Contact, in_a_moment
from agents.intercom.values import changed
from contracts.fields import is_flag
from contracts.signals import Scalar

OVERDUE_MS = 60_000  # what takes a moment back at its end waits for log time and for the courier; both take seconds
What = Literal["edited", "standing", "missing", "archived", "refused"]


class Drift(NamedTuple):
    """edited: attributes differ. standing: a moment is shown beyond its end. missing, archived: the contact that should
    show a moment. refused: Intercom did not take the newest command, `reason` says why.

    differs: attribute -> (what the state says, what Intercom shows).
    """

    person: str
    what: What
    reason: str | None
    differs: dict[str, tuple[Scalar, Scalar]]


def drift(
    person: str, contact: Contact, wanted: Mapping[str, Scalar], shown: Mapping[str, Scalar] | None, now_ms: int
) -> Drift | None:
    """None where they agree, or where an attempt still waits. wanted: of the newest command, in Intercom's types.

    shown: by attribute, None where there is no such contact.
    """
    if contact.desired is None:
        return None  # erased, or never to be shown
    if shown is None:
        return _absent(person, contact, wanted, now_ms)
    if _over(shown.get(MOMENT_ENDS), now_ms - OVERDUE_MS) and in_a_moment(shown):
        names = [name for name in shown if name == MOMENT or (is_flag(name) and shown[name])]
        return Drift(person, "standing", contact.refusal, {name: (wanted.get(name), shown[name]) for name in names})
    if contact.pending or contact.refusal == "expired":
        return None
    differs = {name: (value, shown.get(name)) for name, value in changed(dict(wanted), dict(shown)).items()}
    if not differs:
        return None
    return Drift(person, "refused" if contact.refusal else "edited", contact.refusal, differs)


def _absent(person: str, contact: Contact, wanted: Mapping[str, Scalar], now_ms: int) -> Drift | None:
    """Never written reads as false, so that only a moment is missed; not one that is over anyway."""
    if contact.pending or wanted.get(MOMENT) is None or _over(wanted.get(MOMENT_ENDS), now_ms):
        return None
    what: What = "archived" if contact.refusal == "archived" else "missing"
    return Drift(person, what, contact.refusal, {MOMENT: (wanted[MOMENT], None)})


def _over(ends_s: Scalar, at_ms: int) -> bool:
    return isinstance(ends_s, int) and not isinstance(ends_s, bool) and ends_s * 1000 <= at_ms
