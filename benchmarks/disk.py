"""How many bytes a person, a signal and a decision take, encoded and on disk, beside the calls as they came.

One partition in memory, a shop's mix of calls from benchmarks/fold.py, no Kafka. What Kafka adds to a record (frame, index,
replicas) is said in docs/scale.md, which computes from these figures.

    python -m benchmarks.disk [--calls 200000] [--calls-a-person 10] [--seed 1]
"""

import argparse
import statistics
import tempfile
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rocksdict

from agents.judge import encode
from benchmarks.fold import CALLS_PER_MARK, Line, lines
from benchmarks.table import Table, met, plain
from contracts import commands, decisions, signals
from contracts import policy as policies
from contracts.calls import parse
from contracts.signals import Marked
from streams.partition import Partition
from streams.person import Person

BATCH_BYTES = 16_384  # a producer's default: what would be compressed together
AIM_BYTES = 1000  # at most, of a person on disk
WRITE_BATCH = 5000  # records, as a commit under load would have


class Sizes:
    """Bytes of each kind of record that the run brought."""

    def __init__(self) -> None:
        self.of: dict[str, list[int]] = {
            name: [] for name in ("call", "signal", "decision", "command", "passed on", "mark")
        }

        self._batch = bytearray()
        self.plain = self.packed = 0

    def note(self, kind: str, value: bytes) -> None:
        self.of[kind].append(len(value))
        if kind == "signal":
            self._batch += value
            if len(self._batch) >= BATCH_BYTES:
                self.plain += len(self._batch)
                self.packed += len(zlib.compress(self._batch))
                self._batch.clear()


def played(told: Iterable[Line], sizes: Sizes) -> dict[str, Person]:
    """The people after these calls."""
    policy = policies.load(Path(policies.__file__).parent.parent / "policies" / "skincare.yaml")
    people: dict[str, Person] = {}
    partition = Partition(policy, people)
    position = 0
    for number, (at_ms, line) in enumerate(told):
        sizes.note("call", line)
        taken: list[Any] = list(parse(line, accepted_ms=at_ms).signals)
        if number % CALLS_PER_MARK == CALLS_PER_MARK - 1:
            taken.append(Marked(source="sources.customerio/0", at_ms=at_ms, of=1, outcomes=False))
        for signal in taken:
            position += 1
            sizes.note("mark" if isinstance(signal, Marked) else "signal", signals.encode(signal))
            effects = partition.take(signal, position)
            for decision in effects.decisions:
                sizes.note("decision", decisions.encode(decision))
            for command in effects.commands:
                sizes.note("command", commands.encode(command))
            for passed in effects.signals:
                sizes.note("passed on", signals.encode(passed))
    return people


def stored(people: dict[str, Person], folder: Path) -> tuple[int, float]:
    """(bytes in RocksDB after compaction, seconds that writing took)."""
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    began = time.perf_counter()
    database = rocksdict.Rdict(str(folder), options)
    items = list(people.items())
    for start in range(0, len(items), WRITE_BATCH):
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, person in items[start : start + WRITE_BATCH]:
            batch.put(key.encode(), encode(person))
        database.write(batch)
    took = time.perf_counter() - began
    database.flush()
    database.compact_range(None, None)
    database.close()
    return sum(path.stat().st_size for path in folder.rglob("*.sst")), took


def measure(calls: int = 200_000, calls_a_person: float = 10, seed: int = 1) -> Table:
    sizes = Sizes()
    people = played(lines(calls, seed, 1 / calls_a_person), sizes)
    encoded = sorted(len(encode(person)) for person in people.values())
    with tempfile.TemporaryDirectory(prefix="concierge-disk-") as folder:
        on_disk, took = stored(people, Path(folder) / "people")
    count = len(people)
    spread = f"median {encoded[count // 2]:,}, 99 in 100 below {encoded[count * 99 // 100]:,}, largest {encoded[-1]:,}"
    rows = [
        ["a person, encoded", f"{statistics.mean(encoded):,.0f}", spread],
        ["a person in RocksDB after compaction", f"{on_disk / count:,.0f}",
         f"at most {met(on_disk / count, AIM_BYTES, at_most=True)}; written at {count / took:,.0f} records/s"],
        *([f"a {kind}", f"{statistics.mean(found):,.0f}", f"{len(found) / calls:.4f} a call"]
          for kind, found in sizes.of.items() if found),
    ]  # fmt: skip
    if sizes.packed:
        share = f"{sizes.packed / sizes.plain:.0%}"
        rows.append(["signals, compressed", share, f"in batches of {BATCH_BYTES:,} bytes (zlib)"])
    conditions = f"Seed {seed}, {calls:,} calls, {count:,} people, {calls / count:.1f} calls a person"
    return Table("disk", conditions, ["what", "bytes", "and"], rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=200_000)
    options.add_argument("--calls-a-person", type=float, default=10)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    print(plain(measure(asked.calls, asked.calls_a_person, asked.seed)))


if __name__ == "__main__":
    main()
