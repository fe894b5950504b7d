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
from pathlib import Path
from typing import Any

import rocksdict

from agents.judge import encode
from benchmarks.fold import CALLS_PER_MARK, lines
from contracts import commands, decisions, signals
from contracts import policy as policies
from contracts.calls import parse
from contracts.signals import Marked
from streams.partition import Partition
from streams.person import Person

BATCH_BYTES = 16_384  # a producer's default: what would be compressed together
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


def played(count: int, people_per_call: float, seed: int, sizes: Sizes) -> dict[str, Person]:
    """The people after `count` calls."""
    policy = policies.load(Path(policies.__file__).parent.parent / "policies" / "skincare.yaml")
    people: dict[str, Person] = {}
    partition = Partition(policy, people)
    position = 0
    for number, (at_ms, line) in enumerate(lines(count, seed, people_per_call)):
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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=200_000)
    options.add_argument("--calls-a-person", type=float, default=10)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    sizes = Sizes()
    people = played(asked.calls, 1 / asked.calls_a_person, asked.seed, sizes)
    encoded = sorted(len(encode(person)) for person in people.values())
    with tempfile.TemporaryDirectory(prefix="concierge-disk-") as folder:
        on_disk, took = stored(people, Path(folder) / "people")
    count = len(people)
    print(f"seed {asked.seed}, {asked.calls} calls, {count} people, {asked.calls / count:.1f} calls a person")
    print(f"a person encoded     {statistics.mean(encoded):7,.0f} bytes (median {encoded[count // 2]:,}, 99 in 100 below "
          f"{encoded[count * 99 // 100]:,}, largest {encoded[-1]:,})")  # fmt: skip
    print(
        f"a person in RocksDB  {on_disk / count:7,.0f} bytes after compaction; written at {count / took:,.0f} records/s"
    )
    for kind, found in sizes.of.items():
        if found:
            rate = f"{len(found) / asked.calls:.3f} a call"
            print(f"a {kind:18} {statistics.mean(found):7,.0f} bytes, {rate}")
    if sizes.packed:
        print(f"signals compress to  {sizes.packed / sizes.plain:7.0%} in batches of {BATCH_BYTES:,} bytes (zlib)")


if __name__ == "__main__":
    main()
