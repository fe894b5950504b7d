"""The whole path on a real Kafka: source records -> ingest -> signals -> judge -> decisions, by `concierge work` processes.

Prints the rate with one and two workers, and the delay from acceptance to the decision in Kafka at half of that load, for what a
signal ends (a subscription kept) and for what waits for the mark (one about to be cancelled).

    python -m benchmarks.path [--calls 60000] [--probes 400] [--seed 1]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from agents.kafka_topics import apply_topics
from agents.settings import Settings
from agents.topic_plan import APP_NAME
from benchmarks.carriers.race import resident_mb, stop
from benchmarks.fold import lines
from contracts import decisions, topics
from contracts.instant import from_rfc3339
from contracts.received import frame
from rehearsal.broker import real_kafka

PARTITIONS = 8
WAIT_SECONDS_MAX = 240
POLL_SECONDS = 0.05
HALF = 0.5
PROBE_SECONDS = 3.0  # between a probe's beginning and its end: longer than mark and commit together
ROOT = Path(__file__).resolve().parents[1]
SOURCE = topics.SOURCE_CUSTOMERIO.name


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=60_000)
    options.add_argument("--probes", type=int, default=400)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    print(
        f"seed {asked.seed}, {asked.calls} calls, {os.cpu_count()} cores shared with the broker, {PARTITIONS} partitions"
    )
    calls = [line for _, line in lines(asked.calls, asked.seed)]
    rates = {workers: drained(calls, workers) for workers in (1, 2)}
    delays(calls, asked.probes, HALF * rates[1])


def drained(calls: Sequence[bytes], workers: int) -> float:
    """Calls a second from the first signal to the commit of the last, of a backlog that is there when the workers start."""
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder)) as bootstrap:
        produce(bootstrap, calls)
        with running(bootstrap, Path(folder), workers) as processes:
            await_that(lambda: end_of(bootstrap, topics.SIGNALS.name) > 0, "the first signal")
            began = time.monotonic()
            await_that(lambda: committed(bootstrap, SOURCE) >= len(calls), "all calls are read")
            told = end_of(bootstrap, topics.SIGNALS.name)
            await_that(lambda: committed(bootstrap, topics.SIGNALS.name) >= told, "all signals are judged")
            rate = len(calls) / (time.monotonic() - began)
            memory = max(resident_mb(process.pid) for process in processes)
        decided = end_of(bootstrap, topics.DECISIONS.name)
    print(
        f"whole path, {workers} worker(s)  {rate:>9,.0f} calls/s, {decided} decisions, {memory:,.0f} MB resident at most"
    )
    return rate


def delays(calls: Sequence[bytes], probes: int, per_second: float) -> None:
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder)) as bootstrap:
        with running(bootstrap, Path(folder), 1):
            produce(bootstrap, calls[:1])
            await_that(lambda: committed(bootstrap, topics.SIGNALS.name) > 0, "the worker works")
            over = threading.Event()
            load = threading.Thread(target=paced, args=(bootstrap, calls, per_second, over))
            load.start()
            probe(bootstrap, probes)
            over.set()
            load.join()
            await_that(lambda: settled(bootstrap, probes), "every probe began, and ended or was held out")
        found = decided(bootstrap)
    for outcome, name in (("withdrawn", "ended by a signal"), ("activated", "begun with the mark")):
        told = sorted(delay for kind, delay in found if kind == outcome)
        cuts = statistics.quantiles(told, n=100)
        print(
            f"accepted -> decision, {name:19} at {per_second:,.0f} calls/s: "
            f"p50 {cuts[49]:,.0f} ms, p99 {cuts[98]:,.0f} ms, n = {len(told)}"
        )


def settled(bootstrap: str, probes: int) -> bool:
    outcomes = Counter(outcome for outcome, _ in decided(bootstrap))
    return outcomes["activated"] + outcomes["withheld"] == probes and outcomes["withdrawn"] == outcomes["activated"]


def paced(bootstrap: str, calls: Sequence[bytes], per_second: float, over: threading.Event) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    began = time.monotonic()
    sent = 0
    while not over.is_set():
        due = int((time.monotonic() - began) * per_second)
        for number in range(sent, due):
            producer.produce(SOURCE, framed(calls[number % len(calls)].replace(b'"m-', b'"again-%d-' % number)))
        sent = due
        producer.poll(0)
        over.wait(0.01)
    producer.flush(WAIT_SECONDS_MAX)


def probe(bootstrap: str, count: int) -> None:
    """People of their own who start to cancel a subscription, and keep it some seconds later."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    for event in ("Subscription Cancel Started", "Subscription Kept"):
        for number in range(count):
            call = {"type": "track", "event": event, "messageId": f"{event}-{number}", "userId": f"probe-{number}"}
            producer.produce(SOURCE, framed(json.dumps(call).encode()))
            producer.poll(0)
            time.sleep(PROBE_SECONDS / count)
        producer.flush(WAIT_SECONDS_MAX)
        time.sleep(PROBE_SECONDS)


def decided(bootstrap: str) -> list[tuple[str, float]]:
    """(outcome, ms from the acceptance or the instant to the record in Kafka) of every probe's decision."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topics.DECISIONS.name, number, 0) for number in range(PARTITIONS)])
    found: list[tuple[str, float]] = []
    ended = 0
    while ended < PARTITIONS:
        message = consumer.poll(WAIT_SECONDS_MAX)
        if message is None or message.error():
            ended += 1
            continue
        decision = decisions.decode(message.value())
        if decision.person.startswith("id:probe-"):
            found.append((decision.outcome, message.timestamp()[1] - from_rfc3339(decision.at)))
    consumer.close()
    return found


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    with real_kafka(folder / "kafka") as bootstrap:
        apply_topics(Settings(kafka_bootstrap=bootstrap, partitions=PARTITIONS, replication=1))
        yield bootstrap


@contextmanager
def running(bootstrap: str, folder: Path, workers: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    with ExitStack() as stack:
        processes = []
        for number in range(workers):
            settings = {
                "CONCIERGE_KAFKA_BOOTSTRAP": bootstrap, "CONCIERGE_PARTITIONS": str(PARTITIONS),
                "CONCIERGE_DATA_DIR": str(folder / f"state-{number}"), "CONCIERGE_STANDBYS": "0",
                "CONCIERGE_POLICY_FILE": str(ROOT / "policies" / "skincare.yaml"),
            }  # fmt: skip
            kept = {name: value for name, value in os.environ.items() if not name.startswith("CONCIERGE_")}
            log = stack.enter_context((folder / f"worker-{number}.log").open("wb"))
            process = subprocess.Popen(  # noqa: S603  # our own command
                [Path(sys.executable).parent / "concierge", "work"], env=kept | settings, stdout=log, stderr=log
            )
            stack.callback(stop, process)
            processes.append(process)
        yield processes


def framed(call: bytes) -> bytes:
    return frame(call, accepted_ms=time.time_ns() // 1_000_000, source="customerio_pipelines")


def produce(bootstrap: str, calls: Sequence[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
    for call in calls:
        producer.produce(SOURCE, framed(call))
        producer.poll(0)
    producer.flush(WAIT_SECONDS_MAX)


def committed(bootstrap: str, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": APP_NAME, "log_level": 0})
    try:
        asked = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        return sum(max(found.offset, 0) for found in consumer.committed(asked, timeout=10))
    except KafkaException:
        return 0  # the group is not there yet
    finally:
        consumer.close()


def end_of(bootstrap: str, topic: str) -> int:
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


def await_that(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {WAIT_SECONDS_MAX} s: {what}")
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
