"""How fast a recorded day is replayed, beside bare `orjson.loads` of the same lines and beside DuckDB with one question.

The lines are records of the `signals` topic, in order. Replaying is decoding them and thinking, with a mark before each instant,
as `concierge backtest` does; nothing is written. It goes through the day in slices; before each, the same process loads the same
lines with orjson, so that the two are measured in turns. Two cores replay half of the shops each. DuckDB answers "who
left a cart above 150 alone for two hours" from typed columns of the same signals.

    python -m benchmarks.day [--signals 2000000] [--seed 1]
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple, cast

import duckdb
import orjson

from backtests.replay import replay
from benchmarks import history
from benchmarks.process import resident_mb
from benchmarks.table import Table, met, plain
from contracts import policy as policies
from contracts import signals
from contracts.signals import PersonSignal
from streams.partition import Partition
from streams.person import Person

ROOT = Path(__file__).resolve().parents[1]
POLICY = ROOT / "policies" / "skincare.yaml"
SIGNALS = 2_000_000
SLICES = 10
AIM, AIM_PER_SECOND, AIM_TWO = 0.4, 100_000, 1.8  # of bare parsing; signals a second and core; times one core
QUESTION_ROUNDS = 3
QUESTION = """
with told as (
    select person, at_ms, added, ordered,
        count_if(ordered) over (partition by person order by at_ms rows between unbounded preceding and 1 preceding) as cart
    from '{path}' where added > 0 or ordered
), touched as (
    select ordered, at_ms, sum(added) over (partition by person, cart order by at_ms) as value,
        lead(at_ms) over (partition by person order by at_ms) as next_ms, max(at_ms) over () as end_ms
    from told
)
select count(*) from touched where not ordered and value > 150 and coalesce(next_ms, end_ms) - at_ms >= 2 * 3600 * 1000
"""


class Slice(NamedTuple):
    """bare_seconds, seconds: of CPU, for orjson and for the replay. people, resident_mb: when it was over."""

    signals: int
    bare_seconds: float
    seconds: float
    people: int
    resident_mb: float


class Run(NamedTuple):
    """wall: seconds without what orjson and reading the file took."""

    slices: list[Slice]
    wall_seconds: float
    decisions: int

    @property
    def all(self) -> int:
        return sum(one.signals for one in self.slices)


class Replayed:
    """One replay of a file of lines, measured slice by slice."""

    def __init__(self, path: Path, slice_lines: int) -> None:
        self._path, self._slice_lines = path, slice_lines
        self._people: dict[str, Person] = {}
        self._slices: list[Slice] = []
        self._aside_seconds = 0.0

    def run(self) -> Run:
        partition = Partition(policies.load(POLICY), self._people)
        began = time.perf_counter()
        decisions = sum(len(effects.decisions) for effects in replay(self._told(), partition))
        return Run(self._slices, time.perf_counter() - began - self._aside_seconds, decisions)

    def _told(self) -> Iterator[PersonSignal]:
        with self._path.open("rb") as file:
            while True:
                aside = time.perf_counter()
                lines = [line for _, line in zip(range(self._slice_lines), file, strict=False)]
                began = time.process_time()
                for line in lines:
                    orjson.loads(line)
                bare = time.process_time() - began
                self._aside_seconds += time.perf_counter() - aside
                if not lines:
                    return
                began = time.process_time()
                for line in lines:
                    yield cast(PersonSignal, signals.decode(line))
                seconds = time.process_time() - began
                self._slices.append(Slice(len(lines), bare, seconds, len(self._people), resident_mb()))


def replayed(path: Path, slice_lines: int) -> Run:
    return Replayed(path, slice_lines).run()


def beside(paths: Sequence[Path], slice_lines: int) -> list[Run]:
    """Each file in a fresh process of its own, at the same time."""
    with ProcessPoolExecutor(len(paths), mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(replayed, paths, [slice_lines] * len(paths)))


def asked(path: Path, threads: int) -> tuple[float, int]:
    """(median seconds, carts found)."""
    took = []
    found = 0
    with duckdb.connect(config={"threads": threads}) as database:
        for _ in range(QUESTION_ROUNDS):
            began = time.perf_counter()
            (found,) = cast(tuple[int], database.execute(QUESTION.format(path=path)).fetchone())
            took.append(time.perf_counter() - began)
    return statistics.median(took), found


def measure(signals_count: int = SIGNALS, seed: int = 1) -> list[Table]:
    with tempfile.TemporaryDirectory(prefix="concierge-day-") as name:
        folder = Path(name)
        count = history.write(history.day(signals_count, seed), folder, policies.load(POLICY))
        (one,) = beside([folder / "all.jsonl"], -(-count // SLICES))
        two = beside([folder / "0.jsonl", folder / "1.jsonl"], -(-count // (2 * SLICES)))
        questions = {threads: asked(folder / "all.parquet", threads) for threads in (1, 2)}
    conditions = (
        f"Seed {seed}, {count:,} signals of {one.slices[-1].people:,} keys, {one.decisions:,} decisions with the shipped policy, "
        f"{SLICES} slices in turns; {questions[1][1]:,} carts found by DuckDB"
    )
    return [speed(one, two, questions, conditions), memory(one, conditions)]


def speed(one: Run, two: Sequence[Run], questions: dict[int, tuple[float, int]], conditions: str) -> Table:
    rates = [piece.signals / piece.seconds for piece in one.slices]
    bare = [piece.signals / piece.bare_seconds for piece in one.slices]
    ratio = statistics.median(piece.bare_seconds / piece.seconds for piece in one.slices)
    wall = one.all / one.wall_seconds
    both = sum(run.all for run in two) / max(run.wall_seconds for run in two)
    rows = [
        ["`orjson.loads` of the lines, one core", *_rates(bare), "1", ""],
        ["replayed, one core", *_rates(rates), f"{ratio:.3f}", f"{met(statistics.median(rates), AIM_PER_SECOND)} signals/s; "
         f"{met(ratio, AIM)} of parsing"],
        [f"replayed, two cores: {both / wall:.2f} x one", f"{both:,.0f}", "", "", met(both / wall, AIM_TWO)],
        *([f"DuckDB, one question, {threads} core{'s' * (threads > 1)}: {seconds:.2f} s", f"{one.all / seconds:,.0f}", "", "", ""]
          for threads, (seconds, _) in questions.items()),
    ]  # fmt: skip
    return Table("replay", conditions, ["what", "signals/s", "lowest to highest", "of bare parsing", "aim"], rows)


def memory(one: Run, conditions: str) -> Table:
    rows = []
    for number, piece in enumerate(one.slices):
        so_far = sum(other.signals for other in one.slices[: number + 1])
        rows.append([f"{so_far:,}", f"{piece.people:,}", f"{piece.resident_mb:,.0f}"])
    return Table("replay-memory", conditions, ["signals so far", "keys so far", "resident MB"], rows)


def _rates(rates: Sequence[float]) -> tuple[str, str]:
    return f"{statistics.median(rates):,.0f}", f"{min(rates):,.0f} to {max(rates):,.0f}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--signals", type=int, default=SIGNALS)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    for table in measure(given.signals, given.seed):
        print(plain(table))


if __name__ == "__main__":
    main()
