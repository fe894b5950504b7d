"""Minutes of steady traffic from a few people: memory, state and changelogs level off, whatever came in.

Not months: what grows by less than a few megabytes in minutes is not seen here.
"""

import re
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from agents.topic_plan import TABLES, changelog
from tests.faults.evidence import Evidence, read
from tests.faults.performance import Experiment
from tests.faults.scene import Scene, admin, by_partition

RATE = 100  # calls a second
SECONDS = 300
PEOPLE = 30  # so that each has hundreds of calls, many times what any ring of the record holds
CALLS_MIN = 10_000  # fewer would show nothing
LOOK_SECONDS = 5
WORKER_GROWTH_BYTES_MAX = (
    40 << 20
)  # in the last third; RocksDB's buffers are full before, with 8 MB a partition and table
RECEIVER_GROWTH_BYTES_MAX = 20 << 20
STATE_GROWTH_MAX = 1.15  # of the mean record, from half of the time to its end
RECORD_BYTES_MAX = 100_000
KEPT_SHARE_MAX = 0.5  # of what was written to a changelog, once the cleaner had several turns; it would be the whole
COMPACTED = {
    "segment.ms": "5000",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "5000",
}  # for six hours


class Look(NamedTuple):
    """Resident bytes at one moment."""

    worker: int
    receiver: int


def _steady(scene: Scene) -> str | None:
    """Nothing is done to it."""
    worker = scene.work()
    scene.await_working()
    _compact_soon(scene)
    traffic = scene.sender.start(SECONDS, RATE)
    begun, looks, half = time.monotonic(), [], 0.0
    while traffic.is_alive():
        time.sleep(LOOK_SECONDS)
        looks.append(Look(_resident_bytes(worker.pid), _resident_bytes(scene.receiver_pid)))
        if not half and time.monotonic() - begun > SECONDS / 2:
            half = statistics.mean(sizes(scene))
    calls, third = len(scene.sender.acknowledged), len(looks) // 3
    scene.notes |= {"half_record_mean_bytes": half, "calls_a_person": calls / PEOPLE}
    for name in Look._fields:
        found = [getattr(look, name) for look in looks]
        scene.notes[f"{name}_resident_bytes"] = max(found)
        before, after = found[-third:][: third // 3], found[-(third // 3) :]
        scene.notes[f"{name}_last_third_growth_bytes"] = statistics.median(after) - statistics.median(before)
    return f"{calls} calls in {SECONDS} s" if calls >= CALLS_MIN and not worker.exits else None


def _compact_soon(scene: Scene) -> None:
    """What takes six hours of a real changelog, in seconds."""
    asked = [
        ConfigResource(
            ResourceType.TOPIC,
            changelog(table),
            incremental_configs=[
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                for name, value in COMPACTED.items()
            ],
        )
        for table in TABLES
    ]
    for future in admin(scene.cluster.bootstrap).incremental_alter_configs(asked).values():
        future.result(20)


def _resident_bytes(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None, "a process that runs"
    return int(found[1]) << 10


def sizes(scene: Scene) -> list[int]:
    """Of each person's record."""
    held: Mapping[int, Mapping[bytes, bytes]] = by_partition(scene.cluster.bootstrap, changelog("people"))
    return [len(value) for people in held.values() for value in people.values()]


def _level(scene: Scene, found: Evidence) -> list[str]:
    notes = scene.notes
    held = sizes(scene)
    notes["record_mean_bytes"], notes["largest_record_bytes"] = statistics.mean(held), max(held)
    grown = notes["record_mean_bytes"] / notes["half_record_mean_bytes"]
    lines = [] if grown < STATE_GROWTH_MAX else [f"the mean record grew {grown:.2f} fold in the second half"]
    if max(held) > RECORD_BYTES_MAX:
        lines.append(f"a person's record has {max(held)} bytes")
    for name, bound in (("worker", WORKER_GROWTH_BYTES_MAX), ("receiver", RECEIVER_GROWTH_BYTES_MAX)):
        growth = notes[f"{name}_last_third_growth_bytes"]
        lines += [f"the {name} grew by {growth:g} bytes in the last third"] if growth > bound else []
    for table in TABLES:
        kept = sum(1 for _ in read(scene, changelog(table)))
        written = sum(scene.ends(changelog(table)).values())
        share = notes[f"{table}_changelog_kept_percent"] = round(100 * kept / written)
        lines += [f"{share} % of the changelog of {table} are kept"] if share > KEPT_SHARE_MAX * 100 else []
    return lines


EXPERIMENTS = (
    Experiment(
        "steady", ("P2", "P5", "P8"), f"none: {SECONDS} s of traffic from {PEOPLE} people", "remembers_all", _steady,
        sending={"people": PEOPLE}, check=_level,
    ),
)  # fmt: skip
