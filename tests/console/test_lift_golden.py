"""Raw customers through `concierge lift --from-csv`: published numbers to five decimals, any table as an oracle has it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tests.backtests.lift_oracle import expected
from tests.console.test_lift import COLUMNS, asked, write

FIVE = 5e-6
Column = NDArray[np.float64]
Moments = tuple[float, float]  # sum, sum of squares


def people_with(outcome: Moments, n: int, before: Moments = (0, 0), products: float = 0) -> tuple[Column, Column]:
    """Two values a person with exactly these sums; nobody is like that, but the means and errors are the published ones."""
    first, second = np.zeros(n), np.zeros(n)
    first[:2], second[2:4] = (1, -1), (1, -1)
    spread = [squares - total**2 / n for total, squares in (outcome, before)]
    both = products - outcome[0] * before[0] / n
    slope = both / spread[0]
    now = outcome[0] / n + first * np.sqrt(spread[0] / 2)
    left = np.sqrt(max(0.0, spread[1] - slope * both) / 2)
    return now, before[0] / n + slope * (now - outcome[0] / n) + second * left


def table(
    path: Path, control: tuple[Column, Column], treatment: tuple[Column, Column], *, before: bool = False
) -> Path:
    """As revenue, and as revenue before."""
    rows: list[tuple[Any, ...]] = []
    for arm, (now, was) in (("control", control), ("treatment", treatment)):
        rows += [
            (f"{arm}-{n}", arm, 1, repr(float(one)), 0, 0, *([repr(float(was[n]))] if before else []))
            for n, one in enumerate(now)
        ]
    return write(path, rows, (*COLUMNS, "pre_gross") if before else COLUMNS)


def told_of(path: Path, name: str, *words: str) -> Any:
    return asked(path, *words)["metrics"][name]


def agrees(found: dict[str, Any], **published: float) -> None:
    for name, value in published.items():
        assert found[name] == pytest.approx(value, abs=FIVE), name


REVENUE = people_with((1396.87, 52377.9767), 3407), people_with((2422.7, 134698.29), 3461)


def test_means_of_customers_give_the_published_lift(tmp_path: Path) -> None:
    found = told_of(table(tmp_path / "t.csv", *REVENUE), "revenue_per_customer")
    agrees(found["relative"], value=0.70732, low=-0.03526, high=1.44989, se=0.37879, p=0.06191)
    agrees(found["absolute"], value=0.29, low=0.04538, high=0.53462, se=0.12478, p=0.02016)


def test_shares_of_customers_give_the_published_lift(tmp_path: Path) -> None:
    rows = [(f"c-{n}", "control", int(n < 14), 10 * (n < 14), 0, 0) for n in range(28)]
    rows += [(f"t-{n}", "treatment", int(n < 16), 10 * (n < 16), 0, 0) for n in range(30)]
    found = told_of(write(tmp_path / "t.csv", rows), "conversion")
    agrees(found["relative"], value=0.06667, low=-0.47767, high=0.61101, se=0.27170, p=0.80707)


def test_sequences_of_customers_are_the_published_ones(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", people_with((270, 848.79), 100), people_with((300, 869), 120))
    found = told_of(path, "revenue_per_customer", "--tuned-for", "600")["relative"]
    agrees(found, value=-0.074074074, p=0.145219005)
    agrees(found["sequence"], p=0.892332229, low=-0.233322085)
    path = table(tmp_path / "t.csv", people_with((1396.87, 52377.9767), 3000), REVENUE[1])
    found = told_of(path, "revenue_per_customer", "--tuned-for", "1000")["relative"]
    agrees(found, value=0.50336)
    agrees(found["sequence"], low=-0.55844, high=1.56516, p=1)


def test_what_customers_did_before_gives_the_published_lift(tmp_path: Path) -> None:
    control = people_with((300, 600), 3001, (210, 415), -20)
    treatment = people_with((222, 555), 3000, (120, 405), -10)
    found = told_of(table(tmp_path / "t.csv", control, treatment, before=True), "revenue_per_customer")
    agrees(found, theta=-0.0732119)
    agrees(found["relative"], value=-0.281707154, p=0.003732549)


@pytest.mark.parametrize(
    ("held", "rest", "share", "p"),
    [
        (1000, 1200, 0.5, 0.000020079),
        (135, 115, 0.5, 0.205903211),
        (950, 9050, 0.1, 0.0955807),
        (900, 9100, 0.1, 0.000858121),
        (98, 310, 0.25, 0.647434186),
    ],
)
def test_the_split_of_customers_is_judged_as_published(
    held: int, rest: int, share: float, p: float, tmp_path: Path
) -> None:
    rows = [(f"h-{n}", "holdout", 0, 0, 0, 0) for n in range(held)] + [
        (f"a-{n}", "assisted", 0, 0, 0, 0) for n in range(rest)
    ]
    split = asked(write(tmp_path / "t.csv", rows), "--holdout", str(share))["splits"]["triggered"]
    assert split["p"] == pytest.approx(p, abs=FIVE / 10) and split["alarm"] == (p < 0.001)


@pytest.mark.parametrize(("before", "after", "lift"), [(-10, -5, 0.5), (-10, -15, -0.5), (-2, 3, 2.5)])
def test_customers_who_cost_money_keep_the_direction_of_the_lift(
    before: float, after: float, lift: float, tmp_path: Path
) -> None:
    arms = [people_with((mean * 100, mean**2 * 100 + 50), 100) for mean in (before, after)]
    assert told_of(table(tmp_path / "t.csv", *arms), "revenue_per_customer")["relative"]["value"] == pytest.approx(lift)


def some_table(seed: int) -> tuple[dict[str, Column], NDArray[np.bool_], list[str]]:
    """A shop of any size and split, with any of the columns before, and the words of the question."""
    chance = np.random.default_rng(seed)
    people = int(chance.integers(60, 1200))
    keen, held = chance.gamma(2, 0.5, people), chance.random(people) < chance.uniform(0.1, 0.9)
    rows: dict[str, Column] = {}
    for before, times in (("", 1.0), ("pre_", 1.2)):
        orders = chance.poisson(keen * times).astype(np.float64)
        gross = np.round(orders * chance.gamma(5, 12, people), 2)
        discount, cost = (
            np.round(gross * chance.uniform(low, high, people), 2) for low, high in ((0, 0.3), (0.2, 0.6))
        )
        for name, values in zip(("orders", "gross", "discount", "cost"), (orders, gross, discount, cost), strict=True):
            if not before or chance.random() < 0.7:
                rows[before + name] = values
    words = ["--margin-rate", "0.37"] if chance.random() < 0.5 else []
    if chance.random() < 0.3:
        del rows["cost"]
    if chance.random() < 0.4:
        words += ["--winsorise", "0.95"]
    return rows, held, [*words, "--tuned-for", str(chance.integers(200, 8000))]


def same(found: dict[str, Any], meant: dict[str, Any], where: str) -> int:
    """How many numbers were held against each other."""
    count = 0
    for name, value in meant.items():
        if isinstance(value, dict):
            count += same(found[name], value, f"{where}, {name}")
        else:
            assert found[name] == (value if value is None else pytest.approx(value, rel=1e-5, abs=1e-8)), (
                f"{where}, {name}"
            )
            count += 1
    return count


def test_any_table_is_told_as_another_computation_has_it(tmp_path: Path) -> None:
    count, freed, refused = 0, 0, 0
    for seed in range(30):
        rows, held, words = some_table(seed)
        known = {name: [repr(float(value)) for value in values] for name, values in rows.items()}
        known.setdefault("cost", [""] * len(held))
        arms = ["holdout" if one else "assisted" for one in held]
        cells = list(zip(map(str, range(len(held))), arms, *known.values(), strict=True))
        columns = ("person", "arm", *known)
        told = asked(write(tmp_path / "t.csv", cells, columns), *words, "--holdout", "0.5")
        options = dict(zip(words[::2], map(float, words[1::2]), strict=True))
        meant = expected(
            rows,
            held,
            margin_rate=options.get("--margin-rate"),
            quantile=options.get("--winsorise"),
            tuned_for=int(options["--tuned-for"]),
        )
        assert told["metrics"].keys() == meant.keys()
        count += sum(same(told["metrics"][name], metric, f"seed {seed}: {name}") for name, metric in meant.items())
        freed += sum(metric["theta"] != 0 for metric in meant.values())
        refused += "margin" in told["refused"]
        assert told["splits"]["triggered"]["p"] == pytest.approx(
            stats.chisquare([held.sum(), (~held).sum()]).pvalue, abs=1e-9
        )
    assert count > 2000 and freed > 30 and refused > 0, "the tables were too much alike"
