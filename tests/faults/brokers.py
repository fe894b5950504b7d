"""Experiments on Kafka: its leader killed, all of it killed, slow, away."""

import random
import signal
import time

from contracts.topics import SIGNALS
from tests.faults.evidence import Evidence
from tests.faults.performance import Experiment
from tests.faults.scene import Scene, admin

RATE = 40  # calls a second
SILENT_SECONDS = 12  # beyond what the receiver's producer keeps a record for, several posts in a row
GIVEN_UP_SECONDS = 4  # beyond what it keeps the newest of them for
REFUSAL_MS_MAX = (
    4_000  # Customer.io hangs up; 1 s is what the receiver means to take, on a machine that has time for it
)


def _leader_killed(scene: Scene) -> str | None:
    """The leader of a partition of the log dies for good while everybody writes; it comes back later, empty of news."""
    worker = scene.work()
    scene.await_working()
    traffic = scene.sender.start(25, RATE)
    time.sleep(3)
    partition = scene.seed % 4
    node = _leader(scene, partition)
    scene.cluster.kill(node)
    try:
        scene.await_that(lambda: _leader(scene, partition) not in (node, -1), "another broker leads", seconds=60)
        scene.await_tries(5)
        traffic.join()
    finally:
        scene.cluster.start(node)
    refused = len(scene.sender.refused)
    return f"node {node} led and died; {refused} posts were refused, worker ended with {worker.exits or 'nothing'}"


def _leader(scene: Scene, partition: int) -> int:
    topic = admin(scene.cluster.bootstrap).list_topics(SIGNALS.name, timeout=20).topics[SIGNALS.name]
    return int(topic.partitions[partition].leader)


def _all_restarted(scene: Scene) -> str | None:
    """Every broker is killed in the same second, and all are started again."""
    worker = scene.work()
    scene.await_working()
    traffic = scene.sender.start(30, RATE)
    time.sleep(3)
    for node in scene.cluster.nodes:
        scene.cluster.kill(node)
    scene.await_tries(5)
    scene.cluster.start()
    scene.await_whole()
    traffic.join()
    scene.await_working()
    return f"{len(scene.sender.refused)} posts were refused, worker ended with {worker.exits or 'nothing'}"


def _slow(scene: Scene) -> str | None:
    """For ten seconds the broker answers in fits, then not at all for twelve."""
    chance = random.Random(scene.seed)
    worker = scene.work()
    scene.await_working()
    traffic = scene.sender.start(25, RATE)
    node = scene.cluster.nodes[0]
    begun = time.monotonic()
    try:
        while time.monotonic() - begun < 10:
            scene.cluster.signal(node, signal.SIGSTOP)
            time.sleep(0.3 + 0.6 * chance.random())
            scene.cluster.signal(node, signal.SIGCONT)
            time.sleep(0.1)
        scene.cluster.signal(node, signal.SIGSTOP)
        time.sleep(SILENT_SECONDS)
    finally:
        scene.cluster.signal(node, signal.SIGCONT)
    traffic.join()
    scene.await_working()
    return f"{len(scene.sender.refused)} posts were refused, worker ended with {worker.exits or 'nothing'}"


def _away(scene: Scene) -> str | None:
    """No Kafka at all for the receiver: every post is answered 503, and the sender repeats in order."""
    scene.work()
    scene.await_working()
    traffic = scene.sender.start(20, RATE)
    time.sleep(2)
    node = scene.cluster.nodes[0]
    scene.cluster.kill(node)
    try:
        scene.await_tries(5)
        time.sleep(GIVEN_UP_SECONDS)
    finally:
        scene.cluster.start(node)
    traffic.join()
    scene.await_working()
    slowest = max(scene.sender.refusal_seconds, default=0)
    scene.notes["slowest_refusal_ms"] = round(slowest * 1000)
    return f"5 posts and more met no broker; {scene.sender.refused.count(503)} answers 503, slowest {slowest:.1f} s"


def _told_so(scene: Scene, found: Evidence) -> list[str]:
    """The receiver said that it could not keep what was sent, in time for the sender to hear it."""
    statuses = set(scene.sender.refused)
    lines = [] if 503 in statuses else ["no post was answered 503"]
    lines += [f"a post was answered {status or 'not at all'}" for status in sorted(statuses - {503})]
    slowest_ms = max(scene.sender.refusal_seconds, default=0) * 1000
    return lines + ([f"a 503 took {slowest_ms:.0f} ms"] if slowest_ms > REFUSAL_MS_MAX else [])


EXPERIMENTS = (
    Experiment(
        "kafka-away", ("P1",), "the only broker killed under load, later back", "answers_first", _away, check=_told_so
    ),
    Experiment("broker-slow", ("P1", "P2"), "broker in fits for 10 s, then silent for 12 s", "answers_first", _slow),
    Experiment(
        "leader-killed", ("P1", "P2"), "leader killed, 3 brokers, min ISR 2", "answers_first", _leader_killed, brokers=3
    ),
    Experiment(
        "all-restarted", ("P1", "P2"), "all 3 brokers killed, then started", "answers_first", _all_restarted, brokers=3
    ),
)
