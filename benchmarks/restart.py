"""How soon a worker decides again after a start, with a million people: on an empty disk, and where it kept its directory.

People of a day's calls are written, under as many keys as asked for, into the changelog of a real Kafka with the product's own
codec. Then `concierge work` starts, is stopped and starts again. Before each start, calls of a few probes are put into
the source: the time runs from the start of the process to the first of their decisions in Kafka. A start without anybody, before,
shows what of it is not due to the people; the difference to the start on an empty disk is the recovery.

    python -m benchmarks.restart [--people 1000000] [--seed 1]
"""

import argparse
import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agents.judge import encode
from agents.topic_plan import changelog
from benchmarks.disk import Sizes, played
from benchmarks.fold import Line, lines
from benchmarks.path import probing
from benchmarks.process import resident_mb, stop
from benchmarks.table import Table, plain
from benchmarks.worker import WAIT_SECONDS_MAX, await_that, cluster, decided, filler, produce, worker
from contracts.instant import DAY_MS
from streams.person import Person

PEOPLE = 1_000_000
TEMPLATES = 10_000  # people that are really played; the others are like them under other keys
CALLS_A_PERSON = 10
PROBES = 20  # some of them are held out, and that is a decision too
AIM_SECONDS = 30.0
Start = tuple[float, float]  # seconds to the first decision, resident MB when it was there


def measure(people_count: int = PEOPLE, seed: int = 1) -> Table:
    with cluster() as (bootstrap, folder):
        nobody = first_decision(bootstrap, folder / "nobody", "nobody", stop)
        written = fill(bootstrap, people_count, seed)
        home = folder / "million"
        empty = first_decision(bootstrap, home, "empty", stop)
        kept = first_decision(bootstrap, home, "kept", kill)
        killed = first_decision(bootstrap, home, "killed", stop)
    recovery_seconds = empty[0] - nobody[0]
    rows = [
        row("nobody known", nobody, ""),
        row("empty disk", empty, f"{people_count / recovery_seconds:,.0f} records/s recovered"),
        row("directory kept, stopped in order", kept, aim(kept)),
        row("directory kept, killed", killed, aim(killed)),
    ]
    conditions = (
        f"Seed {seed}, {people_count:,} people of about {CALLS_A_PERSON} calls, {written / people_count:,.0f} bytes each, one "
        f"worker on one core; a killed worker's place is free once its session (10 s) is over, which is in the figure"
    )
    columns = ["start with", "first decision after s", "resident MB", "and"]
    return Table("restart", conditions, columns, rows)


def row(name: str, start: Start, remark: str) -> list[str]:
    return [name, f"{start[0]:.1f}", f"{start[1]:,.0f}", remark]


def aim(start: Start) -> str:
    return f"within {AIM_SECONDS:g} s: {'met' if start[0] <= AIM_SECONDS else 'missed'}"


def first_decision(bootstrap: str, home: Path, name: str, end: Callable[["subprocess.Popen[bytes]"], None]) -> Start:
    home.mkdir(exist_ok=True)
    produce(bootstrap, [probing("Subscription Cancel Started", f"{name}-{number}") for number in range(PROBES)])
    began = time.time()
    with worker(bootstrap, home) as process:
        await_that(lambda: bool(decided(bootstrap, f"id:{name}-")), f"a decision, with {name}", [process])
        memory = resident_mb(process.pid)
        end(process)
    written_ms = min(written_ms for _, written_ms in decided(bootstrap, f"id:{name}-"))
    return written_ms / 1000 - began, memory


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def fill(bootstrap: str, count: int, seed: int) -> int:
    """Into the changelog; how many bytes."""
    producer = filler(bootstrap)
    topic, written = changelog("people"), 0
    for key, value in itertools.islice(records(count, seed), count):
        while True:
            try:
                producer.produce(topic, value, key=key)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        written += len(value)
    producer.flush(WAIT_SECONDS_MAX)
    return written


def records(count: int, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """(key, record) without end: the people of a day that ends now."""
    templates = min(count, TEMPLATES)
    people = played(ending_now(templates * CALLS_A_PERSON, seed), Sizes())
    found: list[tuple[str, bytes]] = []
    for key, person in people.items():
        person.position = Person().position  # of another log; in this one nothing of theirs stands yet
        found.append((key, encode(person)))
    for copy in itertools.count():
        yield from ((f"{key}-{copy}".encode(), value) for key, value in found)


def ending_now(count: int, seed: int) -> Iterator[Line]:
    first_ms = time.time_ns() // 1_000_000 - DAY_MS
    for number, (_, line) in enumerate(lines(count, seed, 1 / CALLS_A_PERSON)):
        yield first_ms + number * DAY_MS // count, line


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=PEOPLE)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    print(plain(measure(asked.people, asked.seed)))


if __name__ == "__main__":
    main()
