"""Workers as processes on a topic of their own, what they committed, and what they left in changelog and outputs."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from rehearsal.broker import create_topics
from tests.live.stage import await_until, messages, records

PARTITIONS = 4
KEYS = 40
WAIT_SECONDS_MAX = 60


class Lab:
    """One experiment: topics NAME-in, NAME-out, NAME-counts-changelog."""

    def __init__(self, bootstrap: str, folder: Path, name: str) -> None:
        self.bootstrap, self.folder, self.name = bootstrap, folder, name
        self.workers: list[subprocess.Popen[bytes]] = []
        self.sent = 0
        create_topics(
            bootstrap,
            {
                f"{name}-in": (PARTITIONS, {}),
                f"{name}-out": (PARTITIONS, {}),
                f"{name}-counts-changelog": (PARTITIONS, {"cleanup.policy": "compact"}),
            },
        )

    def start(self, datadir: str, **options: object) -> "subprocess.Popen[bytes]":
        asked = {
            "name": self.name,
            "bootstrap": self.bootstrap,
            "partitions": PARTITIONS,
            "datadir": str(self.folder / datadir),
            **options,
        }
        log = (self.folder / f"worker-{len(self.workers)}.log").open("wb")
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.kafka.counting_app", json.dumps(asked)], stdout=log, stderr=subprocess.STDOUT
        )
        log.close()
        self.workers.append(worker)
        return worker

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-1500:] for path in sorted(self.folder.glob("worker-*.log")))

    def send(self, count: int, *, per_second: float | None = None, value: bytes = b"x") -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5, "partitioner": "murmur2_random"})
        started = time.monotonic()
        for number in range(count):
            producer.produce(f"{self.name}-in", value, key=b"k%d" % (number % KEYS))
            producer.poll(0)
            if per_second is not None:
                time.sleep(max(0.0, started + number / per_second - time.monotonic()))
        producer.flush(WAIT_SECONDS_MAX)
        self.sent += count

    def traffic(self, count: int, per_second: float) -> threading.Thread:
        thread = threading.Thread(target=self.send, args=(count,), kwargs={"per_second": per_second})
        thread.start()
        return thread

    def committed(self) -> int:
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.name})
        try:
            asked = [TopicPartition(f"{self.name}-in", number) for number in range(PARTITIONS)]
            return sum(max(found.offset, 0) for found in consumer.committed(asked, timeout=10))
        except KafkaException:
            return 0  # the coordinator is not there yet
        finally:
            consumer.close()

    def await_committed(self, count: int) -> None:
        self.await_that(lambda: self.committed() >= count, f"{count} records are committed")

    def await_that(self, condition: Callable[[], bool], what: str) -> None:
        try:
            await_until(condition, seconds=WAIT_SECONDS_MAX, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}; committed {self.committed()} of {self.sent}\n{self.logs()}") from None

    def stop(self, worker: "subprocess.Popen[bytes]") -> int:
        worker.send_signal(signal.SIGTERM)
        return worker.wait(WAIT_SECONDS_MAX)

    def kill(self, worker: "subprocess.Popen[bytes]") -> None:
        worker.kill()
        worker.wait(WAIT_SECONDS_MAX)

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                self.kill(worker)

    def check_exact(self) -> None:
        """Every record was counted once, in the changelog; every tenth was told at least once."""
        source = {
            number: len(values) for number, values in records(self.bootstrap, f"{self.name}-in", PARTITIONS).items()
        }
        counts: dict[bytes, int] = {}
        for key, value in keyed(self.bootstrap, f"{self.name}-counts-changelog"):
            counts[key] = json.loads(value)["n"]
        expected = Counter(key for key, _ in keyed(self.bootstrap, f"{self.name}-in"))
        assert sum(expected.values()) == self.sent
        assert counts == expected, self.logs()
        told = {
            value.decode()
            for values in records(self.bootstrap, f"{self.name}-out", PARTITIONS).values()
            for value in values
        }
        due = {f"{number}@{offset}" for number, count in source.items() for offset in range(0, count, 10)}
        assert told == due


def keyed(bootstrap: str, topic: str) -> list[tuple[bytes, bytes]]:
    return [(message.key(), message.value()) for message in messages(bootstrap, topic, PARTITIONS)]
