"""Many random histories through product and oracle: `python -m tests.oracle.soak --count N --seed S`.

Prints seed, count, decisions, time and the first difference; exit status 1 where there is one.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from contracts.decisions import Arm
from contracts.signals import PersonSignal
from tests.oracle.comparison import compare
from tests.oracle.histories import history

ARMS: tuple[Arm, ...] = ("assisted", "assisted", "assisted", "holdout")


class Soaked(NamedTuple):
    histories: int
    decisions: int
    met: Counter[tuple[str, str]]  # (audience, outcome and reason)
    difference: str  # empty where both sides agree
    history: Sequence[PersonSignal]


def drawn(seed: int, index: int) -> tuple[list[PersonSignal], Arm]:
    """The history of that number, the same on any machine."""
    source = random.Random(f"{seed}/{index}")
    return history(source.choice), source.choice(ARMS)


def soak(count: int, seed: int, first: int = 0) -> Soaked:
    met: Counter[tuple[str, str]] = Counter()
    decisions = 0
    for index in range(first, first + count):
        signals, arm = drawn(seed, index)
        compared = compare(signals, arm)
        difference = compared.difference()
        if difference:
            return Soaked(index + 1, decisions, met, f"history {index}, arm {arm}\n{difference}", signals)
        decisions += compared.oracle.total()
        met.update((told.audience, f"{told.outcome} {told.reason}") for told in compared.oracle.elements())
    return Soaked(count, decisions, met, "", ())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    begun = time.monotonic()
    soaked = soak(given.count, given.seed, given.first)
    seconds = time.monotonic() - begun
    print(f"seed {given.seed}, {soaked.histories} histories, {soaked.decisions} decisions, {seconds:.1f} s")
    for (audience, said), number in sorted(soaked.met.items()):
        print(f"  {audience:26} {said:26} {number}")
    if soaked.difference:
        print(soaked.difference)
        for signal in soaked.history:
            print(" ", signal)
    return 1 if soaked.difference else 0


if __name__ == "__main__":
    sys.exit(main())
