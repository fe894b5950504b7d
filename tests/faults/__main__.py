"""`python -m tests.faults`: every experiment on a real Kafka, a table of what came of it, and docs/promises.md from the results.

Exit code 1 where one did not hold, was void, or with --planted stayed green.
"""

import argparse
import faulthandler
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rehearsal.broker import Cluster
from tests.faults import brokers, disks, growth, inputs, kills, report
from tests.faults.performance import Experiment, Result, perform

EXPERIMENTS: tuple[Experiment, ...] = (
    *kills.EXPERIMENTS,
    *disks.EXPERIMENTS,
    *brokers.EXPERIMENTS,
    *inputs.EXPERIMENTS,
    *growth.EXPERIMENTS,
)


class Clusters:
    """One cluster of each size, started when the first experiment wants it."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        self._running: dict[int, Cluster] = {}

    def of(self, brokers: int) -> Cluster:
        if brokers not in self._running:
            cluster = Cluster(self._folder / f"kafka-{brokers}", brokers=brokers, soon_up=True)
            self._stack.callback(cluster.close)
            cluster.start()
            self._running[brokers] = cluster
        return self._running[brokers]


@contextmanager
def clusters(folder: Path) -> Iterator[Clusters]:
    with ExitStack() as stack:
        yield Clusters(stack, folder)


def chosen(only: Sequence[str]) -> list[Experiment]:
    """By the beginnings of their names; all where none is given. SystemExit where one fits nothing."""
    for name in only:
        if not any(experiment.name.startswith(name) for experiment in EXPERIMENTS):
            raise SystemExit(f"no experiment begins with {name!r}: {', '.join(e.name for e in EXPERIMENTS)}")
    return [e for e in EXPERIMENTS if not only or any(e.name.startswith(name) for name in only)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="beginnings of names")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--planted", action="store_true", help="with the bug of each experiment: it has to turn red")
    parser.add_argument("--keep", type=Path, help="keep logs and state in this new folder")
    parser.add_argument("--dry", action="store_true", help="leave docs/promises.md as it is")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page again from docs/faults.json")
    given = parser.parse_args(arguments)
    if given.keep is not None and not _is_free(given.keep):
        parser.error(f"--keep: {given.keep} is no empty folder; name a new one, so that no earlier run is lost")
    experiments = chosen(given.only)
    faulthandler.enable()
    if given.page:
        report.write(EXPERIMENTS)
        return 0
    bad = 0
    with ExitStack() as stack:
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        held = stack.enter_context(clusters(folder))
        print(f"seed {given.seed}", flush=True)
        for experiment in experiments:
            bug = experiment.bug if given.planted else None
            cluster = held.of(experiment.brokers)
            result = perform(experiment, seed=given.seed, cluster=cluster, folder=folder / experiment.name, bug=bug)
            bad += result.outcome != ("red" if given.planted else "held") and result.outcome != "not run"
            print(row(result), flush=True)
            if not given.dry:
                report.keep(result)
                report.write(EXPERIMENTS)
    return 1 if bad else 0


def _is_free(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def row(result: Result) -> str:
    told = "".join(f"\n    {line}" for line in result.lines)
    planted = f" with {result.bug}" if result.bug else ""
    figures = "" if not result.figures else f"\n    {result.figures}"
    return (
        f"{result.experiment:20} n={result.n:<5} {result.outcome:8} {result.seconds:6.1f} s{planted}  "
        f"{result.bite or 'did not bite'}{told}{figures}"
    )


if __name__ == "__main__":
    sys.exit(main())
