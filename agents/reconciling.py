"""The slow pass in the background: one settled contact every few seconds is read in Intercom and held against its record.

Counted, and mended by the courier where the policy says so. It never writes itself, and never looks at a contact of which a
command waits: what it finds then would be old. A conversation of whose end no webhook told is told to the log.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Literal, Protocol

import structlog

from agents.agreement import What, drift
from agents.courier import TALK_OLD_MS
from agents.desired import Contact
from agents.examination import Looker
from agents.intercom import Refused, TryLater, Unknown
from agents.measures import RECONCILED
from agents.outcomes import closed
from contracts.signals import Conversed

CLOSED_SLACK_MS = 60_000  # between Intercom's own time of a close and that of its webhook
POOL_MAX = 10_000  # people to choose from, drawn among all that were met; a day at one every ten seconds
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


class Rounds:
    """A fair draw of places (partition, person) among all that were met, gone through one after the other."""

    def __init__(self, places_max: int = POOL_MAX) -> None:
        self._places: list[tuple[int, str]] = []
        self._max = places_max
        self._met_count = 0
        self._next = 0

    def meet(self, partition: int, person: str) -> None:
        self._met_count += 1
        if len(self._places) < self._max:
            self._places.append((partition, person))
        elif (slot := secrets.randbelow(self._met_count)) < self._max:
            self._places[slot] = (partition, person)

    def forget(self, partition: int) -> None:
        self._places = [place for place in self._places if place[0] != partition]
        self._met_count = len(self._places)

    def next(self) -> tuple[int, str] | None:
        if not self._places:
            return None
        self._next = (self._next + 1) % len(self._places)
        return self._places[self._next]


class Reconciling:
    """seconds: of the wall, between two contacts. mend: what the policy says."""

    def __init__(self, *, intercom: Asked, now_ms: Callable[[], int], seconds: float, mend: bool) -> None:
        self.rounds = Rounds()
        self._intercom = intercom
        self._now_ms = now_ms
        self._seconds = seconds
        self._mend = mend
        self._told_s: dict[str, int] = {}  # the newest close that the log was told of; its record hears of none of them

    async def run(self, wards: Wards) -> None:
        """Until cancelled. Unauthorized where Intercom does not accept the token."""
        while True:
            await asyncio.sleep(self._seconds)
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
        mends = self._mend and found.what in MENDED
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
            if len(self._told_s) > POOL_MAX:
                del self._told_s[next(iter(self._told_s))]

    def _counted(self, found: Found) -> Found:
        RECONCILED.labels(found).inc()
        return found
