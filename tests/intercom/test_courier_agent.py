"""The courier on the carrier: what it keeps in the table, when it lets activations go, what it writes to the log."""

import asyncio
from collections.abc import Iterable

import msgspec

from agents import desired
from agents.clock import WallClock
from agents.courier_agent import CODEC, CourierAgent
from agents.reconciling import Reconciling
from agents.reliable import Handler, Output, Record, Store
from contracts import commands, signals, topics
from contracts.commands import Command
from contracts.signals import Scalar
from tests.intercom.scene import FLAG, START_MS, activation, withdrawal
from tests.intercom.world import FakeIntercom, until
from tests.reliable.memory import Local

FAR_MS = 253_402_300_000_000  # these tests run on the wall's clock, where the scene's instants are long ago


class FakeApp:
    def __init__(self, *, end: int, position: int | None = None) -> None:
        self.produced: list[Output] = []
        self.end = end
        self.position = position

    async def produce(self, outputs: Iterable[Output]) -> None:
        self.produced += outputs

    async def end_offsets(self, topic: str) -> dict[int, int]:
        assert topic == topics.COMMANDS.name
        return {3: self.end}

    def positions(self, topic: str) -> dict[int, int]:
        return {} if self.position is None else {3: self.position}


def table(local: dict[bytes, bytes]) -> Store:
    return Store(3, Local(local), encode=CODEC.encode, decode=CODEC.decode, hidden=frozenset())


def record(command: Command, offset: int = 0) -> Record:
    return Record(topics.COMMANDS.name, 3, offset, command.person.encode(), commands.encode(command))


