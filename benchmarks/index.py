"""What it takes to build a partition's index of who is due when, which a worker does for all its people at every rebalance.

python -m benchmarks.index [--calls 60000] [--calls-a-person 120]
"""

import argparse
import gc
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from benchmarks.disk import Sizes, played
from benchmarks.fold import lines
from contracts.policy import load
from streams import person
from streams.partition import Partition
from streams.person import Person

PEOPLE = 60_000  # enough that the index's own growth is averaged out
POLICY = Path(__file__).parents[1] / "policies" / "skincare.yaml"


def measure(calls: int, calls_a_person: float) -> tuple[float, float]:
    """(microseconds, bytes of memory) a person; RocksDB's part of the reading is not in it."""
    encoded = {key: person.encode(one) for key, one in played(lines(calls, 1, 1 / calls_a_person), Sizes()).items()}
    copies = -(-PEOPLE // len(encoded))
    count = copies * len(encoded)

    def people() -> Iterator[tuple[str, Person]]:
        for copy in range(copies):
            for key, data in encoded.items():
                yield f"{key}-{copy}", person.decode(data)

    policy = load(POLICY)
    gc.collect()
    began = time.process_time()
    Partition(policy, {}).restore(people())
    took = time.process_time() - began
    tracemalloc.start()
    partition = Partition(policy, {})
    before, _ = tracemalloc.get_traced_memory()
    partition.restore(people())
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return took / count * 1e6, (after - before) / count


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=60_000)
    options.add_argument("--calls-a-person", type=float, default=120)
    asked = options.parse_args()
    microseconds, size = measure(asked.calls, asked.calls_a_person)
    print(f"{microseconds:.1f} us and {size:.0f} bytes of memory a person")


if __name__ == "__main__":
    main()
