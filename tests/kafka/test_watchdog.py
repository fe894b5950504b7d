"""Hangs that were put in end the process with a sentence; slow but healthy work does not."""

import pytest
from confluent_kafka import Producer

from agents.reliable import EXIT_FAILED
from tests.kafka.lab import Lab, Worker

pytestmark = pytest.mark.kafka
EXIT_SECONDS_MAX = 60


def reason(lab: Lab, worker: Worker) -> str:
    """What the worker said when it stopped itself."""
    assert worker.wait(EXIT_SECONDS_MAX) == EXIT_FAILED
    return lab.log_of(worker)


def test_a_commit_that_never_ends_stops_the_process(lab: Lab) -> None:
    lab.send(100)
    worker = lab.start("a", plant="stuck_flush", limits={"commit_seconds": 4})
    assert "nothing was committed for too long" in reason(lab, worker)
    assert lab.committed() == 0


def test_a_handler_that_never_returns_stops_the_process(lab: Lab) -> None:
    worker = lab.start("a", limits={"commit_seconds": 4})
    lab.send(1, value=b"endless")
    assert "nothing was committed for too long" in reason(lab, worker)
    assert lab.committed() == 0


def test_a_recovery_that_hears_nothing_stops_the_process(lab: Lab) -> None:
    lab.send(100)
    worker = lab.start("a")
    lab.await_committed(100)
    assert lab.stop(worker) == 0
    worker = lab.start("b", plant="mute_changelog", limits={"recovery_seconds": 4})
    assert "the recovery has read no changelog record for too long" in reason(lab, worker)


def test_one_partition_that_stands_still_stops_the_process(lab: Lab) -> None:
    worker = lab.start("a", plant="stuck_partition", limits={"still_seconds": 8})
    traffic = lab.traffic(6000, per_second=200)
    said = reason(lab, worker)
    traffic.join()
    assert "a partition was not read for too long although there is more" in said
    committed = lab.committed_offsets()
    assert committed[0] == 0
    assert all(committed[1:])


def test_slow_commits_and_slow_handlers_are_no_hang_and_the_log_is_plain_text(lab: Lab) -> None:
    worker = lab.start(
        "a", plant="slow_flush", limits={"commit_seconds": 8, "still_seconds": 20, "recovery_seconds": 4}
    )
    lab.send(3, value=b"slow")
    lab.send(100)
    lab.await_committed(103)
    assert lab.stop(worker) == 0
    lab.check_exact()
    assert "\x1b" not in lab.log_of(worker)


def test_missing_offsets_stop_the_process_until_that_is_allowed(lab: Lab) -> None:
    """The markers of a transaction take offsets and are never read: to a reader they are records that are missing."""
    producer = Producer({"bootstrap.servers": lab.bootstrap, "transactional.id": lab.name})
    producer.init_transactions(30)
    for _ in range(2):
        producer.begin_transaction()
        for _ in range(10):
            producer.produce(f"{lab.name}-in", b"x", key=b"k", partition=0)
        producer.commit_transaction(30)
    said = reason(lab, lab.start("a"))
    assert f"records 10 to 10 of {lab.name}-in/0 are missing" in said
    assert "CONCIERGE_ALLOW_GAPS" in said
    worker = lab.start("a", gaps_allowed=True)
    lab.await_committed(21)
    assert lab.stop(worker) == 0
    assert lab.counted() == {b"k": 20}


def test_a_topic_that_is_shorter_than_what_was_committed_stops_the_process(lab: Lab) -> None:
    lab.send(40)
    lab.commit(0, 1000)
    assert "made anew" in reason(lab, lab.start("a"))
    assert lab.committed() == 1000
