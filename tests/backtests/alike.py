"""Shops where helping changes nothing, looked at as the product looks: how often a difference is seen that is not there.

`python -m tests.backtests.alike` prints the table of docs/lift.md; `make test` runs a small share of it.
"""

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
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
    """Of one run and one metric and kind: the estimate at the end, and whether any look was wrong.

    test_ever: a test's of a single look; sequence_ever: the sequence's; blind_ever: the sequence's, believed before it holds.
    """

    name: Name
    kind: str
    end: Estimate
    test_ever: bool
    sequence_ever: bool
    blind_ever: bool


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
        mine = [Worth(*(None if values is None else values[inside] for values in worth)) for worth in (now, before)]
        arms.append(Group(mine[0], mine[1], int(inside.sum())))
    return arms[0], arms[1], held


def _period(chance: np.random.Generator, keen: np.ndarray) -> Worth:
    orders = chance.poisson(keen).astype(np.float64)
    gross = np.round(orders * chance.gamma(4, 20, len(keen)), 2)
    return Worth(orders, gross, np.round(gross * chance.beta(1, 8, len(keen)), 2), np.round(gross * 0.4, 2))


def run(seed: int, shop: Shop, *, looks: int, names: Sequence[Name] = NAMES) -> list[Seen]:
    """One shop, looked at so often while its people come."""
    chance = np.random.default_rng(seed)
    control, treatment, held = customers(chance, shop)
    ever: Counter[tuple[Name, str, str]] = Counter()
    ends: dict[tuple[Name, str], Estimate] = {}
    for number in range(1, looks + 1):
        came = held[: shop.people * number // looks]
        arms = control.first(int(came.sum())), treatment.first(int((~came).sum()))
        for name in names:
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
                sequence = look(estimate, tuned_for=shop.people)
                ever[name, kind, "sequence"] += sequence.p < ALPHA and not sequence.early
                ever[name, kind, "blind"] += sequence.p < ALPHA
    told = ("test", "sequence", "blind")
    return [Seen(*key, end, *(ever[(*key, word)] > 0 for word in told)) for key, end in ends.items()]


def alarms(chance: np.random.Generator, *, runs: int, people: int, held_out: float) -> float:
    """The share of splits as they were meant that are called broken."""
    held = chance.binomial(people, held_out, runs)
    return sum(balance((int(one), people - int(one)), (held_out, 1 - held_out)).alarm for one in held) / runs


def rows(runs: int, seed: int, shop: Shop, *, jobs: int | None) -> Iterator[tuple[Name, str, list[float]]]:
    """Metric, kind, and the shares of runs that were wrong: at the end, at any look by a test, by the sequence, by it blind."""
    found: dict[tuple[Name, str], list[tuple[bool, ...]]] = defaultdict(list)
    with ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        for seen in pool.map(partial(run, shop=shop, looks=LOOKS), range(seed, seed + runs), chunksize=8):
            for one in seen:
                mistakes = wrong(one.end), one.test_ever, one.sequence_ever, one.blind_ever
                found[one.name, one.kind].append(mistakes)
    for name, kind in sorted(found, key=lambda key: (NAMES.index(key[0]), key[1])):
        yield name, kind, [sum(column) / runs for column in zip(*found[name, kind], strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=2103)
    parser.add_argument("--jobs", type=int, default=None, help="processes (default: one a core)")
    asked = parser.parse_args()
    print(f"seed {asked.seed}, {asked.runs} runs; error of a share of 5 %: {(0.05 * 0.95 / asked.runs) ** 0.5:.2%}")
    heads = (
        f"| metric | lift | one look | ever, of {LOOKS} looks | the same by the sequence | from the first person on |"
    )
    for shop in (Shop(10_000, 0.3, True), Shop(10_000, 0.1, False), Shop(1500, 0.1, False)):
        print(f"\n{shop}\n\n{heads}\n|---|---|--:|--:|--:|--:|")
        for name, kind, shares in rows(asked.runs, asked.seed, shop, jobs=asked.jobs):
            print(f"| `{name}` | {kind} | {' | '.join(f'{share:.1%}' for share in shares)} |", flush=True)
    rung = alarms(np.random.default_rng(asked.seed), runs=200_000, people=10_000, held_out=0.1)
    print(f"\nsample ratio: {rung:.3%} alarms of 200,000 splits as meant")


if __name__ == "__main__":
    main()
