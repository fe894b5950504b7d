"""A seeded run of ten thousand commands through the courier against a rehearsed Intercom that does its worst.

    python -m tests.delivery [--commands 10000] [--seed 1] [--planted [NAME]]

Exit code 1 where a run does not hold, or a planted bug does.
"""

import argparse
import sys
import time

from tests.delivery.converge import Report, converge
from tests.delivery.plants import PLANTS, planted

SERVED_MIN = 50
RESTARTS = 20
SHOWN_MAX = 20


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--commands", type=int, default=10_000)
    options.add_argument("--served", type=int, default=SERVED_MIN, help="of each class of fault, or the run is void")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--planted", nargs="?", const="all", choices=["all", *PLANTS], help="with a bug put in")
    asked = options.parse_args()
    print(f"seed {asked.seed}")
    if asked.planted is None:
        report = run(asked)
        tell(report)
        return 0 if report.held else 1
    names = list(PLANTS) if asked.planted == "all" else [asked.planted]
    green = [name for name in names if not red(name, asked)]
    return 1 if green else 0


def run(asked: argparse.Namespace) -> Report:
    return converge(commands=asked.commands, seed=asked.seed, served_min=asked.served, restarts=RESTARTS)


def red(name: str, asked: argparse.Namespace) -> bool:
    with planted(name):
        report = run(asked)
    kinds = sorted({sentence.split(":")[0] for sentence in report.wrong if not sentence.startswith(("id:", "email:"))})
    told = "; ".join(kinds) or "contacts differ"
    print(f"{name:24} {'red' if report.wrong else 'GREEN'}  {len(report.wrong)} breaches; {told}")
    return bool(report.wrong)


def tell(report: Report) -> None:
    print(
        f"{report.commands:,} commands of {report.people:,} people, {report.requests:,} requests, "
        f"{report.restarts} restarts, {report.seconds / 60:,.0f} minutes of Intercom's time in {time.process_time():,.0f} s"
    )
    for name, count in report.served.items():
        print(f"  {name:28} {count:>6}")
    print("outcomes: " + ", ".join(f"{name} {count:,}" for name, count in report.outcomes.items()))
    for sentence in report.wrong[:SHOWN_MAX]:
        print(f"  WRONG {sentence}")
    for name in report.void:
        print(f"  VOID  {name} was served too seldom")
    print("held" if report.held else f"did not hold: {len(report.wrong)} breaches, {len(report.void)} void")


if __name__ == "__main__":
    sys.exit(main())
