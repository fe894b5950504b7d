"""Starts what the demo watches: the rehearsal Intercom, the receiver and the worker, on a clock that stands until they are up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from agents.clock import SimulatedClock, read_clock
from contracts.instant import to_rfc3339
from contracts.policy import load
from rehearsal import demo_kafka
from rehearsal.demo_evidence import Evidence
from rehearsal.demo_feed import Secrets
from rehearsal.demo_parts import Parts, free_port
from rehearsal.demo_watch import ask_intercom, read_topics

SPEED = 1440  # a day in a minute
OPENS_AT_HOUR = 6  # the simulated day begins when the first people get up
DAYS_AGO = 3  # and lies in the past, since brokers refuse records that are dated ahead of them
LEAD_SECONDS = 15.0  # a worker needs most of it to load and to join its group on two busy cores
MARK_SECONDS, COMMIT_SECONDS = 0.2, 0.2  # short: at this speed 0.2 s are five minutes of the day
POLICY_FILE = Path(__file__).parents[1] / "policies" / "skincare.yaml"
_RECEIVER = (
    "import asyncio, os; from agents import logs; from agents.receive import receive; "
    "from agents.settings import read_settings; logs.configure(); "
    "raise SystemExit(asyncio.run(receive(read_settings(os.environ))))"
)
_WORKER = (
    "import os; from agents import logs; from agents.settings import read_settings; from agents.worker import run; "
    "logs.configure(); raise SystemExit(run(read_settings(os.environ)))"
)
_INTERCOM = (
    "import sys; from pathlib import Path; from contracts.fields import manifest; from contracts.policy import load; "
    "from rehearsal.intercom import run; "
    "run('127.0.0.1', int(sys.argv[1]), manifest(tuple(load(Path(sys.argv[2])).audiences)))"
)
_EMBEDDED_WORKER = ["-m", "rehearsal.demo_worker"]


class Stage(NamedTuple):
    """What is running and what has been seen of it; `watchers` never end by themselves."""

    receiver: str
    signer: Secrets
    clock: SimulatedClock
    evidence: Evidence
    parts: Parts
    watchers: tuple["asyncio.Task[None]", ...]

    def check(self) -> None:
        """Raises what a watcher raised, PartFailed where a part ended."""
        self.parts.check()
        for watcher in self.watchers:
            if watcher.done():
                watcher.result()


@contextlib.asynccontextmanager
async def stage(bootstrap: str, directory: Path, *, embedded: bool) -> AsyncIterator[Stage]:
    """Everything started and watched; all of it is ended when the block is left. PartFailed where a part does not start."""
    clock, signer, parts = _clock(), Secrets.fresh(), Parts(directory)
    receiver_port, intercom_port = free_port(), free_port()
    receiver, intercom = f"http://127.0.0.1:{receiver_port}", f"http://127.0.0.1:{intercom_port}"
    watchers: tuple[asyncio.Task[None], ...] = ()
    evidence = Evidence(load(POLICY_FILE), clock)
    settings = {
        "CONCIERGE_KAFKA_BOOTSTRAP": bootstrap,
        "CONCIERGE_PARTITIONS": str(demo_kafka.PARTITIONS),
        "CONCIERGE_DATA_DIR": str(directory / "state"),
        "CONCIERGE_POLICY_FILE": str(POLICY_FILE),
        "CONCIERGE_CLOCK": _setting(clock),
        "CONCIERGE_MARK_SECONDS": str(MARK_SECONDS),
        "CONCIERGE_COMMIT_SECONDS": str(COMMIT_SECONDS),
        "CONCIERGE_INTERCOM_URL": intercom,
        "CONCIERGE_INTERCOM_TOKEN": "rehearsal",
        "CONCIERGE_INTERCOM_CLIENT_SECRETS": signer.intercom,
        "CONCIERGE_CUSTOMERIO_WEBHOOK_SECRETS": signer.reporting,
        "CONCIERGE_CUSTOMERIO_PIPELINES_SECRETS": signer.pipelines,
        "CONCIERGE_LISTEN_PORT": str(receiver_port),
    }
    try:
        part = await parts.start("intercom", ["-c", _INTERCOM, str(intercom_port), str(POLICY_FILE)], {})
        await parts.answers(part, f"{intercom}/_rehearsal/contacts")
        await parts.start("worker", _EMBEDDED_WORKER if embedded else ["-c", _WORKER], settings)
        part = await parts.start("receiver", ["-c", _RECEIVER], settings)
        await parts.answers(part, f"{receiver}/ready")
        watchers = (
            asyncio.create_task(read_topics(bootstrap, evidence)),
            asyncio.create_task(ask_intercom(intercom, evidence)),
        )
        yield Stage(receiver, signer, clock, evidence, parts, watchers)
    finally:
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        await parts.stop()


def _clock() -> SimulatedClock:
    """Six in the morning some days ago, beginning to run once the parts have had their time to start."""
    now = datetime.now(UTC)
    opens = now.replace(hour=OPENS_AT_HOUR, minute=0, second=0, microsecond=0) - timedelta(days=DAYS_AGO)
    starts = now + timedelta(seconds=LEAD_SECONDS)
    return SimulatedClock(int(opens.timestamp() * 1000), int(starts.timestamp() * 1000), SPEED)


def _setting(clock: SimulatedClock) -> str:
    text = f"sim:{to_rfc3339(clock.origin_ms)}@{to_rfc3339(clock.started_wall_ms)}x{clock.speed:g}"
    assert read_clock(text) == clock, "all processes compute the same instants"
    return text
