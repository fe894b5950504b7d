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
from faust.stores.rocksdb import Store as RocksDB
from rocksdict import AccessType, Options, Rdict

from rehearsal.broker import create_topics
from tests.live.stage import await_until, stream

PARTITIONS = 4
OFFSET_KEY = RocksDB.offset_key
KEYS = 40
CHANGELOG = {  # compacted within seconds, as one that is months old would be
    "cleanup.policy": "compact", "segment.ms": "5000", "min.cleanable.dirty.ratio": "0.01"
}  # fmt: skip
WAIT_SECONDS_MAX = 60


Worker = subprocess.Popen[bytes]


class Lab:
    """One experiment: topics NAME-in, NAME-out, NAME-counts-changelog."""

    def __init__(self, bootstrap: str, folder: Path, name: str, *, keys: int = KEYS) -> None:
        self.bootstrap, self.folder, self.name, self.keys = bootstrap, folder, name, keys
        self.workers: list[Worker] = []
        self.sent = 0
        self._ready: dict[int, Path] = {}
        create_topics(
            bootstrap,
            {
                f"{name}-in": (PARTITIONS, {}),
                f"{name}-out": (PARTITIONS, {}),
                f"{name}-counts-changelog": (PARTITIONS, CHANGELOG),
            },
        )
        self._group = Consumer({"bootstrap.servers": bootstrap, "group.id": name})
        await_until(self._has_leaders, seconds=WAIT_SECONDS_MAX, what="every partition has a leader")

    def _has_leaders(self) -> bool:
        try:
            self.end_offsets()
        except KafkaException:
            return False
        return True

    def start(self, datadir: str, **options: object) -> Worker:
        number = len(self.workers)
        asked = {
            "name": self.name,
            "bootstrap": self.bootstrap,
            "partitions": PARTITIONS,
            "datadir": str(self.folder / datadir),
            "ready": str(self.folder / f"ready-{number}"),
            **options,
        }
        with (self.folder / f"worker-{number}.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "tests.kafka.counting_app", json.dumps(asked)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.workers.append(worker)
        self._ready[worker.pid] = Path(str(asked["ready"]))
        return worker

    def is_ready(self, worker: Worker) -> bool:
        """Whether it has recovered once; before that it may not even listen to SIGTERM."""
        return self._ready[worker.pid].is_file()

    def log_of(self, worker: Worker) -> str:
        number = self._ready[worker.pid].name.removeprefix("ready-")
        return (self.folder / f"worker-{number}.log").read_text(errors="replace")

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-1500:] for path in sorted(self.folder.glob("worker-*.log")))

    def send(self, count: int, *, per_second: float | None = None, value: bytes = b"x") -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5, "partitioner": "murmur2_random"})
        started = time.monotonic()
        for number in range(count):
            producer.produce(f"{self.name}-in", value, key=b"k%d" % (number % self.keys))
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
        return sum(self.committed_offsets())

    def committed_offsets(self) -> list[int]:
        """The next offset of each partition; zeros while there is no coordinator yet."""
        asked = [TopicPartition(f"{self.name}-in", number) for number in range(PARTITIONS)]
        try:
            return [max(found.offset, 0) for found in self._group.committed(asked, timeout=10)]
        except KafkaException:
            return [0] * PARTITIONS

    def commit(self, partition: int, offset: int) -> None:
        """For the group, while it has no members."""
        self._group.commit(offsets=[TopicPartition(f"{self.name}-in", partition, offset)], asynchronous=False)

    def end_offsets(self) -> list[int]:
        asked = [TopicPartition(f"{self.name}-in", number) for number in range(PARTITIONS)]
        return [self._group.get_watermark_offsets(source, timeout=10)[1] for source in asked]

    def await_committed(self, count: int) -> None:
        self.await_that(lambda: self.committed() >= count, f"{count} records are committed")

    def await_that(self, condition: Callable[[], bool], what: str) -> None:
        try:
            await_until(condition, seconds=WAIT_SECONDS_MAX, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}; committed {self.committed()} of {self.sent}\n{self.logs()}") from None

    def stop(self, worker: Worker) -> int:
        self.await_that(lambda: self.is_ready(worker) or worker.poll() is not None, "the worker has recovered")
        worker.send_signal(signal.SIGTERM)
        return worker.wait(WAIT_SECONDS_MAX)

    def kill(self, worker: Worker) -> None:
        worker.kill()
        worker.wait(WAIT_SECONDS_MAX)

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                self.kill(worker)
        self._group.close()

    def check_exact(self) -> None:
        """Every record was counted once, in the changelog; every tenth was told at least once."""
        expected, told, due = self.outcome()
        assert sum(expected.values()) == self.sent
        assert self.counted() == expected, self.logs()
        assert told == due

    def counted(self) -> Counter[bytes]:
        """The state as it would be rebuilt."""
        counts = Counter[bytes]()
        for message in stream(self.bootstrap, f"{self.name}-counts-changelog", PARTITIONS):
            counts[message.key()] = json.loads(message.value())["n"]
        return counts

    def local_differs(self) -> int:
        """Partitions whose local state, where it was kept longest, is not what the changelog holds. After all have stopped."""
        held: dict[int, dict[bytes, bytes]] = {number: {} for number in range(PARTITIONS)}
        for message in stream(self.bootstrap, f"{self.name}-counts-changelog", PARTITIONS):
            held[message.partition()][message.key()] = message.value()
        return sum(self._local(number) != state for number, state in held.items())

    def _local(self, partition: int) -> dict[bytes, bytes]:
        newest, state = -1, dict[bytes, bytes]()
        for path in self.folder.glob(f"*/**/counts-{partition}.db"):
            database = Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only())
            found = dict(database.items())
            database.close()
            offset = int(found.pop(OFFSET_KEY, b"-1"))
            if offset > newest:
                newest, state = offset, found
        return state

    def outcome(self) -> tuple[Counter[bytes], set[str], set[str]]:
        """How often each key was sent, which outputs there are, and which there must be."""
        expected, due = Counter[bytes](), set[str]()
        for message in stream(self.bootstrap, f"{self.name}-in", PARTITIONS):
            expected[message.key()] += 1
            if message.offset() % 10 == 0:
                due.add(f"{message.partition()}@{message.offset()}")
        told = {message.value().decode() for message in stream(self.bootstrap, f"{self.name}-out", PARTITIONS)}
        return expected, told, due


def keyed(bootstrap: str, topic: str) -> list[tuple[bytes, bytes]]:
    return [(message.key(), message.value()) for message in stream(bootstrap, topic, PARTITIONS)]
