"""Experiments on workers: killed anywhere, outliving their session, coming and going."""

import random
import signal
import time
from collections.abc import Collection

from contracts import commands
from contracts.topics import COMMANDS, SIGNALS, SOURCES
from tests.faults.performance import Experiment
from tests.faults.scene import PARTITIONS, SESSION_SECONDS, Scene
from tests.faults.worker import POINTS
from tests.live.stage import messages

RATE = 60  # calls a second; two cores are shared by brokers, workers and whoever watches
TRIES_MAX = 6  # to stop a worker between an order and its request
UNDER_WAY_SECONDS = 0.3  # in which a request that it had sent arrives
SOURCE_NAMES = tuple(topic.name for topic in SOURCES)


def _killed(scene: Scene) -> str | None:
    """SIGKILL twice in the middle of traffic, with work read and not yet committed."""
    chance = random.Random(scene.seed)
    worker = scene.work()
    scene.await_working()
    traffic = scene.sender.start(20, RATE)
    bites = []
    for _ in range(2):
        time.sleep(2 + 2 * chance.random())  # the instant is part of the seed
        scene.await_that(lambda: scene.lag(*SOURCE_NAMES, SIGNALS.name) > 0, "something is read and not committed")
        bites.append(scene.lag(*SOURCE_NAMES, SIGNALS.name, COMMANDS.name))
        kills = len(worker.exits)
        worker.signal(signal.SIGKILL)
        scene.await_that(lambda kills=kills: len(worker.exits) > kills, "the worker was killed")  # type: ignore[misc]
        scene.await_working()
    traffic.join()
    killed = worker.exits.count(-signal.SIGKILL)
    return f"killed {killed} times, {' and '.join(map(str, bites))} records not committed" if killed == 2 else None


def _killed_at(point: str) -> Experiment:
    def play(scene: Scene) -> str | None:
        worker = scene.work(die_at=point, die_after_seconds=2 + scene.seed % 3)
        scene.await_working()
        traffic = scene.sender.start(10, RATE)
        scene.await_that(lambda: -signal.SIGKILL in worker.exits, f"the worker reached the point {point!r}")
        traffic.join()
        return f"ended after {point}" if worker.said(f"fuse: {point}") == 1 else None

    after = {
        "state": "state changed, outputs not queued",
        "output": "outputs acknowledged, changelog not written",
        "changelog": "changelog acknowledged, local state not written",
        "local": "local state written, offsets not committed",
    }[point]
    bug = "commit_ahead" if point in ("state", "output") else "outputs_last"
    return Experiment(f"killed-at-{point}", ("P2", "P3"), f"SIGKILL with {after}", bug, play)


def _zombie(scene: Scene) -> str | None:
    """One of two is stopped with activations in its hands, beyond its session; the other takes over, shows them, and takes
    them back because everybody buys; then the first wakes up."""
    first = scene.work()
    scene.work()
    scene.await_working(2)
    traffic = scene.sender.start(40, RATE / 3)
    held = scene.partitions_of(first)
    for number in range(TRIES_MAX):
        victims = [f"v{number}-{name}" for name in range(24)]
        keys = {f"id:{name}" for name in victims}
        scene.sender.carts(victims)
        scene.await_that(lambda keys=keys: _ordered(scene, held) & keys, "moments of theirs are ordered")  # type: ignore[misc]
        first.signal(signal.SIGSTOP)
        time.sleep(UNDER_WAY_SECONDS)
        inside = {key for key in _ordered(scene, held) & keys if key not in scene.intercom.contacts()}
        if inside:
            break
        first.signal(signal.SIGCONT)  # it was quicker than we
    else:
        traffic.join()
        return None
    try:
        scene.await_that(lambda: scene.members() == 1, "the other holds everything", seconds=10 * SESSION_SECONDS)
        scene.await_that(lambda: inside <= scene.intercom.contacts().keys(), "the other shows them")
        scene.sender.post([scene.sender.call(name, "order") for name in victims])
        scene.await_that(lambda: not keys & _shown(scene), "their purchases take them back")
    finally:
        first.signal(signal.SIGCONT)
    traffic.join()
    scene.await_that(lambda: scene.members() == 2, "both share the partitions again", seconds=120)
    return f"woke with {len(inside)} activations of people who had bought; ended with {first.exits or 'nothing'}"


def _ordered(scene: Scene, partitions: Collection[int] = range(PARTITIONS)) -> set[str]:
    """Whose activation stands in the commands."""
    found = messages(scene.cluster.bootstrap, COMMANDS.name, PARTITIONS)
    ordered = [commands.decode(message.value()) for message in found if message.partition() in partitions]
    return {command.person for command in ordered if command.activates}


def _shown(scene: Scene) -> set[str]:
    return {key for key, contact in scene.intercom.contacts().items() if contact.custom.get("cio_moment")}


def _storm(scene: Scene) -> str | None:
    """Two workers, a third joins, then two leave, one orderly and one killed, all under load."""
    first, second = scene.work(), scene.work()
    scene.await_working(2)
    traffic = scene.sender.start(45, RATE)
    third = scene.work()
    scene.await_working(3)
    code = first.stop()
    scene.await_working(2)
    second.stop(kill=True)
    scene.await_working(1)
    traffic.join()
    return f"2 -> 3 -> 1 workers; the first ended with {code}" if third.exits == [] else None


EXPERIMENTS = (
    Experiment("killed-mid-batch", ("P2", "P3", "P5"), "SIGKILL twice under load", "commit_ahead", _killed),
    *(_killed_at(point) for point in POINTS),
    Experiment("storm", ("P2", "P3", "P5"), "workers 2 -> 3 -> 1 under load", "no_final_flush", _storm),
    Experiment("zombie", ("P2", "P3", "P5", "P6"), "SIGSTOP beyond the session, then SIGCONT", "no_fence", _zombie),
)
