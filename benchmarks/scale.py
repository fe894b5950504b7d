"""What a shop of a given size needs, computed from measured figures; docs/scale.md holds its output for the largest one.

python -m benchmarks.scale [--people 1e8] [--events 50000] [--worker-events 4500]
"""

import argparse
import math
from collections.abc import Iterator
from typing import NamedTuple

from agents.intercom.budget import RESERVED
from agents.settings import Settings
from agents.topic_plan import SOURCE_PARTITIONS_MAX
from contracts.topics import SOURCE_INTERCOM, STATE_SEGMENT_MS

DAY_SECONDS = 86_400
REPLICAS = 3  # of each topic
COPIES = 2  # of the state on workers' disks: the active one and a standby's
LOG_DAYS, SOURCE_DAYS = 400, 14
BUSY = 0.5  # of a worker's rate in a normal peak, so that the others can take over and a backlog shrinks
PARTITIONS_A_WORKER = 4  # so that work is spread evenly and workers can be added fourfold
INTERCOM_A_SECOND = 10_000 / 60  # a private app's default
OURS = 1 - float(Settings.model_fields["intercom_others_share"].default)  # of it; the rest is other apps'
SEGMENT_BYTES = 2**30  # Kafka's default; compaction leaves the newest segment of a partition alone
DIRTY = 1.0  # of what is compacted may come on top before Kafka compacts again, at its default


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
    index_bytes: float = 253  # of memory for each person who waits for an instant, by `benchmarks.index`
    index_us: float = 16.4  # to put a person there, at each rebalance
    decisions_an_event: float = 0.0022
    beginning_requests: float = (
        3.5  # three, and four the first time where Intercom has the contact; half are first times
    )
    ending_requests: float = 1
    recovered_a_second: float = (
        14_000  # changelog records into an empty disk: a quarter of the measured, whose people are a quarter as large
    )


def rows(people: float, events: float, measured: Measured) -> Iterator[tuple[str, str, str]]:
    """(what, how much, how it is computed), each as text."""
    workers = math.ceil(events / (measured.worker_events * BUSY))
    partitions = 2 ** math.ceil(math.log2(workers * PARTITIONS_A_WORKER))
    sources = max(8, 2 ** math.ceil(math.log2(workers))) + SOURCE_PARTITIONS_MAX[SOURCE_INTERCOM.name]
    marks = sources * partitions
    yield "workers", f"{workers:,}", f"{events:,.0f} events/s over {measured.worker_events:,.0f} at {BUSY:.0%}"
    yield "person-keyed partitions", f"{partitions:,}", f"{PARTITIONS_A_WORKER} a worker, rounded up to a power of two"
    state = people * measured.person_disk_bytes
    yield "state on a worker's disk", _bytes(state * COPIES / workers), f"{_bytes(state)} in all, {COPIES} copies"
    kept = people * (measured.person_bytes + measured.frame_bytes)
    changes = events * (measured.person_bytes + measured.frame_bytes)
    newest = min(partitions * SEGMENT_BYTES, changes * STATE_SEGMENT_MS / 1000)
    most = kept * (1 + DIRTY) + newest
    yield (
        "changelog in Kafka",
        _bytes(most * REPLICAS),
        f"{_bytes(kept)} compacted, as much not yet, newest segments of {_bytes(newest)}, {REPLICAS} replicas",
    )
    logged = events * (measured.signal_bytes + measured.frame_bytes) + marks * (
        measured.mark_bytes + measured.frame_bytes
    )
    log = logged * DAY_SECONDS * LOG_DAYS * REPLICAS
    yield (
        "the log in Kafka",
        _bytes(log),
        f"{LOG_DAYS} days, marks included, {REPLICAS} replicas, as written today: not compressed",
    )
    yield (
        "the log, compressed",
        _bytes(log * measured.packed),
        f"at {measured.packed:.0%}, with `compression.type` set on the topic",
    )
    called = events * (measured.call_bytes + measured.frame_bytes)
    yield (
        "sources in Kafka",
        _bytes(called * DAY_SECONDS * SOURCE_DAYS * REPLICAS),
        f"{SOURCE_DAYS} days, {REPLICAS} replicas, not compressed",
    )
    yield (
        "written by the brokers",
        f"{_bytes((called + logged + changes) * REPLICAS)}/s",
        f"sources and log {_bytes((called + logged) * REPLICAS)}, and a changed person for each event at most; all replicas",
    )
    seconds = people / workers * COPIES / measured.recovered_a_second
    yield (
        "recovery of an empty disk",
        f"{seconds / 60:,.0f} to {seconds / 60 * most / kept:,.0f} min",
        f"{people / workers * COPIES:,.0f} people at {measured.recovered_a_second:,.0f} records/s, the most before a compaction",
    )
    mine = people / workers
    yield (
        "memory of a worker's index",
        _bytes(mine * measured.index_bytes),
        f"{mine:,.0f} people, each waiting for an instant, of {measured.index_bytes:.0f} bytes",
    )
    yield (
        "pause at each rebalance",
        f"{mine * measured.index_us / 1e6:,.0f} s",
        f"{mine:,.0f} people of {measured.index_us} us into the index, on all workers at once",
    )
    share = marks / events
    yield (
        "marks",
        f"{marks:,.0f}/s",
        f"{sources} source partitions, each second into each of {partitions}: {share:.0%} of the events",
    )
    beginning = measured.decisions_an_event * measured.beginning_requests / 2  # half of the decisions begin something
    ending = measured.decisions_an_event * measured.ending_requests / 2
    allowed = INTERCOM_A_SECOND * OURS
    wants = events * (beginning + ending)
    yield (
        "requests to Intercom",
        f"{wants:,.0f}/s",
        f"of {allowed:,.0f}/s, {OURS:.0%} of Intercom's default: {wants / allowed:.0%}",
    )
    reach = min(allowed / (beginning + ending), INTERCOM_A_SECOND * (OURS - RESERVED) / beginning)
    yield (
        "Intercom's limit is met at",
        f"{reach:,.0f} events/s",
        f"by beginnings, which may use {OURS - RESERVED:.0%}; the shipped policy, the benchmark's mix of calls",
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
