"""Wires one worker: ingest, marks, judge and courier on the reliable carrier. The only place where the parts are chosen.

Without an Intercom token nothing is sent: the courier stays away and commands wait in their topic for a worker that has one.
"""

import asyncio
import errno
import os
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog
from faust.types import TP

from agents import kafka_security
from agents.clock import Clock, SteadyClock
from agents.courier_agent import CODEC as CONTACTS_CODEC
from agents.courier_agent import CourierAgent
from agents.customerio import Pipelines
from agents.ingest import Ingest
from agents.intercom import Intercom, TryLater, Unknown
from agents.judge import CODEC as PEOPLE_CODEC
from agents.judge import Judge
from agents.kafka_topics import Unreachable, worker_sources
from agents.marking import mark_round
from agents.marks import Marks, Source
from agents.measures import RUNNING
from agents.measuring import Measuring
from agents.probes import Told, serving
from agents.reconciling import Reconciling
from agents.reliable import EXIT_FAILED, App, Output, create_app
from agents.settings import Misconfigured, Settings
from agents.teller_agent import CODEC as UNTOLD_CODEC
from agents.teller_agent import TellerAgent
from agents.topic_plan import APP_NAME, TELLING_TABLE
from contracts.fields import manifest
from contracts.policy import Policy, load
from contracts.topics import COMMANDS, DECISIONS, SIGNALS

REGISTER_AGAIN_SECONDS = 5.0  # Intercom is away: everything else goes on meanwhile
log = structlog.get_logger(__name__)


def run(settings: Settings) -> int:
    """Works until SIGTERM or SIGINT and returns the exit code: 0 after an orderly stop, 70 where a supervisor is to restart.

    PolicyError and Misconfigured before anything is started.
    """
    policy = load(settings.policy_file)
    _check_directory(settings.data_dir)
    try:
        sources = worker_sources(settings)
    except Unreachable as error:
        log.critical("stopped", reason=str(error), exit=EXIT_FAILED)
        return EXIT_FAILED
    app = build_worker(settings, policy, sources)
    RUNNING.labels("worker", version("concierge")).set(1)

    async def live() -> Told:
        health = app.health()
        return Told(health.live, health.reason)

    async def ready() -> Told:
        health = app.health()
        return Told(health.ready, health.reason)

    with serving(settings, live=live, ready=ready):
        return app.run()


