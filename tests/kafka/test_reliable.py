"""The carrier on a real Kafka: what kills, joins, leaves and failures may not change."""

import signal
import time
from pathlib import Path

import pytest

from agents.reliable import EXIT_FAILED
from tests.kafka.lab import Lab, Worker

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("keeps_data", [True, False], ids=["data kept", "data lost"])
def test_counts_are_exact_after_kills(lab: Lab, keeps_data: bool) -> None:
    worker = lab.start("data-0")
    traffic = lab.traffic(6000, per_second=900)
    for number, reached in enumerate((800, 2500), 1):
        lab.await_committed(reached)
        lab.kill(worker)
        worker = lab.start("data-0" if keeps_data else f"data-{number}")
    traffic.join()
    lab.send(100)  # so that the last worker is seen to work before it is stopped
    lab.await_committed(6100)
    assert lab.stop(worker) == 0
    lab.check_exact()


def test_a_worker_that_stood_still_between_the_group_s_answer_and_its_write_writes_nothing(lab: Lab) -> None:
    frozen = lab.start("a", plant="frozen_behind_the_fence")
    traffic = lab.traffic(3000, per_second=500)
    lab.await_that(lambda: _stands_still(frozen), "the worker stands still")
    try:
        traffic.join()
        successor = lab.start("b")
        lab.await_committed(3000)
    finally:
        frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(60) == EXIT_FAILED
    assert "a changelog may not be written" in lab.log_of(frozen)
    lab.kill(successor)  # what it has in memory does not count
    lab.check_exact()


def _stands_still(worker: Worker) -> bool:
    return Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_an_error_of_a_handler_stops_the_process_and_nothing_after_it_is_committed(lab: Lab) -> None:
    lab.send(100)
    worker = lab.start("a", poison=True)
    lab.await_committed(100)
    lab.send(1, value=b"bad")
    assert worker.wait(60) == EXIT_FAILED
    assert lab.committed() == 100
    worker = lab.start("a")
    lab.await_committed(101)
    assert lab.stop(worker) == 0
    lab.check_exact()


def test_an_output_that_cannot_be_written_stops_the_process(lab: Lab) -> None:
    lab.send(100)
    worker = lab.start("a", out="no-such-topic")
    deadline = time.monotonic() + 90
    assert worker.wait(deadline - time.monotonic()) == EXIT_FAILED
    assert lab.committed() == 0
