"""Performs one experiment: its fault, then quiet, comparison, ten seconds, comparison, a fresh probe, an orderly end.

A fault that was not seen to bite makes the run void, whatever else it says.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import rocksdict
from confluent_kafka import KafkaException

from agents.topic_plan import TABLES, changelog
from rehearsal.broker import BrokerMissing, Cluster
from rehearsal.demo_checks import quantile
from tests.faults.delays import delays
from tests.faults.evidence import Evidence, apart, differences, gather, some, unsettled
from tests.faults.scene import PARTITIONS, Scene, by_partition, clear
from tests.live.stage import await_until

HOLD_SECONDS = 10.0
QUIET_SECONDS_MAX = 90.0
QUIET_PLANTED_SECONDS_MAX = 40.0  # with a bug it may never become quiet
PROBE_SECONDS_MAX = 45
OFFSET_KEY = b"__faust\0offset__"
NUDGE_MS_MAX = 10_000  # P4: the settle time of two seconds, and what machines add that have other work as well
PROBE = "probe"


class NotRun(Exception):
    """This machine cannot do it; the message says why."""


class Experiment(NamedTuple):
    """play: injects the fault and says how it was seen to bite, None where it did not. bug: see tests.faults.worker.

    sending: of the Sender. check: what beyond the common comparison must hold; lines where it does not.
    """

    name: str
    promises: tuple[str, ...]
    fault: str
    bug: str
    play: Callable[[Scene], str | None]
    brokers: int = 1
    sending: dict[str, Any] = {}  # noqa: RUF012  (never changed)
    check: Callable[[Scene, Evidence], list[str]] = lambda scene, found: []


class Result(NamedTuple):
    """outcome: held, red, void or not run. bite: how the fault was seen. n: acknowledged calls. figures: see `_figures`."""

    experiment: str
    seed: int
    bug: str | None
    outcome: str
    bite: str
    n: int
    seconds: float
    lines: list[str]
    figures: dict[str, float]


def perform(
    experiment: Experiment,
    *,
    seed: int,
    cluster: Cluster,
    folder: Path,
    bug: str | None,
    hold_seconds: float = HOLD_SECONDS,
) -> Result:
    """bug: planted where it is named; the experiment is then expected to come out red."""
    begun = time.monotonic()
    clear(folder)
    bite: str | None = None
    lines: list[str] = []
    figures: dict[str, float] = {}
    outcome = ""
    scene = Scene(cluster, folder, seed=seed, bug=bug, **experiment.sending)
    try:
        with scene:
            scene.receive()
            bite = experiment.play(scene)
            lines = _aftermath(experiment, scene, figures, hold_seconds) if bite is not None else []
    except NotRun as reason:
        outcome, lines = "not run", [str(reason)]
    except (AssertionError, TimeoutError, KafkaException, OSError, BrokerMissing, httpx.HTTPError) as error:
        lines = [f"{type(error).__name__}: {error}"]
    n = len(scene.sender.acknowledged)
    outcome = outcome or ("void" if bite is None else "red" if lines else "held")
    return Result(
        experiment.name, seed, bug, outcome, bite or "", n, round(time.monotonic() - begun, 1), lines, figures
    )


def _aftermath(experiment: Experiment, scene: Scene, figures: dict[str, float], hold_seconds: float) -> list[str]:
    found, waiting = gather(scene), ["not looked at yet"]
    deadline = time.monotonic() + (QUIET_SECONDS_MAX if scene.bug is None else QUIET_PLANTED_SECONDS_MAX)
    while waiting := unsettled(found):
        if time.monotonic() > deadline:
            figures.update(_compared(found))
            return [*differences(found, scene.policy), *some(waiting)]
        time.sleep(0.5)
        found = gather(scene)
    figures.update(_compared(found))
    lines = differences(found, scene.policy) + experiment.check(scene, found)
    if lines:
        return lines
    figures.update(_figures(scene, found))
    if figures["nudge_after_purchase_ms"] > NUDGE_MS_MAX:
        return [f"a moment was shown {figures['nudge_after_purchase_ms']:g} ms after the purchase that forbids it"]
    writes = len(found.writes)
    time.sleep(hold_seconds)
    held = gather(scene)
    figures.update(_compared(held))
    lines = [f"after {hold_seconds:g} s: {line}" for line in differences(held, scene.policy)]
    if len(held.writes) != writes:
        lines.append(f"Intercom was written {len(held.writes) - writes} times while the world was quiet")
    if lines:
        return lines
    figures.update(_probe(scene))
    return _orderly_end(scene)


def _compared(found: Evidence) -> dict[str, float]:
    """Decisions of the live run and of the calm replay of the same log, each once, and how many are not in both."""
    calm = {decision.id for replay in found.replays.values() for decision in replay.decisions}
    return {"decisions": len(calm), "decisions_apart": apart(found)}


def _figures(scene: Scene, found: Evidence) -> dict[str, float]:
    """Counts and delays; `_ms` are of the wall. repeats: signals that stand in the log more than once."""
    seen = delays(found)
    return scene.notes | {
        "people": sum(len(held) for held in found.people.values()),
        "writes": len(found.writes),
        "repeats": sum(count - 1 for count in found.log_ids.values()),
        "refused": len(scene.sender.refused),
        "restarts": sum(len(worker.exits) for worker in scene.workers),
        "nudges_after_purchase": seen.nudges,
        "nudge_after_purchase_ms": seen.nudge_ms,
        "ends": len(seen.ends),
        "end_p50_ms": quantile(seen.ends, 0.5),
        "end_max_ms": quantile(seen.ends, 1.0),
    }


def _probe(scene: Scene) -> dict[str, float]:
    """Somebody new leaves a large cart and then buys: both must be seen in Intercom."""
    sender, key = scene.sender, f"id:{PROBE}"

    def shows(audience: str | None) -> bool:
        contact = scene.intercom.contacts().get(key)
        return contact is not None and contact.custom.get("cio_moment") == audience

    begun = time.monotonic()
    sender.carts([PROBE])
    await_until(lambda: shows("high_aov_abandoner"), seconds=PROBE_SECONDS_MAX, what="the probe's moment is shown")
    shown = time.monotonic()
    sender.post([sender.call(PROBE, "order")])
    await_until(lambda: shows(None), seconds=PROBE_SECONDS_MAX, what="the probe's purchase takes it back")
    return {"probe_begin_ms": round((shown - begun) * 1000), "probe_end_ms": round((time.monotonic() - shown) * 1000)}


def _orderly_end(scene: Scene) -> list[str]:
    """Every worker stops with 0, and the local state of each partition equals its changelog."""
    lines = [
        f"worker {worker.data.name} ended with {code}"
        for worker in scene.workers
        if not worker.gone and (code := worker.stop()) != 0
    ]
    for table in TABLES:
        kept = by_partition(scene.cluster.bootstrap, changelog(table))
        for number in range(PARTITIONS):
            local = [
                _local(path) for worker in scene.workers for path in worker.data.glob(f"v*/tables/{table}-{number}.db")
            ]
            if kept[number] not in local:
                lines.append(f"no worker's local state of {table} {number} equals its changelog")
    return lines


def _local(path: Path) -> dict[bytes, bytes]:
    database = rocksdict.Rdict(
        str(path), rocksdict.Options(raw_mode=True), access_type=rocksdict.AccessType.read_only()
    )
    try:
        return {bytes(key): bytes(value) for key, value in database.items() if bytes(key) != OFFSET_KEY}
    finally:
        database.close()
