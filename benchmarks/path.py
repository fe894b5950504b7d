"""The whole path on a real Kafka, source records -> ingest -> signals -> judge -> decisions, beside a naive Faust app.

Each round has a broker of its own. On it one `concierge work` drains a backlog of calls, then a naive Faust app folds the
same calls (json, one RocksDB get and put an event, an output per ten), each on one core. Then, on another broker, two workers.
After the rounds comes the delay from acceptance to the decision in Kafka at half load, for what a signal ends (a subscription
kept) and for what waits for the mark (one about to be cancelled).

    python -m benchmarks.path [--calls 60000] [--naive 20000] [--rounds 3] [--probes 400] [--seed 1]
"""

import argparse
import json
import statistics
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.carriers import race
from benchmarks.fold import lines
from benchmarks.process import resident_mb
from benchmarks.table import Table, met, plain
from benchmarks.worker import (
    PARTITIONS,
    SOURCE,
    WAIT_SECONDS_MAX,
    await_that,
    cluster,
    committed,
    decided,
    end_of,
    filler,
    framed,
    produce,
    running,
)
from contracts import topics
from contracts.instant import from_rfc3339

CALLS, NAIVE, PROBES, ROUNDS = 60_000, 20_000, 400, 3
AIM = 2  # times the naive app
HALF = 0.5
PROBE_SECONDS = 3.0  # between a probe's beginning and its end: longer than mark and commit together


class Drained(NamedTuple):
    per_second: float
    resident_mb: float


def measure(
    calls_count: int = CALLS, naive_count: int = NAIVE, rounds: int = ROUNDS, probes: int = PROBES, seed: int = 1
) -> list[Table]:
    calls = [line for _, line in lines(calls_count, seed)]
    found: dict[str, list[Drained]] = {
        "naive Faust app": [],
        "whole path, one worker": [],
        "whole path, two workers": [],
    }
    for turn in range(rounds):
        with cluster() as (bootstrap, folder):
            found["whole path, one worker"].append(drained(bootstrap, folder, calls, 1))
            found["naive Faust app"].append(naive(bootstrap, folder, calls[:naive_count]))
        if turn < max(rounds - 1, 1):
            with cluster() as (bootstrap, folder):
                found["whole path, two workers"].append(drained(bootstrap, folder, calls, 2))
    conditions = (
        f"Seed {seed}, {calls_count:,} calls of a shop's mix ({naive_count:,} for the naive app), {rounds} rounds in turns "
        f"(two workers: one less), {PARTITIONS} partitions, each worker on one core, one broker beside them"
    )
    one = statistics.median(result.per_second for result in found["whole path, one worker"])
    return [speed(found, conditions), delays(calls, probes, HALF * one, seed)]


def speed(found: dict[str, list[Drained]], conditions: str) -> Table:
    base = statistics.median(result.per_second for result in found["naive Faust app"])
    rows = []
    for name, results in found.items():
        rates = [result.per_second for result in results]
        ratio = statistics.median(rates) / base
        aim = met(ratio, AIM) if name.endswith("one worker") else ""
        memory = max(result.resident_mb for result in results)
        rows.append([name, f"{statistics.median(rates):,.0f}", f"{min(rates):,.0f} to {max(rates):,.0f}", f"{ratio:.2f}", aim,
                     f"{memory:,.0f}"])  # fmt: skip
    return Table("path", conditions, ["what", "calls/s", "lowest to highest", "x naive", "aim", "resident MB"], rows)


def drained(bootstrap: str, folder: Path, calls: Sequence[bytes], workers: int) -> Drained:
    """Calls a second from the first signal to the commit of the last, of a backlog that is there when the workers start."""
    produce(bootstrap, calls)
    with running(bootstrap, folder, workers) as processes:
        await_that(lambda: end_of(bootstrap, topics.SIGNALS.name) > 0, "the first signal", processes)
        began = time.monotonic()
        await_that(lambda: committed(bootstrap, SOURCE) >= len(calls), "all calls are read", processes)
        told = end_of(bootstrap, topics.SIGNALS.name)
        await_that(lambda: committed(bootstrap, topics.SIGNALS.name) >= told, "all signals are judged", processes)
        rate = len(calls) / (time.monotonic() - began)
        memory = max(resident_mb(process.pid) for process in processes)
    return Drained(rate, memory)


def naive(bootstrap: str, folder: Path, calls: Sequence[bytes]) -> Drained:
    name = "faust-app-path"
    race.fill(bootstrap, name, ((str(json.loads(call)["userId"]).encode(), call) for call in calls))
    result = race.run(bootstrap, folder, name, "faust_app", len(calls))
    return Drained(result.per_second, result.resident_mb)


def delays(calls: Sequence[bytes], probes: int, per_second: float, seed: int) -> Table:
    with cluster() as (bootstrap, folder):
        with running(bootstrap, folder) as processes:
            produce(bootstrap, calls[:1])
            await_that(lambda: committed(bootstrap, topics.SIGNALS.name) > 0, "the worker works", processes)
            over = threading.Event()
            load = threading.Thread(target=paced, args=(bootstrap, calls, per_second, over))
            load.start()
            try:
                probe(bootstrap, probes)
            finally:
                over.set()
                load.join()
            await_that(lambda: settled(bootstrap, probes), "every probe began, and ended or was held out", processes)
        found = [(d.outcome, written_ms - from_rfc3339(d.at)) for d, written_ms in decided(bootstrap, "id:probe-")]
    rows = []
    for outcome, name in (("withdrawn", "ended by a signal"), ("activated", "begun with the mark")):
        told = sorted(delay for kind, delay in found if kind == outcome)
        cuts = statistics.quantiles(told, n=100)
        rows.append([name, f"{per_second:,.0f}", f"{cuts[49]:,.0f}", f"{cuts[98]:,.0f}", f"{len(told)}"])
    conditions = (
        f"Seed {seed}, {probes} probes at half of what one worker takes. A beginning waits for the next second's mark; both are "
        f"in Kafka with the next commit at the latest, once a second"
    )
    return Table("delay", conditions, ["accepted -> decision in Kafka", "calls/s", "p50 ms", "p99 ms", "n"], rows)


def settled(bootstrap: str, probes: int) -> bool:
    outcomes = Counter(decision.outcome for decision, _ in decided(bootstrap, "id:probe-"))
    return outcomes["activated"] + outcomes["withheld"] == probes and outcomes["withdrawn"] == outcomes["activated"]


def paced(bootstrap: str, calls: Sequence[bytes], per_second: float, over: threading.Event) -> None:
    producer = filler(bootstrap, linger_ms=5)
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
    producer = filler(bootstrap, linger_ms=0)
    for event in ("Subscription Cancel Started", "Subscription Kept"):
        for number in range(count):
            producer.produce(SOURCE, framed(probing(event, f"probe-{number}")))
            producer.poll(0)
            time.sleep(PROBE_SECONDS / count)
        producer.flush(WAIT_SECONDS_MAX)
        time.sleep(PROBE_SECONDS)


def probing(event: str, user: str) -> bytes:
    return json.dumps({"type": "track", "event": event, "messageId": f"{event}-{user}", "userId": user}).encode()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=CALLS)
    options.add_argument("--naive", type=int, default=NAIVE, help="calls for the naive app, which is slow")
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--probes", type=int, default=PROBES)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    for table in measure(asked.calls, asked.naive, asked.rounds, asked.probes, asked.seed):
        print(plain(table))


if __name__ == "__main__":
    main()
