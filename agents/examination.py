"""Looks at contacts in Intercom, one after the other and slowly, and holds each against the state. Writes nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol

from agents.agreement import Drift, drift
from agents.desired import Contact
from agents.intercom import Refused, patiently
from contracts.commands import Command
from contracts.signals import Scalar

PAUSE_SECONDS = 0.2  # five reads a second are half of the smallest budget known (83 in 10 s); the rest is the courier's


class Looker(Protocol):
    async def look(self, command: Command) -> dict[str, Scalar] | None: ...

    def wanted(self, command: Command) -> dict[str, Scalar]: ...


class Examination(NamedTuple):
    """looked: contacts that were asked for. waiting: of them, those with a command that has no outcome yet."""

    looked: int
    waiting: int
    drifts: tuple[Drift, ...]


async def examine(
    contacts: Mapping[str, Contact],
    intercom: Looker,
    *,
    now_ms: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Examination:
    """contacts: records of the courier by person. Failure where Intercom cannot be asked."""
    drifts: list[Drift] = []
    looked = waiting = 0
    for person, contact in sorted(contacts.items()):
        if contact.desired is None:
            continue
        if looked:
            await sleep(PAUSE_SECONDS)
        looked += 1
        waiting += contact.pending
        found = await _drift(person, contact, contact.desired, intercom, now_ms, sleep)
        if found is not None:
            drifts.append(found)
    return Examination(looked, waiting, tuple(drifts))


async def _drift(
    person: str,
    contact: Contact,
    command: Command,
    intercom: Looker,
    now_ms: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]],
) -> Drift | None:
    try:
        shown = await patiently(lambda: intercom.look(command), sleep=sleep)
    except Refused as refused:
        return Drift(person, "refused", refused.reason, {})
    return drift(person, contact, intercom.wanted(command), shown, now_ms())
