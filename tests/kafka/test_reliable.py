"""The carrier on a real Kafka: what kills, joins, leaves and failures may not change."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.reliable import EXIT_FAILED
from tests.kafka.lab import Lab

pytestmark = pytest.mark.kafka


@pytest.fixture
def lab(kafka: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    made = Lab(kafka, tmp_path, f"lab-{abs(hash(request.node.nodeid)) % 10**8}")
    yield made
    made.close()


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


@pytest.mark.parametrize("standbys", [0, 1])
def test_two_workers_join_leave_and_die_without_loss_or_stall(lab: Lab, standbys: int) -> None:
    first = lab.start("a", standbys=standbys)
    lab.await_that(lambda: first.poll() is None and lab.committed() >= 0, "the first worker runs")
    traffic = lab.traffic(8000, per_second=500)
    lab.await_committed(300)
    second = lab.start("b", standbys=standbys)
    lab.await_committed(2500)
    assert lab.stop(first) == 0
    lab.await_committed(4000)
    first = lab.start("a", standbys=standbys)
    lab.await_committed(6000)
    lab.kill(second)
    traffic.join()
    lab.await_committed(8000)
    assert lab.stop(first) == 0
    lab.check_exact()


def test_an_error_of_a_handler_stops_the_process_and_nothing_after_it_is_committed(lab: Lab) -> None:
    lab.send(100)
    worker = lab.start("a", poison="bad")
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
