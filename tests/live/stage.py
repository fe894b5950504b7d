"""The running system for tests: a real Kafka, `concierge receive` and `concierge work` as processes, on a simulated clock."""

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confluent_kafka import Consumer, Message, TopicPartition

from agents.clock import Clock, read_clock
from contracts import signals
from contracts.instant import to_rfc3339
from contracts.signals import Marked
from contracts.topics import SIGNALS

COMMAND = Path(sys.executable).parent / "concierge"
STOP_SECONDS_MAX = 30


def simulated(origin_ms: int, *, speed: int, starts_in_seconds: float) -> tuple[str, Clock]:
    """A clock setting that stands at `origin_ms` until it starts, and the clock itself."""
    start = datetime.now(UTC) + timedelta(seconds=starts_in_seconds)
    text = f"sim:{to_rfc3339(origin_ms)}@{start:%Y-%m-%dT%H:%M:%S.}{start.microsecond // 1000:03d}Zx{speed}"
    return text, read_clock(text)


@contextmanager
def process(verb: str, settings: Mapping[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`concierge VERB` with these settings; at the end it is asked to stop, and must."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONCIERGE_")}
    with log.open("wb") as output:
        running = subprocess.Popen([COMMAND, verb], env=kept | dict(settings), stdout=output, stderr=subprocess.STDOUT)
        try:
            yield running
        finally:
            if running.poll() is None:
                running.send_signal(signal.SIGTERM)
            try:
                running.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
                raise AssertionError(f"{verb} did not stop; {tail(log)}") from None


def tail(log: Path) -> str:
    return f"its log ends:\n{log.read_text(errors='replace')[-3000:]}"


def await_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def records(bootstrap: str, topic: str, partitions: int) -> dict[int, list[bytes]]:
    """Every value of the topic as it is now, by partition, in order."""
    found: dict[int, list[bytes]] = defaultdict(list)
    for message in messages(bootstrap, topic, partitions):
        found[message.partition()].append(message.value())
    return found


def log_time_ms(bootstrap: str, partitions: int) -> int:
    """The least of the newest marks over all sources and partitions."""
    newest: dict[tuple[int, str], int] = {}
    for number, values in records(bootstrap, SIGNALS.name, partitions).items():
        for value in values:
            read = signals.decode(value)
            if isinstance(read, Marked):
                newest[number, read.source] = read.at_ms
    return min(newest.values(), default=0)


def messages(bootstrap: str, topic: str, partitions: int) -> list[Message]:
    """Every record of the topic as it is now, in order within its partition."""
    return list(stream(bootstrap, topic, partitions))


def stream(bootstrap: str, topic: str, partitions: int) -> Iterator[Message]:
    """As `messages`, one after the other, so that a long topic need not be held."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    ended = 0
    try:
        while ended < partitions:
            for message in consumer.consume(5000, 1.0):
                if message.error() is not None:
                    ended += 1
                else:
                    yield message
    finally:
        consumer.close()
