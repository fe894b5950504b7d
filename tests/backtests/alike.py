"""Shops where helping changes nothing, looked at as the product looks: how often a difference is seen that is not there.

`python -m tests.backtests.alike` prints the table of docs/lift.md; `make test` runs a small share of it.
"""

import argparse
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import special

from backtests.balance import balance
from backtests.customers import Group, Worth
from backtests.estimates import ALPHA, Estimate, Refused
from backtests.metrics import NAMES, Name, compare
from backtests.sequences import look

LOOKS = 50
KINDS = ("absolute", "relative")


class Shop(NamedTuple):
    """people: how many are compared in the end. held_out: the share. before: whether it is known what they bought before."""

    people: int
    held_out: float
    before: bool


class Seen(NamedTuple):
    """Of one run and one metric and kind: the estimate at the end, and whether any look was wrong: a test's, the sequence's."""

    name: Name
    kind: str
    end: Estimate
    test_ever: bool
    sequence_ever: bool


def wrong(estimate: Estimate, *, error_times: float = 1.0) -> bool:
    """Whether a single look sees a difference; error_times: a mistake planted into the standard error."""
    return float(2 * special.stdtr(estimate.degrees, -abs(estimate.value) / (estimate.se * error_times))) < ALPHA


def customers(chance: np.random.Generator, shop: Shop) -> tuple[Group, Group, np.ndarray]:
    """Both arms, who are alike but for chance, and who of all is held out, in the order in which they came.

    Worth is skewed as a shop's is: most buy nothing, some much, and who bought before is likelier to buy again.
    """
    keen = chance.gamma(0.7, 0.7, shop.people)
    held = chance.random(shop.people) < shop.held_out
    now, before = _period(chance, keen), _period(chance, keen)
    if not shop.before:
        before = Worth(None, None, None, None)
    arms = []
    for inside in (held, ~held):
        worths = (Worth(*(None if values is None else values[inside] for values in worth)) for worth in (now, before))
        arms.append(Group(*worths, int(inside.sum())))
    return arms[0], arms[1], held


def _period(chance: np.random.Generator, keen: np.ndarray) -> Worth:
    orders = chance.poisson(keen).astype(np.float64)
    gross = np.round(orders * chance.gamma(4, 20, len(keen)), 2)
    return Worth(orders, gross, np.round(gross * chance.beta(1, 8, len(keen)), 2), np.round(gross * 0.4, 2))


def run(seed: int, shop: Shop, *, looks: int) -> list[Seen]:
    """One shop, looked at so often while its people come."""
    chance = np.random.default_rng(seed)
    control, treatment, held = customers(chance, shop)
    ever: Counter[tuple[Name, str, str]] = Counter()
    ends: dict[tuple[Name, str], Estimate] = {}
    for number in range(1, looks + 1):
        came = held[: shop.people * number // looks]
        arms = control.first(int(came.sum())), treatment.first(int((~came).sum()))
        for name in NAMES:
            try:
                found = compare(name, *arms)
            except Refused:  # too early to say anything, here and below
                continue
            for kind in KINDS:
                estimate: Estimate | str = getattr(found, kind)
                if isinstance(estimate, str):
                    continue
                ends[name, kind] = estimate
                ever[name, kind, "test"] += wrong(estimate)
                ever[name, kind, "sequence"] += look(estimate, tuned_for=shop.people).p < ALPHA
    return [
        Seen(name, kind, end, ever[name, kind, "test"] > 0, ever[name, kind, "sequence"] > 0)
        for (name, kind), end in ends.items()
    ]


def alarms(chance: np.random.Generator, *, runs: int, people: int, held_out: float) -> float:
    """The share of splits as they were meant that are called broken."""
    held = chance.binomial(people, held_out, runs)
    return sum(balance((int(one), people - int(one)), (held_out, 1 - held_out)).alarm for one in held) / runs


def rows(
    runs: int, seed: int, shop: Shop, *, looks: int, jobs: int | None
) -> Iterator[tuple[Name, str, float, float, float]]:
    """Metric, kind, and the shares of runs: wrong at the end, wrong at any look by a test, by the sequence."""
    count: Counter[tuple[Name, str]] = Counter()
    ends, tests, sequences = (Counter[tuple[Name, str]]() for _ in range(3))
    with ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        for seen in pool.map(partial(run, shop=shop, looks=looks), range(seed, seed + runs), chunksize=8):
            for one in seen:
                key = (one.name, one.kind)
                count[key] += 1
                ends[key] += wrong(one.end)
                tests[key] += one.test_ever
                sequences[key] += one.sequence_ever
    for name in NAMES:
        for kind in KINDS:
            key = (name, kind)
            yield name, kind, ends[key] / count[key], tests[key] / count[key], sequences[key] / count[key]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=2103)
    parser.add_argument("--jobs", type=int, default=None, help="processes (default: one a core)")
    asked = parser.parse_args()
    print(f"seed {asked.seed}, {asked.runs} runs; error of a share of 5 %: {(0.05 * 0.95 / asked.runs) ** 0.5:.2%}")
    for shop in (Shop(10_000, 0.3, True), Shop(10_000, 0.1, True), Shop(10_000, 0.1, False), Shop(1500, 0.1, False)):
        print(
            f"\n{shop}\n\n| metric | lift | one look | ever, of {LOOKS} single looks | ever, by the sequence |\n|"
            "---|---|--:|--:|--:|"
        )
        for name, kind, end, test, sequence in rows(asked.runs, asked.seed, shop, looks=LOOKS, jobs=asked.jobs):
            print(f"| `{name}` | {kind} | {end:.1%} | {test:.1%} | {sequence:.1%} |")
    rung = alarms(np.random.default_rng(asked.seed), runs=200_000, people=10_000, held_out=0.1)
    print(f"\nsample ratio: {rung:.3%} alarms of 200,000 splits as meant")


if __name__ == "__main__":
    main()
