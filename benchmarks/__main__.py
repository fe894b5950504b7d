"""`python -m benchmarks`: every benchmark after the other, unattended, and docs/benchmarks.md from what they came to.

Each is kept as soon as it is done, so that what was measured stays where a later one fails. `--rough` runs a small version of
each and writes nothing: it shows that they run, not how fast anything is.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from benchmarks import day, disk, fold, memory, nudges, overtaking, path, restart
from benchmarks.carriers import race
from benchmarks.table import Table, keep, machine, plain

Measure = Callable[[bool], list[Table]]

ALL: dict[str, Measure] = {
    "fold": lambda rough: [fold.measure(calls=5_000 if rough else 20_000)],
    "disk": lambda rough: [disk.measure(calls=5_000 if rough else 50_000)],
    "day": lambda rough: day.measure(signals_count=20_000 if rough else day.SIGNALS),
    "path": lambda rough: (
        path.measure(calls_count=3_000, probes=40, rounds=1, naive_count=3_000) if rough else path.measure()
    ),
    "overtaking": lambda rough: overtaking.measure(waiting=1_500, buyers=60) if rough else overtaking.measure(),
    "nudges": lambda rough: nudges.measure(pairs=300 if rough else nudges.PAIRS),
    "restart": lambda rough: [restart.measure(people_count=20_000 if rough else restart.PEOPLE)],
    "memory": lambda rough: [memory.measure(seconds_max=30 if rough else memory.SECONDS)],
    "carriers": lambda rough: [race.measure(count=20_000, naive=4_000, rounds=1) if rough else race.measure()],
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], choices=list(ALL), help="these, not all")
    parser.add_argument("--rough", action="store_true", help="small, and nothing is written")
    asked = parser.parse_args(arguments)
    failed = 0
    for name, measure in ALL.items():
        if asked.only and name not in asked.only:
            continue
        began, busy = time.monotonic(), os.getloadavg()[0]
        try:
            tables = measure(asked.rough)
        except (Exception, SystemExit) as error:  # the others are wanted all the same
            failed += 1
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
            if not isinstance(error, SystemExit):
                traceback.print_exc()
            continue
        for table in tables:
            when = datetime.now(UTC).strftime("%Y-%m-%d")
            table.machine = f"{when}, {machine()}, load average before it began {busy:.1f}"
            print(plain(table), flush=True)
            if not asked.rough:
                keep(table)
        print(f"  {name}: {time.monotonic() - began:.0f} s\n", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
