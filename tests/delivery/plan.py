"""A seeded plan: who is told what and when, and what happens to their contacts behind the courier's back."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from contracts.commands import Command, ContactEvent
from tests.intercom.scene import FLAG, START_MS, activation, calm, shown, withdrawal

Fate = Literal[
    "plain", "email_only", "existing", "raced", "archived_before", "archived", "deleted", "merged",
    "stranger_has_email", "two_leads", "talking",
]  # fmt: skip
SHARES: dict[Fate, int] = {
    "plain": 21, "email_only": 8, "existing": 8, "raced": 6, "archived_before": 5, "archived": 5, "deleted": 17, "merged": 15,
    "stranger_has_email": 5, "two_leads": 5, "talking": 5,
}  # fmt: skip
AMBIGUOUS: tuple[Fate, ...] = ("stranger_has_email", "two_leads")
UNRESTORABLE: tuple[Fate, ...] = ("archived_before", "archived", "deleted")
COMMANDS_EACH = 4  # on average
GAPS_SECONDS = ((0.0, 0.0), (0.0, 0.4), (0.05, 5.0), (5.0, 12.0), (12.0, 90.0))
SOON_MS = 20_000  # an activation that expires within the story
STRUCK_MS = 6_000  # a first activation is shown by then, mostly
ENDS_MS = START_MS + 100 * 3_600_000
DEATH_MS = 5_400  # after an activation was told it has mostly just been written, and no record says so yet
SUCCESSOR_MS = 17_000  # between the death of a worker and the first activation of the next one
BEFORE_SECONDS = 130  # what exists before the story is in the search index by then


class Told(NamedTuple):
    at_ms: int
    command: Command


class Shopper(NamedTuple):
    """told: in order of revisions. struck_ms: when the contact is archived, deleted or merged."""

    number: int
    fate: Fate
    told: tuple[Told, ...]
    struck_ms: int

    @property
    def person(self) -> str:
        return self.told[0].command.person


def draw(commands_min: int, seed: int) -> list[Shopper]:
    """Shoppers with at least so many commands between them."""
    rng = random.Random(seed)
    span_seconds = commands_min / 8  # some 30 requests a second, since each 429 stops them all for ten seconds
    fates = [fate for fate, share in SHARES.items() for _ in range(share)]
    shoppers: list[Shopper] = []
    total = 0
    while total < commands_min:
        fate = fates[len(shoppers) % len(fates)]
        shopper = _shopper(rng, len(shoppers), fate, span_seconds)
        total += len(shopper.told)
        shoppers.append(shopper)
    return shoppers


def fates(shoppers: list[Shopper]) -> Counter[str]:
    return Counter(shopper.fate for shopper in shoppers)


def deaths(shoppers: list[Shopper], count: int) -> list[int]:
    """When the worker dies: right after a moment was shown of which only the successor hears that it is over. `count` at most."""
    hurtful = sorted(shopper.told[-2].at_ms + DEATH_MS for shopper in shoppers if _hurts(shopper))
    count = min(count, len(hurtful))
    return [hurtful[len(hurtful) * number // count] for number in range(count)]


def _hurts(shopper: Shopper) -> bool:
    """Whether the last moment begins anew, in a contact that stands in the records, and ends before a successor shows it."""
    first, (before, begun, over) = shopper.told[0], (shopper.told[0], *shopper.told)[-3:]
    known = shopper.fate not in (*AMBIGUOUS, *UNRESTORABLE) and before.at_ms - first.at_ms > DEATH_MS
    anew = [told.command.activates for told in (first, before, begun, over)] == [True, False, True, False]
    return known and anew and DEATH_MS < over.at_ms - begun.at_ms < DEATH_MS + SUCCESSOR_MS


def _shopper(rng: random.Random, number: int, fate: Fate, span_seconds: float) -> Shopper:
    at_ms = START_MS + int((BEFORE_SECONDS + rng.uniform(0, span_seconds)) * 1000)
    told: list[Told] = []
    begins = rng.random() < 0.9
    for revision in range(1, rng.randint(2, 2 * COMMANDS_EACH - 2) + 1):
        told.append(Told(at_ms, _command(rng, number, fate, revision, at_ms, begins)))
        goes_on = rng.random() < 0.2  # the same moment, told with newer facts, or another one
        begins = goes_on if told[-1].command.activates else True
        at_ms += int(rng.uniform(*rng.choice(GAPS_SECONDS)) * 1000)
    last, first_of_all = told[-1].command, not any(one.command.activates for one in told[:-1])
    if last.expires_ms is not None and last.expires_ms < ENDS_MS and not (first_of_all and rng.random() < 0.5):
        over_ms = max(
            at_ms, last.expires_ms + rng.randint(0, 2000)
        )  # what the state tells when a moment is over by itself
        told.append(Told(over_ms, _command(rng, number, fate, last.revision + 1, over_ms, begins=False)))
    return Shopper(number, fate, tuple(told), rng.randint(told[0].at_ms + STRUCK_MS, told[-1].at_ms + 4 * STRUCK_MS))


def _command(rng: random.Random, number: int, fate: Fate, revision: int, at_ms: int, begins: bool) -> Command:
    person, external_id, email = f"id:{number}", str(number), f"{number}@example.com"
    names: dict[str, object] = {"external_id": external_id, "email": email, "decided_ms": at_ms}
    if fate in ("email_only", "two_leads"):
        person = f"email:{email}"
        names["external_id"] = None
    facts = {"lifetime_orders": revision, "last_cart_value": float(rng.randint(0, 900))}
    if not begins:
        return withdrawal(revision, person, attributes=calm(**facts), **names)
    expires_ms = at_ms + SOON_MS if rng.random() < 0.15 else ENDS_MS + revision * 60_000  # no two moments end together
    attributes = shown(**facts, cio_moment_expires_at=expires_ms // 1000)
    event = ContactEvent("cart_abandoned_high_aov", at_ms // 1000, {"tier": "vip"})
    return activation(
        revision, person, attributes=attributes, expires_ms=expires_ms // 1000 * 1000, event=event, **names
    )


def withdrawn(command: Command, now_ms: int) -> Command:
    """What the state tells once it hears of a conversation."""
    nothing = {FLAG: False, "cio_moment": None, "cio_moment_reason": None, "cio_moment_expires_at": None}
    return msgspec.structs.replace(
        command, revision=command.revision + 1, attributes=command.attributes | nothing, create=False, activates=False,
        episode=None, expires_ms=None, event=None, decided_ms=now_ms,
    )  # fmt: skip


Happening = tuple[int, int, Callable[[], None]]


def numbered(command: Command, before: Command | None) -> Command:
    """The command with the revision that follows on the last one of its person."""
    return msgspec.structs.replace(command, revision=before.revision + 1 if before is not None else 1)
