"""Two edges of the carrier on a real Kafka: an empty topic has positions, and no state outlives a lost output."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from agents.reliable import EXIT_FAILED
from rehearsal.broker import create_topics
from tests.kafka.lab import PARTITIONS, keyed
from tests.live.stage import await_until

pytestmark = pytest.mark.kafka
NAME = "edge"


@pytest.fixture(scope="module")
def worker(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator["subprocess.Popen[bytes]"]:
    topics = (f"{NAME}-in", f"{NAME}-out", f"{NAME}-counts-changelog")
    create_topics(kafka, {topic: (PARTITIONS, {}) for topic in topics})
    folder = tmp_path_factory.mktemp("edge")
    started = subprocess.Popen([sys.executable, "-m", "tests.kafka.edge_app", NAME, kafka, str(folder)], cwd=Path.cwd())
    try:
        await_until(lambda: (folder / "told").is_file() or started.poll() is not None, seconds=40, what="it is ready")
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGKILL)
        started.wait()


def test_an_empty_partition_is_at_its_end(worker: "subprocess.Popen[bytes]") -> None:
    assert isinstance(worker.args, list)
    told = json.loads(Path(worker.args[-1], "told").read_text())
    assert told["positions"] == told["ends"] == {str(number): 0 for number in range(PARTITIONS)}


def test_an_output_too_large_stops_the_process_and_leaves_no_state(
    kafka: str, worker: "subprocess.Popen[bytes]"
) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(20):
        producer.produce(f"{NAME}-in", b"x", key=b"k%d" % number)
    producer.flush(20)
    assert worker.wait(40) == EXIT_FAILED
    assert keyed(kafka, f"{NAME}-counts-changelog") == []