def _check_directory(folder: Path) -> None:
    """What no restart mends is refused; a full disk is emptied some day, and left to the carrier."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        why = "" if os.access(folder, os.W_OK | os.X_OK) else "permission denied"
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            return
        why = "there is a file of that name" if isinstance(error, FileExistsError) else str(error.strerror).lower()
    if why:
        raise Misconfigured(
            f"CONCIERGE_DATA_DIR: cannot be made or written ({why}); name a directory of this worker alone that outlives it"
        )


def build_worker(settings: Settings, policy: Policy, sources: Mapping[str, int]) -> App:
    """The app, wired and not started. sources: partitions of each source topic."""
    clock = settings.clock_port()
    app = create_app(
        name=APP_NAME, bootstrap=settings.kafka_bootstrap, datadir=settings.data_dir, partitions=settings.partitions,
        commit_seconds=settings.commit_seconds, replication=settings.replication, standbys=settings.standbys,
        session_seconds=settings.session_seconds, credentials=kafka_security.for_faust(settings),
        gaps_allowed=settings.allow_gaps,
    )  # fmt: skip
    marks = Marks()
    for topic, partitions in sources.items():
        app.agent(topic, partitions=partitions)(Ingest(clock, marks))
    judge = Judge(policy)
    app.agent(SIGNALS.name, partitions=settings.partitions, table="people", codec=PEOPLE_CODEC)(judge)
    _add_marking(app, settings, clock, marks, sources)
    courier = None
    if settings.intercom_token is not None:
        courier = _add_courier(app, settings, policy, clock, judge)
    else:
        log.warning("no_courier", reason="CONCIERGE_INTERCOM_TOKEN is not set, so nothing is sent to Intercom")
    read = [*sources, SIGNALS.name, *([COMMANDS.name] if courier is not None else [])]
    if settings.customerio_write_key is not None:
        _add_teller(app, settings, clock, judge)
        read.append(DECISIONS.name)
    measuring = Measuring(app, read, judge, courier, clock)

    async def measure() -> None:
        await measuring.run()

    app.task(measure)
    return app


def _add_marking(app: App, settings: Settings, clock: Clock, marks: Marks, sources: Mapping[str, int]) -> None:
    reading = CarrierReading(app, tuple(sources))

    async def marking() -> None:
        while True:
            await mark_round(
                marks, reading, clock, of=sum(sources.values()), partitions=settings.partitions,
                seconds=settings.mark_seconds, outcomes=settings.intercom_token is not None,
            )  # fmt: skip

    app.task(marking)


def _add_courier(app: App, settings: Settings, policy: Policy, clock: Clock, judge: Judge) -> CourierAgent:
    assert settings.intercom_token is not None, "asked by the caller"
    intercom = Intercom(
        base_url=settings.intercom_address,
        token=settings.intercom_token.get_secret_value(),
        now_ms=SteadyClock().now_ms,
        allowed=app.confirmed,
        others=settings.intercom_others_share,
        portion=lambda: max(1, len(app.active(COMMANDS.name))) / settings.partitions,
    )
    reconciling = None
    if settings.reconcile_seconds is not None:
        reconciling = Reconciling(
            intercom=intercom, now_ms=clock.now_ms, seconds=settings.reconcile_seconds, mends=judge.mends
        )
    courier = CourierAgent(
        app=app,
        intercom=intercom,
        clock=clock,
        settle_seconds=policy.settle / 1000,
        log_times_ms=judge.log_times_ms,
        reconciling=reconciling,
    )
    app.agent(COMMANDS.name, partitions=settings.partitions, table="contacts", codec=CONTACTS_CODEC)(courier)

    async def delivering() -> None:
        try:
            await _register(intercom, policy)
            await courier.run()
        finally:
            await intercom.close()

    app.task(delivering)
    return courier


def _add_teller(app: App, settings: Settings, clock: Clock, judge: Judge) -> None:
    assert settings.customerio_write_key is not None, "asked by the caller"
    pipelines = Pipelines(
        base_url=settings.customerio_address, write_key=settings.customerio_write_key.get_secret_value(),
        allowed=app.confirmed,
    )  # fmt: skip
    teller = TellerAgent(sender=pipelines, clock=clock, erased=judge.erased)
    app.agent(DECISIONS.name, partitions=settings.partitions, table=TELLING_TABLE, codec=UNTOLD_CODEC)(teller)

    async def telling() -> None:
        try:
            await teller.run()
        finally:
            await pipelines.close()

    app.task(telling)


async def _register(intercom: Intercom, policy: Policy) -> None:
    """Before the first write: an attribute that Intercom does not know makes it refuse the whole write."""
    while True:
        try:
            created = await intercom.register(manifest(tuple(policy.audiences)))
        except (TryLater, Unknown) as error:
            log.warning("intercom_away", reason=str(error))
            await asyncio.sleep(REGISTER_AGAIN_SECONDS)
        else:
            log.info("attributes_registered", created=len(created))
            return


class CarrierReading:
    """What marking needs, of the carrier. A partition of which nothing was ever read stands at its beginning."""

    def __init__(self, app: App, topics: Iterable[str]) -> None:
        self._app = app
        self._topics = tuple(topics)
        self._beginnings: dict[Source, int] = {}

    def positions(self) -> dict[Source, int]:
        found: dict[Source, int] = {}
        for topic in self._topics:
            reached = self._app.positions(topic)
            for partition in self._app.active(topic):
                source = Source(topic, partition)
                position = reached.get(partition, self._beginnings.get(source))
                found[source] = -1 if position is None else position
        return found

    async def end_offsets(self, sources: Iterable[Source]) -> dict[Source, int]:
        wanted = set(sources)
        ends = {
            Source(topic, partition): end
            for topic in {source.topic for source in wanted}
            for partition, end in (await self._app.end_offsets(topic)).items()
        }
        unread = [source for source, position in self.positions().items() if position < 0 and source in ends]
        if unread:
            self._beginnings |= await self._earliest(unread)
        return {source: ends[source] for source in wanted & ends.keys()}

    async def append(self, partition: int, value: bytes) -> None:
        await self._app.produce([Output(SIGNALS.name, None, value, partition)])

    async def _earliest(self, sources: list[Source]) -> dict[Source, int]:
        found: Mapping[Any, Any] = await self._app.faust.consumer.earliest_offsets(
            *(TP(source.topic, source.partition) for source in sources)
        )
        return {Source(tp.topic, tp.partition): offset for tp, offset in found.items() if offset is not None}
