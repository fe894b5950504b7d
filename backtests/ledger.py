"""A ledger of a replay: what each person bought, who wrote to them, and under how many keys they were seen.

It stands before a partition and watches; what a weaker key had goes along when the key is claimed, and what is passed on is
noted where it arrives, so that every entry stands under the person that the thinking gives it to.
"""

from collections.abc import Iterator
from typing import NamedTuple

from contracts.policy import Policy
from contracts.signals import Conversed, Delivered, Messaged, Moved, PersonSignal, Signal, Tracked, strength
from streams.partition import Effects, Partition
from streams.person import Person, State, behind

ADMIN_TOPICS = frozenset({"conversation.admin.single.created", "conversation.admin.opened"})  # an agent wrote first


class Page:
    """One person's entries. deals: orders, refunds and cancels as told. wrote: (instant, `agent` or `message`)."""

    __slots__ = ("deals", "keys", "wrote")

    def __init__(self) -> None:
        self.deals: list[Tracked] = []
        self.wrote: list[tuple[int, str]] = []
        self.keys: set[str] = set()


class Found(NamedTuple):
    """A person at the end of the replay."""

    key: str
    state: State


class Ledger:
    def __init__(self, policy: Policy, partition: Partition, people: dict[str, Person]) -> None:
        self._partition = partition
        self._people = people
        self._pages: dict[str, Page] = {}
        names = policy.names
        self._deals = frozenset((*names.orders, *names.refunds, *names.partial_refunds, *names.cancels))
        self.end_ms: int | None = None

    def take(self, signal: Signal, position: int) -> Effects:
        effects = self._partition.take(signal, position)
        if isinstance(signal, PersonSignal):
            self.end_ms = max(signal.accepted_ms, self.end_ms or 0)
            passed_on = any(out.id == signal.id and out.person != signal.person for out in effects.signals)
            if not passed_on and not effects.stranded:
                self._note(signal)
        return effects

    def page(self, key: str) -> Page:
        return self._pages.get(key) or Page()

    def deals(self) -> Iterator[Tracked]:
        return (deal for page in self._pages.values() for deal in page.deals)

    def person(self, key: str) -> Found | None:
        """Who the key is at the end; None where nothing is known."""
        found = behind(self._people, key)
        if found is None or found[1].state is None:
            return None
        return Found(found[0], found[1].state)

    def everybody(self) -> list[Found]:
        """All people who could be addressed and were not erased."""
        known = ((key, person.state) for key, person in self._people.items() if strength(key) > 0)
        return [Found(key, state) for key, state in known if state is not None and not state.erased]

    def _note(self, signal: PersonSignal) -> None:
        page = self._pages.get(signal.person)
        if page is None:
            page = self._pages[signal.person] = Page()
        if isinstance(signal, Moved):
            theirs = self._pages.pop(signal.source, None)
            if theirs is not None:
                page.deals += theirs.deals
                page.wrote += theirs.wrote
                page.keys |= theirs.keys
            return
        origin = signal.via[0] if signal.via else signal.person
        if strength(origin) >= 0 and not isinstance(signal, Delivered):
            page.keys.add(origin)
        if isinstance(signal, Tracked) and signal.event in self._deals:
            page.deals.append(signal)
        elif isinstance(signal, Messaged) and signal.metric == "sent":
            page.wrote.append((signal.occurred_ms, "message"))
        elif isinstance(signal, Conversed) and signal.open and signal.topic in ADMIN_TOPICS:
            page.wrote.append((signal.occurred_ms, "agent"))
