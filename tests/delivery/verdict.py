"""What a run came to: Intercom held against what was told, contact by contact, without the product's own thinking."""

from collections import Counter
from collections.abc import Iterable

from agents.outcomes import SHOWN_BUT
from contracts.signals import Scalar
from tests.delivery.plan import AMBIGUOUS, UNRESTORABLE, Shopper
from tests.delivery.world import World
from tests.intercom.scene import FLAG

CALL_MS_MAX = 12_000  # between the arrival of a write and its outcome


def compare(world: World) -> list[str]:
    """Sentences about what is not as it should be; empty where everything agrees."""
    found = [sentence for shopper in world.shoppers if (sentence := _wrong(world, shopper)) is not None]
    return found + list(_doubles(world))


def _wrong(world: World, shopper: Shopper) -> str | None:
    person, fate = shopper.person, shopper.fate
    newest, said = world.newest[person], world.outcomes.get(person)
    contact = world.contact(shopper)
    shown = contact.custom if contact is not None and contact.live else {}
    if said is None or said.revision != newest.revision:
        return f"{person} ({fate}): the newest revision has no outcome"
    if said.outcome == "shown":
        if said.reason is not None and not said.reason.startswith(SHOWN_BUT):
            return f"{person} ({fate}): shown, because {said.reason}"
        if world.struck_ms.get(person, 0) >= said.occurred_ms - CALL_MS_MAX:
            return None  # shown, then archived, deleted or merged by somebody: for the background pass to find
        if newest.activates and not shown:
            return f"{person} ({fate}): shown, but there is no contact"
        wanted = newest.attributes if shown else {}
        differs = [name for name, value in wanted.items() if not _same(value, shown.get(name))]
        return f"{person} ({fate}): {differs} differ" if differs else None
    justified = {
        "archived": fate in UNRESTORABLE and contact is not None and not contact.live,
        "ambiguous": fate in AMBIGUOUS,
        "attributes_unfit": world.archived_attributes > 0,
        "expired": newest.expires_ms is not None and newest.expires_ms <= world.clock.now_ms(),
    }
    if not justified.get(said.reason or "", False):
        return f"{person} ({fate}): refused without cause: {said.reason}"
    in_time = world.wire.arrived(newest)  # by a worker that died before it said so; the state would tell the end
    stands = shown.get(FLAG) is True and (said.reason == "ambiguous" or (said.reason == "expired" and not in_time))
    return f"{person} ({fate}): {said.reason}, yet the flag is shown" if stands else None


def _same(wanted: Scalar, shown: Scalar) -> bool:
    return wanted == shown or (shown is None and not wanted)


def _doubles(world: World) -> Iterable[str]:
    """No contact for whom we could not know, and one at most for everybody else."""
    emails = Counter(contact.email for contact in world.workspace.contacts.values() if contact.email)
    for shopper in world.shoppers:
        allowed = 2 if shopper.fate == "two_leads" else 1
        if emails[f"{shopper.number}@example.com"] > allowed:
            yield f"{shopper.person} ({shopper.fate}): more than one contact has the address"
        if shopper.fate in AMBIGUOUS and world.workspace.by_external_id(str(shopper.number)) is not None:
            yield f"{shopper.person} ({shopper.fate}): a contact was made though nobody could know"
