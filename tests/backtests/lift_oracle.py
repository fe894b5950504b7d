"""What a table of customers must tell, computed another way: covariance matrices, gradients by differences, scipy's own tests.

It shares no code with the product. Every estimate is a function of the means of some columns; its error is that function's
gradient through their covariance matrix.
"""

from collections.abc import Callable, Mapping
from math import log, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Column = NDArray[np.float64]
Of = Callable[[Column], float]
STEP = 1e-6  # of a difference, as a share of what it is taken at


class Arm(NamedTuple):
    """Of one metric: the means of its columns, the covariance matrix of these means, and people."""

    means: Column
    errors: Column
    people: int


def expected(
    rows: Mapping[str, Column],
    held: NDArray[np.bool_],
    *,
    margin_rate: float | None,
    quantile: float | None,
    tuned_for: int,
) -> dict[str, dict[str, Any]]:
    """rows: the table's columns by name, without those that are not known. By metric, as far as it can be told."""
    told = {}
    for name, (now, before) in _columns(rows, margin_rate).items():
        threshold = None
        if quantile is not None and name in ("revenue_per_customer", "margin"):
            threshold = float(np.quantile(now[0], quantile))
            now = [np.minimum(now[0], threshold)]
            before = before and [np.minimum(before[0], np.quantile(before[0], quantile))]
        told[name] = {"winsorised_at": threshold, **_metric(name, now, before, held, tuned_for)}
    ps = {name: metric["relative"]["p"] for name, metric in told.items() if metric["relative"]}
    for rank, name in enumerate(sorted(ps, key=lambda name: ps[name])):
        smaller = [told[other]["relative"]["p_holm"] for other in ps if "p_holm" in told[other]["relative"]]
        told[name]["relative"]["p_holm"] = max([min(1.0, (len(ps) - rank) * ps[name]), *smaller])
    return told


def _columns(rows: Mapping[str, Column], margin_rate: float | None) -> dict[str, tuple[list[Column], list[Column]]]:
    """By metric its columns in the window and before it; the latter are empty where they are not known."""

    def revenue(before: str) -> Column:
        return rows[f"{before}gross"] - rows.get(f"{before}discount", np.zeros(1))

    def bought(before: str) -> Column:
        return (rows[f"{before}orders"] > 0).astype(np.float64)

    def known(*names: str) -> bool:
        return all(f"pre_{name}" in rows for name in names)

    told: dict[str, tuple[list[Column], list[Column]]] = {
        "conversion": ([bought("")], [bought("pre_")] if known("orders") else []),
        "revenue_per_customer": ([revenue("")], [revenue("pre_")] if known("gross") else []),
        "aov": (
            [revenue(""), rows["orders"]],
            [revenue("pre_"), rows["pre_orders"]] if known("gross", "orders") else [],
        ),
        "discount_rate": (
            [rows["discount"], rows["gross"]],
            [rows["pre_discount"], rows["pre_gross"]] if known("discount", "gross") else [],
        ),
    }
    was = [revenue("pre_") - rows.get("pre_cost", np.zeros(1))] if known("gross") else []
    if "cost" in rows:
        told["margin"] = ([revenue("") - rows["cost"]], was)
    elif margin_rate is not None:
        told["margin"] = ([revenue("") * margin_rate], was)
    return told


def _metric(
    name: str, now: list[Column], before: list[Column], held: NDArray[np.bool_], tuned_for: int
) -> dict[str, Any]:
    lost = 0 if name == "conversion" else 1  # a share's variance is p (1 - p)
    columns = np.array([*now, *before])
    width = len(now)
    arms = []
    for inside in (held, ~held):
        mine = columns[:, inside]
        errors = np.atleast_2d(np.cov(mine, ddof=lost)) / mine.shape[1]
        arms.append(Arm(mine.mean(axis=1), errors, mine.shape[1]))
    control, treatment = arms

    def raw(means: Column) -> float:
        return float(means[0] if width == 1 else means[0] / means[1])

    def was(means: Column) -> float:
        return float(means[width] if width == 1 else means[width] / means[width + 1]) if before else 0.0

    theta = _theta(columns, arms, raw, was, lost) if before else 0.0

    def freed(means: Column) -> float:
        return raw(means) - theta * was(means)

    lift = freed(treatment.means) - freed(control.means)
    variances = [_variance(freed, arm) for arm in arms]
    degrees = sum(variances) ** 2 / sum(one**2 / (arm.people - 1) for one, arm in zip(variances, arms, strict=True))
    told: dict[str, Any] = {"theta": theta, "relative": None}
    told["absolute"] = _estimate(lift, sqrt(sum(variances)), degrees, len(held), tuned_for)
    base = raw(control.means)
    if abs(base) > stats.t(control.people - 1).ppf(0.975) * sqrt(_variance(raw, control)):
        times = raw(treatment.means) / base

        def divided(means: Column) -> float:  # the control's part of the lift, to the first order
            return (times * raw(means) - theta * was(means)) / base

        error = sqrt(variances[1] / base**2 + _variance(divided, control))
        told["relative"] = _estimate(lift / abs(base), error, degrees, len(held), tuned_for)
        above = float(stats.norm.cdf(lift / abs(base) / error))
        told["chance_to_win"] = 1 - above if name == "discount_rate" else above
    return told


def _theta(columns: Column, arms: list[Arm], raw: Of, was: Of, lost: int) -> float:
    if len(columns) == 2:
        both = np.cov(columns, ddof=lost)
        return float(both[0, 1] / both[1, 1])
    slopes = [(_gradient(raw, arm.means), _gradient(was, arm.means), arm.errors * arm.people) for arm in arms]
    together = sum(now @ errors @ then for now, then, errors in slopes)
    return float(together / sum(then @ errors @ then for _, then, errors in slopes))


def _gradient(of: Of, means: Column) -> Column:
    found = []
    for place in range(len(means)):
        step = np.zeros(len(means))
        step[place] = max(abs(means[place]), 1e-3) * STEP
        found.append((of(means + step) - of(means - step)) / (2 * step[place]))
    return np.array(found)


def _variance(of: Of, arm: Arm) -> float:
    slope = _gradient(of, arm.means)
    return float(slope @ arm.errors @ slope)


def _estimate(value: float, error: float, degrees: float, people: int, tuned_for: int) -> dict[str, Any]:
    low, high = stats.t(degrees, value, error).interval(0.95)
    rho = sqrt((-2 * log(0.05) + log(-2 * log(0.05) + 1)) / tuned_for)
    wide = error * sqrt(2 * (people * rho**2 + 1) / (people * rho**2) * log(sqrt(people * rho**2 + 1) / 0.05))
    return {
        "value": value, "se": error, "low": low, "high": high, "p": 2 * stats.t(degrees).sf(abs(value) / error),
        "sequence": {"low": value - wide, "high": value + wide},
    }  # fmt: skip
