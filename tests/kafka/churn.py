"""Workers that join, leave, die and are frozen under load on a real Kafka, and an exact account of it afterwards.

    python -m tests.kafka.churn --seed 1 --cycles 20 --kills 20 --pauses 4

Promise: red (exit code 1) where a record was lost or counted twice, an output is missing, local state differs from what the
changelog holds, or a partition stood still for longer than the watchdog allows. `--plant` puts a bug in, which must be seen.
"""

import argparse
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Producer

from agents.reliable import EXIT_FAILED, Limits
from rehearsal.broker import real_kafka
from tests.kafka.lab import PARTITIONS, Lab, Worker

KEYS = 2_000
BACKLOG_RECORDS = 10_000  # there is always so much to do, as long as the rate allows
RATE_PER_SECOND = 2_000  # what two shared cores give to three workers, the load and Kafka
BURST_SECONDS = 0.1
STALL_SECONDS_MAX = Limits().still_seconds  # reading a whole changelog, where the data was lost, is no stall by itself
LOOK_SECONDS = 0.5
END_SECONDS_MAX = 180.0


class Plan(NamedTuple):
    seed: int
    cycles: int
    kills: int
    pauses: int
    standbys: int
    plant: str | None
    seconds_max: float = 3_600.0  # no event begins later than this


class Account(NamedTuple):
    """What came of a run. Seconds are of the wall."""

    plan: Plan  # with the numbers of what was done
    records: int
    seconds: float
    lost: int
    doubled: int
    outputs_missing: int
    state_differs: int  # partitions
    stalled: int  # times that a partition stood still for longer than STALL_SECONDS_MAX
    still_seconds_max: float
    settle_seconds: list[float]  # after each event, until every partition was past what it held then
    restarts: int  # of workers that stopped themselves with EXIT_FAILED
    broken: list[str]  # exits that must not be

    def is_green(self) -> bool:
        return not (
            self.lost or self.doubled or self.outputs_missing or self.state_differs or self.stalled or self.broken
        )

    def row(self) -> str:
        plan, middle, longest = self.plan, statistics.median(self.settle_seconds), max(self.settle_seconds)
        cells = (
            plan.standbys, plan.cycles, plan.kills, plan.pauses, f"{self.records:,}", f"{self.records / self.seconds:,.0f}",
            self.lost, self.doubled, self.outputs_missing, self.state_differs, self.stalled,
            f"{middle:.1f} / {longest:.1f}", f"{self.still_seconds_max:.1f}", self.restarts,
        )  # fmt: skip
        return "| " + " | ".join(str(cell) for cell in cells) + " |"


COLUMNS = (
    "standbys", "joins and leaves", "SIGKILL", "SIGSTOP", "records", "per second", "lost", "counted twice",
    "outputs missing", "partitions that differ", "stalled", "settled s, median / longest", "longest still s",
    "stopped themselves",
)  # fmt: skip
HEADER = f"| {' | '.join(COLUMNS)} |\n{'|--:' * len(COLUMNS)}|"