def due_now(revision: int = 1) -> Command:
    command = activation(revision)
    attributes = {**command.attributes, "cio_moment_expires_at": FAR_MS // 1000}
    return msgspec.structs.replace(command, expires_ms=FAR_MS, attributes=attributes)


def agent(app: FakeApp, intercom: FakeIntercom, log_times_ms: dict[int, int | None] | None = None) -> CourierAgent:
    times = {} if log_times_ms is None else log_times_ms
    return CourierAgent(app=app, intercom=intercom, clock=WallClock(), settle_seconds=0, log_times_ms=lambda: times)


async def test_it_is_a_handler_as_the_carrier_wants_one() -> None:
    assert isinstance(agent(FakeApp(end=0), FakeIntercom()), Handler)


async def test_a_withdrawal_goes_out_and_its_outcome_comes_back_to_the_log() -> None:
    app, intercom, store = FakeApp(end=1), FakeIntercom(), table({})
    courier = agent(app, intercom)
    courier.assigned(store, 3, None)
    running = asyncio.create_task(courier.run())
    assert list(courier.batch(store, [record(withdrawal())])) == []
    await until(lambda: len(app.produced) == 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    [output] = app.produced
    outcome = signals.decode(output.value)
    assert (output.topic, output.key) == ("signals", b"id:42")
    assert isinstance(outcome, signals.Delivered)
    assert (outcome.revision, outcome.outcome) == (2, "shown")
    [kept] = store.snapshot().values()
    assert kept is not None
    assert desired.decode(kept).settled == 2


async def test_an_activation_waits_until_everything_that_stood_in_the_partition_was_applied() -> None:
    app, intercom, store = FakeApp(end=2), FakeIntercom(), table({})
    courier = agent(app, intercom)
    courier.assigned(store, 3, None)
    courier.batch(store, [record(due_now())])
    app.position = 1
    running = asyncio.create_task(courier.run())
    for _ in range(50):
        await asyncio.sleep(0)
    assert intercom.calls == []
    app.position = 2
    await courier.look()
    await until(lambda: intercom.calls == [("id:42", 1)])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_worker_that_takes_over_delivers_what_has_no_outcome_and_reads_no_further_than_it_must() -> None:
    before = table({})
    first = agent(FakeApp(end=1), FakeIntercom())
    first.assigned(before, 3, None)
    first.batch(before, [record(due_now())])
    stored = {key: value for key, value in before.snapshot().items() if value is not None}
    app, intercom = FakeApp(end=1), FakeIntercom()
    second = agent(app, intercom)
    second.assigned(table(stored), 3, 1)
    running = asyncio.create_task(second.run())
    await until(lambda: intercom.calls == [("id:42", 1)])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_record_that_is_no_command_goes_to_quarantine_and_costs_its_neighbour_nothing() -> None:
    app, intercom, store = FakeApp(end=2), FakeIntercom(), table({})
    courier = agent(app, intercom)
    courier.assigned(store, 3, None)
    bad = Record(topics.COMMANDS.name, 3, 0, b"id:1", b"\xff{")
    [output] = courier.batch(store, [bad, record(withdrawal(), 1)])
    assert output.topic == topics.QUARANTINE.name
    assert msgspec.json.decode(output.value)["source"] == "commands/3/0"
    assert store.get(b"id:42") is not None


async def test_a_lost_partition_is_not_delivered_any_more() -> None:
    app, intercom, store = FakeApp(end=1), FakeIntercom(), table({})
    courier = agent(app, intercom)
    courier.assigned(store, 3, None)
    courier.batch(store, [record(withdrawal())])
    courier.revoked(3)
    running = asyncio.create_task(courier.run())
    for _ in range(50):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert intercom.calls == []


async def test_no_activation_goes_before_what_was_accepted_in_the_meantime_was_judged() -> None:
    """Nobody worked on the partition for a while; who bought meanwhile still stands in the sources."""
    log_times_ms: dict[int, int | None] = {3: None}
    app, intercom = FakeApp(end=1, position=1), FakeIntercom()
    made = agent(app, intercom, log_times_ms)
    made.assigned(table({}), 3, 0)
    made.batch(None, [record(due_now())])
    running = asyncio.create_task(made.run())
    for at_ms in (None, 1):
        log_times_ms[3] = at_ms
        await made.look()
        await asyncio.sleep(0.05)
        assert intercom.calls == []
    app.end = 2  # the judge has taken it back
    log_times_ms[3] = FAR_MS
    await made.look()
    await asyncio.sleep(0.05)
    assert intercom.calls == []
    app.position = 2
    await made.look()
    await until(lambda: len(intercom.calls) == 1)
    running.cancel()


async def test_the_background_pass_runs_beside_it_and_waits_until_its_partition_was_read() -> None:
    class Edited(FakeIntercom):
        async def look(
            self, command: Command, *, intercom_id: str | None = None, urgent: bool = False
        ) -> dict[str, Scalar]:
            self.looks.append((command.revision, intercom_id, urgent))
            return {**command.attributes, FLAG: None}

        async def closed(self, intercom_id: str, *, after_s: int) -> tuple[tuple[str, int], ...]:
            return ()

        def wanted(self, command: Command) -> dict[str, Scalar]:
            return command.attributes

    intercom, store, app = Edited(), table({}), FakeApp(end=1, position=0)
    background = Reconciling(intercom=intercom, now_ms=lambda: START_MS, seconds=0, mends=lambda _: True)
    courier = CourierAgent(
        app=app, intercom=intercom, clock=WallClock(), settle_seconds=0, log_times_ms=dict, reconciling=background
    )
    courier.assigned(store, 3, None)
    command = due_now()
    kept = desired.settled(desired.desire(desired.Contact(), command, START_MS), 1, None)
    store.put(command.person.encode(), kept)
    background.rounds.meet(3, command.person)
    assert courier.record(3, command.person) is None, "an unread command may say something newer"
    running = asyncio.create_task(courier.run())
    app.position = 1
    await courier.look()
    await until(lambda: len(intercom.looks) > 0 and len(app.produced) > 0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert intercom.calls[0] == (command.person, 1), "it was shown again, by the courier"
    courier.revoked(3)
    assert courier.record(3, command.person) is None and background.rounds.next() is None
