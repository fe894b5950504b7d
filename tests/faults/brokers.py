"""Experiments on Kafka: its leader killed, all of it killed, slow, away."""

import random
import signal
import time

from contracts.topics import SIGNALS
from tests.faults.performance import Experiment
from tests.faults.scene import Scene, admin

RATE = 40  # calls a second


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
    scene.await_that(lambda: len(scene.sender.refused) > 2, "the receiver refuses")
    scene.cluster.start()
    traffic.join()
    scene.await_working()
    return f"{len(scene.sender.refused)} posts were refused, worker ended with {worker.exits or 'nothing'}"


def _slow(scene: Scene) -> str | None:
    """For ten seconds the broker answers in fits, then not at all for four."""
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
        scene.await_that(lambda: len(scene.sender.refused) > 1, "the receiver refuses")
        time.sleep(4)
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
        scene.await_that(lambda: scene.sender.refused.count(503) > 3, "the receiver answers 503")
    finally:
        scene.cluster.start(node)
    traffic.join()
    scene.await_working()
    slowest = max(scene.sender.refusal_seconds)
    return f"{scene.sender.refused.count(503)} answers 503, the slowest after {slowest:.1f} s"


EXPERIMENTS = (
    Experiment("kafka-away", ("P1",), "the only broker killed under load, later back", "answers_first", _away),
    Experiment("broker-slow", ("P1", "P2"), "broker in fits for 10 s, then silent for 4 s", "answers_first", _slow),
    Experiment(
        "leader-killed", ("P1", "P2"), "leader killed, 3 brokers, min ISR 2", "answers_first", _leader_killed, brokers=3
    ),
    Experiment(
        "all-restarted", ("P1", "P2"), "all 3 brokers killed, then started", "answers_first", _all_restarted, brokers=3
    ),
)
