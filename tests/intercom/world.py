"""A courier with its records, its clock and an Intercom that shows what it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from agents import desired
from agents.courier import Courier
from agents.desired import Contact
from agents.intercom import Known
from contracts.commands import Command
from contracts.signals import Conversed, Delivered, Scalar
from tests.intercom.scene import HandClock, Scene

SETTLE_SECONDS = 5.0


class Kept(dict[str, Contact]):
    """Records as they come back from the store: through their bytes."""

    def put(self, person: str, contact: Contact) -> None:
        self[person] = desired.decode(desired.encode(contact))


class FakeIntercom:
    """Shows everything at once, unless `answers` has something else to say; `gate` holds calls open."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.asked: list[tuple[bool, bool]] = []  # (urgent, ask) of each
        self.unseen: list[bool] = []
        self.known: list[Known] = []
        self.fresh: list[bool] = []  # whether each still was, when the gate opened
        self.answers: list[Exception] = []
        self.looks: list[tuple[int, str | None, bool]] = []  # (revision, intercom_id, urgent) of each
        self.shows: dict[str, Scalar] | Exception | None = None  # what a look finds
        self.meanwhile: Callable[[], object] | None = None  # happens during a look
        self.gate: asyncio.Event | None = None
        self.open = 0
        self.open_max = 0

    async def show(
        self, command: Command, known: Known, *, fresh: Callable[[], bool], urgent: bool, ask: bool, unseen: bool
    ) -> Known:
        self.calls.append((command.person, command.revision))
        self.asked.append((urgent, ask))
        self.known.append(known)
        self.unseen.append(unseen)
        self.open += 1
        self.open_max = max(self.open, self.open_max)
        try:
            if self.gate is not None:
                await self.gate.wait()
            self.fresh.append(fresh())
            if self.answers:
                raise self.answers.pop(0)
        finally:
            self.open -= 1
        event = (command.event.name, command.event.created_s) if command.event is not None else known.event
        return Known(intercom_id="a1", attributes=dict(command.attributes), event=event)

    async def look(
        self, command: Command, *, intercom_id: str | None = None, urgent: bool = False
    ) -> dict[str, Scalar] | None:
        self.looks.append((command.revision, intercom_id, urgent))
        if self.meanwhile is not None:
            self.meanwhile()
        if isinstance(self.shows, Exception):
            raise self.shows
        return self.shows


class World:
    def __init__(
        self, intercom: "FakeIntercom | None" = None, *, clock: HandClock | None = None, caught_up: bool = True
    ) -> None:
        self.clock = clock or HandClock()
        self.intercom = intercom or FakeIntercom()
        self.outcomes: list[Delivered] = []
        self.talks: list[Conversed] = []
        self.kept = Kept()
        self.courier = self.start()
        if caught_up:
            self.courier.caught_up(0)

    def start(self) -> Courier:
        async def deliver(heard: Delivered | Conversed) -> None:
            if isinstance(heard, Delivered):
                self.outcomes.append(heard)
            else:
                self.talks.append(heard)

        courier = Courier(intercom=self.intercom, clock=self.clock, settle_seconds=SETTLE_SECONDS, deliver=deliver)
        courier.assign(0, self.kept)
        return courier

    async def told(self, *commands: Command) -> None:
        for command in commands:
            self.courier.desire(0, command)
        await self.courier.quiet()

    async def after(self, seconds: float) -> None:
        self.clock.pass_seconds(seconds)
        await self.courier.quiet()

    @asynccontextmanager
    async def flying(self, command: Command) -> AsyncIterator[None]:
        """The command's call is in flight within the block; then Intercom answers, and everything that is due goes."""
        self.courier.desire(0, command)
        self.clock.pass_seconds(SETTLE_SECONDS)
        async with self.held(1):
            yield

    @asynccontextmanager
    async def held(self, count: int) -> AsyncIterator[None]:
        """So many of the calls that are due are in flight within the block; then Intercom answers, and all others go."""
        self.intercom.gate = gate = asyncio.Event()
        quiet = asyncio.create_task(self.courier.quiet())
        await until(lambda: self.intercom.open == count)
        yield
        gate.set()
        await quiet

    def said(self) -> list[tuple[int, str, str | None]]:
        return [(outcome.revision, outcome.outcome, outcome.reason) for outcome in self.outcomes]


def standing(scene: Scene) -> World:
    """With the real adapter and the rehearsed Intercom where the fake is else, on the scene's clock."""
    return World(scene.intercom, clock=scene.clock)  # type: ignore[arg-type]


async def until(holds: Callable[[], bool]) -> None:
    """Lets other tasks run until it holds; a thousand turns are far more than any of these needs."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to hold")
