"""The slow pass in the background: one settled contact every few seconds is read in Intercom and held against its record.

Counted, and mended by the courier where the policy says so. It never writes itself, and never looks at a contact of which a
command waits: what it finds then would be old. A conversation of whose end no webhook told is told to the log.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

import structlog

from agents import desired
from agents.agreement import What, drift
from agents.courier import TALK_OLD_MS
from agents.desired import Contact
from agents.examination import Looker
from agents.intercom import Refused, TryLater, Unknown
from agents.measures import RECONCILED
from agents.outcomes import closed
from contracts.signals import Conversed

CLOSED_SLACK_MS = 60_000  # between Intercom's own time of a close and that of its webhook
PLACES_MAX = 1000  # people of a partition to choose from; of eight partitions a day at one every ten seconds
TOLD_MAX = 10_000  # people of whose closes it is remembered that they were told
MENDED: frozenset[What] = frozenset({"edited", "standing"})  # a contact that is gone or refused is left as it is
Found = What | Literal["agrees", "later"]
log = structlog.get_logger(__name__)


class Wards(Protocol):
    """The courier, as far as the pass needs it."""

    def record(self, partition: int, person: str) -> Contact | None:
        """None where the partition is not this worker's, or was not yet read to its end."""
        ...

    def again(self, partition: int, person: str) -> None:
        """Have the contact read and written where it differs, by the rules of every command."""
        ...

    async def tell(self, conversed: Conversed) -> None:
        """Have the log hear of a conversation."""
        ...


class Asked(Looker, Protocol):
    """Intercom, as far as the pass needs it."""

    async def closed(self, intercom_id: str, *, after_s: int) -> tuple[tuple[str, int], ...]: ...


class _Draw:
    """A fair draw among the people of a partition, each once; who is met again while not drawn gets another chance."""

    def __init__(self, places_max: int) -> None:
        self._people: list[str] = []
        self._drawn: set[str] = set()
        self._max = places_max
        self._met_count = 0
        self._next = 0

    def meet(self, person: str) -> None:
        if person in self._drawn:
            return
        self._met_count += 1
        if len(self._people) < self._max:
            self._people.append(person)
        elif (slot := secrets.randbelow(self._met_count)) < self._max:
            self._drawn.discard(self._people[slot])
            self._people[slot] = person
        else:
            return
        self._drawn.add(person)

    def next(self) -> str:
        self._next = (self._next + 1) % len(self._people)
        return self._people[self._next]


class Rounds:
    """Who is looked at next, as (partition, person): partitions take turns, and so do the people drawn in each.

    People are spread evenly over partitions, so that the same number of each is a fair sample of all.
    """

    def __init__(self, places_max: int = PLACES_MAX) -> None:
        self._draws: dict[int, _Draw] = {}
        self._max = places_max

    def meet(self, partition: int, person: str) -> None:
        self._draws.setdefault(partition, _Draw(self._max)).meet(person)

    def forget(self, partition: int) -> None:
        self._draws.pop(partition, None)

    def next(self) -> tuple[int, str] | None:
        if not self._draws:
            return None
        partition = next(iter(self._draws))
        draw = self._draws.pop(partition)
        self._draws[partition] = draw  # to the end: its turn is over
        return partition, draw.next()


class Reconciling:
    """seconds: of the wall, between two contacts. mends: what the policy in force for a partition says."""

    def __init__(
        self, *, intercom: Asked, now_ms: Callable[[], int], seconds: float, mends: Callable[[int], bool]
    ) -> None:
        self.rounds = Rounds()
        self._intercom = intercom
        self._now_ms = now_ms
        self._seconds = seconds
        self._mends = mends
        self._told_s: dict[str, int] = {}  # the newest close that the log was told of; its record hears of none of them

    async def run(self, wards: Wards, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Until cancelled. Unauthorized where Intercom does not accept the token."""
        while True:
            await sleep(self._seconds)
            await self.look(wards)

    async def look(self, wards: Wards) -> Found | None:
        """Looks at the next contact and says what was found; None where there was nothing to look at, or it moved meanwhile."""
        place = self.rounds.next()
        before = wards.record(*place) if place is not None else None
        if place is None or before is None or before.pending or before.desired is None:
            return None
        try:
            shown = await self._intercom.look(before.desired)
            if wards.record(*place) == before:
                await self._hear_of_closings(wards, place[1], before)
        except (TryLater, Unknown):
            return self._counted("later")
        except Refused:
            return self._counted("refused")
        if wards.record(*place) != before:
            return None
        found = drift(place[1], before, self._intercom.wanted(before.desired), shown, self._now_ms())
        if found is None:
            return self._counted("agrees")
        over = desired.expired(desired.again(before, self._now_ms()), self._now_ms())  # its end is the judge's to say
        mends = found.what in MENDED and not over and self._mends(place[0])
        log.warning("contact_differs", what=found.what, attributes=sorted(found.differs), mended=mends)
        if mends:
            wards.again(*place)
        return self._counted(found.what)

    async def _hear_of_closings(self, wards: Wards, person: str, contact: Contact) -> None:
        """What was closed since the log's last word on the person's conversations; an open one keeps every moment away."""
        heard_ms = contact.desired.talked_ms if contact.desired is not None else None
        if heard_ms is None or contact.known.intercom_id is None or self._now_ms() - heard_ms <= TALK_OLD_MS:
            return
        after_s = max((heard_ms + CLOSED_SLACK_MS) // 1000, self._told_s.get(person, 0))
        closings = await self._intercom.closed(contact.known.intercom_id, after_s=after_s)
        for conversed in closed(person, closings, self._now_ms()):
            await wards.tell(conversed)
        if closings:
            log.warning("close_not_heard", conversations=len(closings))
            self._told_s[person] = max(at_s for _, at_s in closings)
            if len(self._told_s) > TOLD_MAX:
                del self._told_s[next(iter(self._told_s))]

    def _counted(self, found: Found) -> Found:
        RECONCILED.labels(found).inc()
        return found
