"""Whether a live worker's memory stays flat: its resident size at each tenth of ten million signals.

A shop's signals go straight into the log of a real Kafka, so many ahead of `concierge work` as it takes in some seconds; it
judges them with its state in RocksDB and its changelog in Kafka. Ten million take as long as they take; without `--all` the
run ends after five minutes, and each tenth is one of that time.

    python -m benchmarks.memory [--signals 10000000] [--seconds 300 | --all] [--seed 1]
"""

import argparse
import math
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.fold import PEOPLE_PER_CALL, lines
from benchmarks.process import resident_mb
from benchmarks.table import Table, plain
from benchmarks.worker import WAIT_SECONDS_MAX, await_that, cluster, committed, filler, running
from contracts import signals, topics
from contracts.calls import parse

SIGNALS = 10_000_000
SECONDS = 300.0
TENTHS = 10
TEMPLATES = 100_000  # calls that are really read; each lap through them is of other people
LAPS_OF_PEOPLE = 20  # then the first ones come again
PEOPLE = int(TEMPLATES * PEOPLE_PER_CALL) * LAPS_OF_PEOPLE
AHEAD_MAX = 100_000  # signals that wait for the worker
AIM_GROWTH = 0.05  # from the half to the end


class Sample(NamedTuple):
    """seconds: since the first. disk_mb: of the worker's directory."""

    signals: int
    seconds: float
    resident_mb: float
    disk_mb: float


class Feed:
    """Signals into the log, in a thread of its own, never more than AHEAD_MAX beyond `judged`."""

    def __init__(self, bootstrap: str, seed: int) -> None:
        self.judged = 0
        self._bootstrap, self._seed = bootstrap, seed
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def __enter__(self) -> "Feed":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        producer = filler(self._bootstrap)
        for number, (key, value) in enumerate(records(self._seed)):
            while number - self.judged > AHEAD_MAX and not self._over.is_set():
                producer.poll(0)
                self._over.wait(0.05)
            if self._over.is_set():
                break
            producer.produce(topics.SIGNALS.name, value, key=key)
            producer.poll(0)
        producer.flush(WAIT_SECONDS_MAX)


def records(seed: int) -> Iterator[tuple[bytes, bytes]]:
    """(key, record) without end, accepted now."""
    told = [signal for at_ms, line in lines(TEMPLATES, seed) for signal in parse(line, accepted_ms=at_ms).signals]
    lap = 0
    while True:
        people = f"-{lap % LAPS_OF_PEOPLE}"
        for signal in told:
            now_ms = time.time_ns() // 1_000_000
            person = signal.person + people
            changed = msgspec.structs.replace(
                signal, person=person, id=f"{signal.id}-{lap}", occurred_ms=now_ms, accepted_ms=now_ms
            )
            yield person.encode(), signals.encode(changed)
        lap += 1


def measure(signals_count: int = SIGNALS, seconds_max: float = SECONDS, seed: int = 1) -> Table:
    samples: list[Sample] = []
    with cluster() as (bootstrap, folder), running(bootstrap, folder) as (process,), Feed(bootstrap, seed) as feed:
        await_that(lambda: committed(bootstrap, topics.SIGNALS.name) > 0, "the first signals are judged", [process])
        began = time.monotonic()
        while len(samples) < TENTHS:
            feed.judged = committed(bootstrap, topics.SIGNALS.name)
            seconds = time.monotonic() - began
            if max(feed.judged / signals_count, seconds / seconds_max) * TENTHS >= len(samples) + 1:
                samples.append(Sample(feed.judged, seconds, resident_mb(process.pid), on_disk_mb(folder)))
            if process.poll() is not None:
                raise SystemExit(f"the worker ended with {process.returncode} after {feed.judged} signals")
            time.sleep(0.2)
    return told(samples, seed)


def told(samples: Sequence[Sample], seed: int) -> Table:
    half, last = samples[len(samples) // 2 - 1], samples[-1]
    growth = last.resident_mb / half.resident_mb - 1
    rows = [
        [f"{one.signals:,}", f"{one.seconds:,.0f}", f"{one.resident_mb:,.0f}", f"{one.disk_mb:,.0f}"] for one in samples
    ]
    conditions = (
        f"Seed {seed}, {PEOPLE:,} people, one worker on one core, {last.signals / last.seconds:,.0f} signals/s; from the half to "
        f"the end {growth:+.1%} (aim: at most {AIM_GROWTH:+.0%}, {'met' if growth <= AIM_GROWTH else 'missed'})"
    )
    return Table("memory", conditions, ["signals judged", "after s", "resident MB", "MB on disk"], rows)


def on_disk_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.glob("state-*/**/*.sst")) / 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--signals", type=int, default=SIGNALS)
    options.add_argument("--seconds", type=float, default=SECONDS)
    options.add_argument("--all", action="store_true", help="until all signals are judged")
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    print(plain(measure(asked.signals, math.inf if asked.all else asked.seconds, asked.seed)))


if __name__ == "__main__":
    main()
