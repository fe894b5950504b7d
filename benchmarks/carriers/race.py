"""The carriers side by side: one real Kafka, one job, runs in turns; medians, spread and ratios to the naive Faust app.

A shared machine says little by itself, the ratio within one run says more. Each carrier has one core and a topic with its
own copy of the same events; the time runs from its first event to the commit of its last.

    python -m benchmarks.carriers.race [--events 200000] [--naive 40000] [--rounds 3] [--seed 1] [--keys skewed|uniform|both]
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from benchmarks.carriers.job import COMMIT_SECONDS, PARTITIONS
from benchmarks.process import on_core, resident_mb, stop
from benchmarks.table import Table, met, plain
from rehearsal.broker import create_topics, real_kafka

PEOPLE = 20_000
SKEW = 3  # the busiest tenth of the people send nearly half of the events
RUN_SECONDS_MAX = 180
QUEUED_MAX = 500_000  # events that wait for the broker while a topic is filled
ROOT = Path(__file__).resolve().parents[2]
QUIX = ROOT / ".cache" / "quix"  # an environment of its own: it needs an older confluent-kafka
QUIX_LOCK = Path(__file__).with_name("quix.txt")
CARRIERS = {
    "naive faust": "faust_app",
    "quix-streams": "quix_app",
    "plain aiokafka": "plain_app",
    "concierge": "concierge_app",
}

KEYS = ("skewed", "uniform")
AIMS = {  # what ours is to reach, as a multiple of that carrier's rate
    ("skewed", "naive faust"): 6.0, ("skewed", "quix-streams"): 1.0, ("skewed", "plain aiokafka"): 0.5,
    ("uniform", "naive faust"): 3.0,
}  # fmt: skip


class Result(NamedTuple):
    per_second: float
    resident_mb: float


def events(count: int, seed: int, *, skewed: bool) -> Iterator[tuple[bytes, bytes]]:
    """(key, track call of about 430 bytes)."""
    chance = random.Random(seed)  # noqa: S311  # a benchmark's data needs no secrecy
    for number in range(count):
        person = int(PEOPLE * (chance.random() ** SKEW if skewed else chance.random()))
        call = {
            "type": "track", "event": "Product Added", "messageId": f"0f3c8a52-7d1e-4b7e-9a50-{number:012d}",
            "userId": f"user-{person:08d}", "timestamp": "2026-03-02T09:00:00.000Z",
            "context": {"library": {"name": "analytics.js", "version": "2.11.1"}, "page": {"path": "/products/serum"}},
            "properties": {
                "product_id": f"p-{chance.randrange(200)}", "name": "Vitamin C serum 30 ml", "price": chance.randrange(5, 90),
                "quantity": 1, "currency": "USD", "category": "serums", "url": "https://shop.example/products/serum",
            },
        }  # fmt: skip
        yield b"user-%08d" % person, json.dumps(call).encode()


def measure(
    count: int = 200_000, naive: int = 40_000, rounds: int = 3, seed: int = 1, keys: Sequence[str] = KEYS
) -> Table:
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder, real_kafka(Path(folder) / "kafka") as bootstrap:
        for kind in keys:
            found: dict[str, list[Result]] = {name: [] for name in CARRIERS}
            for turn in range(rounds):
                for name, module in CARRIERS.items():
                    sent = naive if module == "faust_app" else count
                    place = f"{module}-{kind}-{turn}".replace("_", "-")
                    fill(bootstrap, place, events(sent, seed, skewed=kind == "skewed"))
                    found[name].append(run(bootstrap, Path(folder), place, module, sent))
            rows += rows_of(kind, found)
    conditions = (
        f"Seed {seed}, {count:,} events ({naive:,} for the naive app) of {PEOPLE:,} keys, {PARTITIONS} partitions, {rounds} "
        f"rounds in turns, one core each, one broker beside them, commit every {COMMIT_SECONDS:g} s"
    )
    columns = ["carrier", "keys", "events/s", "lowest to highest", "x naive", "aim of ours", "resident MB"]
    return Table("carriers", conditions, columns, rows)


def rows_of(kind: str, found: Mapping[str, Sequence[Result]]) -> list[list[str]]:
    medians = {name: statistics.median(one.per_second for one in results) for name, results in found.items()}
    ours = medians["concierge"]
    rows = []
    for name, results in found.items():
        rates = [one.per_second for one in results]
        share = AIMS.get((kind, name))
        aim = f"{met(ours / medians[name], share)} ({ours / medians[name]:.2f} x this)" if share is not None else ""
        rows.append(
            [name, kind, f"{medians[name]:,.0f}", f"{min(rates):,.0f} to {max(rates):,.0f}",
             f"{medians[name] / medians['naive faust']:.1f}", aim, f"{max(one.resident_mb for one in results):,.0f}"]
        )  # fmt: skip
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--events", type=int, default=200_000)
    options.add_argument("--naive", type=int, default=40_000, help="events for the naive app, which is slow")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--keys", choices=(*KEYS, "both"), default="both")
    asked = options.parse_args()
    keys = KEYS if asked.keys == "both" else (asked.keys,)
    print(plain(measure(asked.events, asked.naive, asked.rounds, asked.seed, keys)))


def fill(bootstrap: str, name: str, told: Iterator[tuple[bytes, bytes]]) -> None:
    create_topics(
        bootstrap,
        {
            f"{name}-in": (PARTITIONS, {}),
            f"{name}-out": (PARTITIONS, {}),
            f"{name}-people-changelog": (PARTITIONS, {"cleanup.policy": "compact"}),
        },
    )
    producer = Producer(
        {
            "bootstrap.servers": bootstrap, "linger.ms": 20, "partitioner": "murmur2_random",
            "queue.buffering.max.messages": QUEUED_MAX,
        }
    )  # fmt: skip
    for key, value in told:
        producer.produce(f"{name}-in", value, key=key)
        producer.poll(0)
    producer.flush(RUN_SECONDS_MAX)


def run(bootstrap: str, folder: Path, name: str, module: str, count: int) -> Result:
    """One run of one carrier, pinned to one core."""
    home = folder / name
    first = folder / f"{name}.first"
    python = str(quix_python()) if module == "quix_app" else sys.executable
    told = {"name": name, "bootstrap": bootstrap, "folder": str(home), "first": str(first)}
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # programs of our own
            [python, "-m", f"benchmarks.carriers.{module}", json.dumps(told)],
            cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, preexec_fn=on_core(0),
        )  # fmt: skip
    try:
        ended = await_committed(bootstrap, name, count, process)
        resident = resident_mb(process.pid)
    except TimeoutError as error:
        tail = (folder / f"{name}.log").read_text(errors="replace")[-2000:]
        raise SystemExit(f"{name}: {error}; its log ends:\n{tail}") from None
    finally:
        stop(process)
        shutil.rmtree(home, ignore_errors=True)
    return Result(count / (ended - float(first.read_text())), resident)


def await_committed(bootstrap: str, group: str, count: int, process: "subprocess.Popen[bytes]") -> float:
    """The wall time at which the group had committed `count` records."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
    asked = [TopicPartition(f"{group}-in", number) for number in range(PARTITIONS)]
    deadline = time.monotonic() + RUN_SECONDS_MAX
    try:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                done = sum(max(found.offset, 0) for found in consumer.committed(asked, timeout=10))
            except KafkaException:
                done = 0  # the group is not there yet
            if done >= count:
                return time.time()
            time.sleep(0.05)
    finally:
        consumer.close()
    raise TimeoutError("it ended by itself" if process.poll() is not None else f"not done within {RUN_SECONDS_MAX} s")


def quix_python() -> Path:
    """The interpreter of quix-streams' own environment, made from its lock at the first use."""
    python = QUIX / "bin" / "python"
    if not python.exists():
        uv = Path(sys.executable).parent / "uv"
        subprocess.run([uv, "venv", "-q", QUIX], check=True)  # noqa: S603
        subprocess.run(  # noqa: S603
            [uv, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", QUIX_LOCK], check=True
        )
    return python


if __name__ == "__main__":
    main()
