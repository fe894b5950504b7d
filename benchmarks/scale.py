"""What a shop of a given size needs, computed from measured figures; docs/scale.md holds its output for the largest one.

python -m benchmarks.scale [--people 1e8] [--events 50000] [--worker-events 4500]
"""

import argparse
import math
from collections.abc import Iterator
from typing import NamedTuple

DAY_SECONDS = 86_400
REPLICAS = 3  # of each topic
COPIES = 2  # of the state on workers' disks: the active one and a standby's
LOG_DAYS, SOURCE_DAYS = 400, 14
BUSY = 0.5  # of a worker's rate in a normal peak, so that the others can take over and a backlog shrinks
PARTITIONS_A_WORKER = 4  # so that work is spread evenly and workers can be added fourfold
INTERCOM_A_SECOND = 10_000 / 60  # a private app's default


class Measured(NamedTuple):
    """Bytes and counts per event: by `benchmarks.disk`. worker_events: a second of one worker, by `benchmarks.path`."""

    worker_events: float
    person_bytes: float  # encoded, as in the changelog, of a customer of long standing (120 calls)
    person_disk_bytes: float  # in RocksDB after compaction, the same
    signal_bytes: float = 213
    call_bytes: float = 220
    decision_bytes: float = 1042
    mark_bytes: float = 92
    frame_bytes: float = 40  # Kafka's own and the key
    packed: float = 0.2  # of what signals take, compressed in batches: twice the measured, since real calls repeat less
    decisions_an_event: float = 0.0022
    requests_a_decision: float = (
        1.75  # a moment known to Intercom: two requests to begin, one to end; the first time one more
    )
    recovered_a_second: float = (
        14_000  # changelog records into an empty disk: a quarter of the measured, whose people are a quarter as large
    )


def rows(people: float, events: float, measured: Measured) -> Iterator[tuple[str, str, str]]:
    """(what, how much, how it is computed), each as text."""
    workers = math.ceil(events / (measured.worker_events * BUSY))
    partitions = 2 ** math.ceil(math.log2(workers * PARTITIONS_A_WORKER))
    sources = max(8, 2 ** math.ceil(math.log2(workers)))
    yield "workers", f"{workers:,}", f"{events:,.0f} events/s over {measured.worker_events:,.0f} at {BUSY:.0%}"
    yield "person-keyed partitions", f"{partitions:,}", f"{PARTITIONS_A_WORKER} a worker, rounded up to a power of two"
    state = people * measured.person_disk_bytes
    yield "state on a worker's disk", _bytes(state * COPIES / workers), f"{_bytes(state)} in all, {COPIES} copies"
    kept = people * (measured.person_bytes + measured.frame_bytes)
    yield (
        "changelog in Kafka",
        _bytes(kept * REPLICAS * 1.5),
        f"{_bytes(kept)} compacted, half as much not yet, {REPLICAS} replicas",
    )
    log = events * (measured.signal_bytes + measured.frame_bytes) * DAY_SECONDS * LOG_DAYS * REPLICAS
    yield "the log in Kafka", _bytes(log), f"{LOG_DAYS} days, {REPLICAS} replicas, as written today: not compressed"
    yield (
        "the log, compressed",
        _bytes(log * measured.packed),
        f"at {measured.packed:.0%}, with `compression.type` set on the topic",
    )
    source = events * (measured.call_bytes + measured.frame_bytes) * DAY_SECONDS * SOURCE_DAYS * REPLICAS
    yield "sources in Kafka", _bytes(source), f"{SOURCE_DAYS} days, {REPLICAS} replicas, not compressed"
    written = events * (measured.signal_bytes + measured.call_bytes + 2 * measured.frame_bytes) * REPLICAS
    yield "written by the brokers", f"{_bytes(written)}/s", "sources and log, all replicas"
    seconds = people / workers * COPIES / measured.recovered_a_second
    yield (
        "recovery of an empty disk",
        f"{seconds / 60:,.0f} min",
        f"{people / workers * COPIES:,.0f} records at {measured.recovered_a_second:,.0f}/s",
    )
    marks = sources * partitions
    share = marks / events
    yield (
        "marks",
        f"{marks:,.0f}/s",
        f"{sources} source partitions, each second into each of {partitions}: {share:.0%} of the events",
    )
    wants = events * measured.decisions_an_event * measured.requests_a_decision
    yield (
        "requests to Intercom",
        f"{wants:,.0f}/s",
        f"of {INTERCOM_A_SECOND:,.0f}/s by default: {wants / INTERCOM_A_SECOND:.0%}",
    )
    reach = INTERCOM_A_SECOND / (measured.decisions_an_event * measured.requests_a_decision)
    yield (
        "Intercom's limit is met at",
        f"{reach:,.0f} events/s",
        "with the shipped policy and the benchmark's mix of calls",
    )


def _bytes(count: float) -> str:
    for name in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:,.1f} {name}" if count < 10 else f"{count:,.0f} {name}"
        count /= 1000
    return f"{count:,.1f} PB"


LARGEST = Measured(worker_events=4_500, person_bytes=1_347, person_disk_bytes=1_042)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=float, default=1e8)
    options.add_argument("--events", type=float, default=50_000)
    options.add_argument("--worker-events", type=float, default=LARGEST.worker_events)
    asked = options.parse_args()
    for what, much, why in rows(asked.people, asked.events, LARGEST._replace(worker_events=asked.worker_events)):
        print(f"| {what} | {much} | {why} |")


if __name__ == "__main__":
    main()