class Churn:
    """One run. Slots are places for workers with a data directory each; two to three are taken."""

    def __init__(self, lab: Lab, plan: Plan) -> None:
        self.lab, self.plan = lab, plan
        self.random = random.Random(plan.seed)
        self.slots: dict[str, Worker] = {}
        self.done = Counter[str]()
        self.restarts = 0
        self.broken: list[str] = []
        self.settles: list[float] = []
        self.stalled = 0
        self.watch = Standstill(lab)

    def run(self) -> Account:
        started = time.monotonic()
        for slot in "ab":
            self._start(slot)
        with _load(self.lab):
            for slot in "ab":
                self._settle(ready=slot)
            self.settles.clear()  # Python starting on a busy machine
            events = ["cycle"] * self.plan.cycles + ["kill"] * self.plan.kills + ["pause"] * self.plan.pauses
            self.random.shuffle(events)
            for number, event in enumerate(events, 1):
                if time.monotonic() - started > self.plan.seconds_max:
                    break
                getattr(self, f"_{event}")()
                self.done[event] += 1
                print(f"{number}/{len(events)} {event} {self.settles[-1]:.1f} s", file=sys.stderr, flush=True)
        self._settle(END_SECONDS_MAX)
        seconds = time.monotonic() - started
        for slot in list(self.slots):
            self._stop(slot)
        return self._account(seconds)

    def _cycle(self) -> None:
        """A third joins; then one of the three leaves in order."""
        joining = next(slot for slot in "abc" if slot not in self.slots)
        self._start(joining)
        self._settle(ready=joining)
        self._stop(self.random.choice(sorted(self.slots)))
        self._settle()

    def _kill(self) -> None:
        slot = self._any()
        self.lab.kill(self.slots.pop(slot))
        if self.random.random() < 0.5:
            shutil.rmtree(self.lab.folder / slot, ignore_errors=True)
        self._start(slot)
        self._settle(ready=slot)

    def _pause(self) -> None:
        """Frozen for longer than its session, while another does its work, and then woken."""
        slot = self._any()
        frozen = self.slots[slot]
        frozen.send_signal(signal.SIGSTOP)
        try:
            self._settle()
        finally:
            frozen.send_signal(signal.SIGCONT)
        self._settle()

    def _any(self) -> str:
        time.sleep(self.random.random())  # at any moment of a commit
        return self.random.choice(sorted(self.slots))

    def _start(self, slot: str) -> None:
        planted = {} if self.plan.plant is None else {"plant": self.plan.plant}
        self.slots[slot] = self.lab.start(slot, standbys=self.plan.standbys, **planted)

    def _stop(self, slot: str) -> None:
        code = self.lab.stop(self.slots.pop(slot))
        if code == EXIT_FAILED:
            self.restarts += 1
        elif code:
            self.broken.append(f"an orderly stop ended with {code}")

    def _settle(self, seconds_max: float = STALL_SECONDS_MAX, *, ready: str | None = None) -> None:
        """Until every partition is past what it holds now, and the worker at `ready` works; a supervisor meanwhile."""
        ends, started = self.lab.end_offsets(), time.monotonic()
        while True:
            self._supervise()
            past = all(at >= end for at, end in zip(self.watch.look(), ends, strict=True))
            if past and (ready is None or self.lab.is_ready(self.slots[ready])):
                break
            if time.monotonic() - started > seconds_max:
                self.stalled += 1
                break
            time.sleep(LOOK_SECONDS)
        self.settles.append(time.monotonic() - started)

    def _supervise(self) -> None:
        for slot, worker in list(self.slots.items()):
            code = worker.poll()
            if code is not None:
                self.restarts += code == EXIT_FAILED
                if code != EXIT_FAILED:
                    self.broken.append(f"a worker ended with {code}")
                self._start(slot)

    def _account(self, seconds: float) -> Account:
        expected, told, due = self.lab.outcome()
        counted = self.lab.counted()
        keys = expected.keys() | counted.keys()
        if sum(expected.values()) != self.lab.sent:
            self.broken.append(f"{self.lab.sent} were sent and {sum(expected.values())} are in the topic")
        return Account(
            plan=self.plan._replace(cycles=self.done["cycle"], kills=self.done["kill"], pauses=self.done["pause"]),
            records=self.lab.sent,
            seconds=seconds,
            lost=sum(max(0, expected[key] - counted[key]) for key in keys),
            doubled=sum(max(0, counted[key] - expected[key]) for key in keys),
            outputs_missing=len(due - told),
            state_differs=self.lab.local_differs(),
            stalled=self.stalled + self.watch.stalled,
            still_seconds_max=self.watch.longest_seconds,
            settle_seconds=self.settles,
            restarts=self.restarts,
            broken=self.broken,
        )


class Standstill:
    """How long each partition had something to read and did not commit."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._at = [0] * PARTITIONS
        self._since = [time.monotonic()] * PARTITIONS
        self.longest_seconds = 0.0
        self.stalled = 0

    def look(self) -> list[int]:
        committed, ends, now = self._lab.committed_offsets(), self._lab.end_offsets(), time.monotonic()
        for number, (at, end) in enumerate(zip(committed, ends, strict=True)):
            still = now - self._since[number]
            if at > self._at[number] or at >= end:
                self.stalled += still > STALL_SECONDS_MAX
                self._at[number], self._since[number] = at, now
            self.longest_seconds = max(self.longest_seconds, still)
        return committed


@contextmanager
def _load(lab: Lab) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=_produce, args=(lab, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _produce(lab: Lab, stop: threading.Event) -> None:
    """Skewed keys, at the given rate, while there is not enough to do."""
    producer = Producer({"bootstrap.servers": lab.bootstrap, "linger.ms": 5, "partitioner": "murmur2_random"})
    chance = random.Random(0)
    while not stop.wait(BURST_SECONDS):
        if lab.sent - lab.committed() > BACKLOG_RECORDS:
            continue
        for _ in range(int(RATE_PER_SECOND * BURST_SECONDS)):
            producer.produce(f"{lab.name}-in", b"x", key=b"k%d" % int(lab.keys * chance.random() ** 3))
            lab.sent += 1
        producer.poll(0)
    producer.flush()


def run(bootstrap: str, folder: Path, plan: Plan) -> Account:
    """Everything it starts is ended when it returns or raises."""
    folder.mkdir(parents=True)
    lab = Lab(bootstrap, folder, f"churn-{plan.seed}-{plan.standbys}-{plan.plant or 'none'}", keys=KEYS)
    try:
        return Churn(lab, plan).run()
    finally:
        lab.close()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="churn", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pauses", type=int, default=4)
    parser.add_argument("--standbys", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--plant")
    parser.add_argument("--minutes", type=float, default=60.0, help="of a setting, after which no event begins")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args(arguments)
    print(f"seed {asked.seed}", flush=True)
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="churn-"))
    accounts = []
    with real_kafka(folder / "kafka") as bootstrap:
        for standbys in asked.standbys:
            plan = Plan(asked.seed, asked.cycles, asked.kills, asked.pauses, standbys, asked.plant, asked.minutes * 60)
            accounts.append(run(bootstrap, folder / f"standbys-{standbys}", plan))
    print(HEADER)
    for account in accounts:
        print(account.row())
        print("\n".join(account.broken), end="")
    green = all(account.is_green() for account in accounts)
    print("green" if green else f"red; logs are in {folder}")
    if green and asked.folder is None:
        shutil.rmtree(folder)
    return 0 if green else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
