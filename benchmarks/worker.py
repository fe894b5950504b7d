"""Real workers on a real Kafka, and questions to that Kafka: what the benchmarks of the whole path stand on."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from agents.kafka_topics import apply_topics
from agents.settings import Settings
from agents.topic_plan import APP_NAME
from benchmarks.process import on_core, stop
from contracts import decisions, topics
from contracts.decisions import Decision
from contracts.received import frame
from rehearsal.broker import real_kafka

PARTITIONS = 8
WAIT_SECONDS_MAX = 420  # the recovery of a million people is the longest
POLL_SECONDS = 0.05
QUEUED_MAX = 500_000  # records that wait for the broker while a topic is filled
STAMPED_BY_THE_BROKER = (
    "log.message.timestamp.type=LogAppendTime\n"  # so that a delay ends where the record is in Kafka
)
ROOT = Path(__file__).resolve().parents[1]
POLICY = ROOT / "policies" / "skincare.yaml"
SOURCE = topics.SOURCE_CUSTOMERIO.name


@contextmanager
def cluster() -> Iterator[tuple[str, Path]]:
    """(bootstrap address of a broker with all topics, a folder of its own)."""
    with tempfile.TemporaryDirectory(prefix="concierge-bench-") as name:
        folder = Path(name)
        with real_kafka(folder / "kafka", more=STAMPED_BY_THE_BROKER) as bootstrap:
            apply_topics(Settings(kafka_bootstrap=bootstrap, partitions=PARTITIONS, replication=1))
            yield bootstrap, folder


@contextmanager
def running(bootstrap: str, folder: Path, workers: int = 1) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """`concierge work` so often, each on one core; state and logs below `folder`. Ended in order with the block."""
    with ExitStack() as stack:
        yield [stack.enter_context(worker(bootstrap, folder, number)) for number in range(workers)]


@contextmanager
def worker(
    bootstrap: str, folder: Path, number: int = 0, *, more: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """more: further settings, which go before these."""
    settings = {
        "CONCIERGE_KAFKA_BOOTSTRAP": bootstrap, "CONCIERGE_PARTITIONS": str(PARTITIONS),
        "CONCIERGE_DATA_DIR": str(folder / f"state-{number}"), "CONCIERGE_STANDBYS": "0",
        "CONCIERGE_POLICY_FILE": str(POLICY), **(more or {}),
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONCIERGE_")}
    with (folder / f"worker-{number}.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own command
            [Path(sys.executable).parent / "concierge", "work"],
            env=kept | settings, stdout=log, stderr=log, preexec_fn=on_core(number),
        )  # fmt: skip
        try:
            yield process
        finally:
            stop(process)


def framed(call: bytes) -> bytes:
    return frame(call, accepted_ms=time.time_ns() // 1_000_000, source="customerio_pipelines")


def filler(bootstrap: str, *, linger_ms: int = 20) -> Producer:
    """Puts a key where the product would put it."""
    return Producer(
        {
            "bootstrap.servers": bootstrap, "linger.ms": linger_ms, "partitioner": "murmur2_random",
            "queue.buffering.max.messages": QUEUED_MAX,
        }
    )  # fmt: skip


def produce(bootstrap: str, calls: Iterable[bytes]) -> None:
    """To the source, as the receiver would."""
    producer = filler(bootstrap)
    for call in calls:
        producer.produce(SOURCE, framed(call))
        producer.poll(0)
    producer.flush(WAIT_SECONDS_MAX)


def committed(bootstrap: str, topic: str) -> int:
    """Records of the topic that the workers' group is past, of all partitions."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": APP_NAME, "log_level": 0})
    try:
        asked = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        return sum(max(found.offset, 0) for found in consumer.committed(asked, timeout=10))
    except KafkaException:
        return 0  # the group is not there yet
    finally:
        consumer.close()


def end_of(bootstrap: str, topic: str) -> int:
    """Records of the topic, of all partitions."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader"})
    try:
        return sum(
            int(consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1])
            for number in range(PARTITIONS)
        )
    except KafkaException:
        return 0  # the topic was made just now
    finally:
        consumer.close()


def decided(bootstrap: str, people: str) -> list[tuple[Decision, int]]:
    """(decision, ms at which it was written) of everybody whose key begins so."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topics.DECISIONS.name, number, 0) for number in range(PARTITIONS)])
    found: list[tuple[Decision, int]] = []
    ended = 0
    while ended < PARTITIONS:
        message = consumer.poll(WAIT_SECONDS_MAX)
        value = message.value() if message is not None else None
        if message is None or message.error() or value is None:
            ended += 1
            continue
        decision = decisions.decode(value)
        if decision.person.startswith(people):
            found.append((decision, message.timestamp()[1]))
    consumer.close()
    return found


def await_that(condition: Callable[[], bool], what: str, processes: Sequence["subprocess.Popen[bytes]"] = ()) -> None:
    """SystemExit where it does not come true in time, or one of the processes ends before."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
            raise SystemExit(f"not within {WAIT_SECONDS_MAX} s, or a worker ended: {what}")
        time.sleep(POLL_SECONDS)
