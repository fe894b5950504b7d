"""Metrics: what is compared between the arms, each from the columns of customers that it needs.

Revenue is gross less discount. Conversion is a share of people, revenue and margin are means per person, the average order
value is revenue over orders, and the discount rate is discount over gross.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import numpy as np

from backtests import cuped
from backtests.customers import Group, Worth
from backtests.estimates import Estimate, Refused, absolute, relative
from backtests.extremes import winsorised
from backtests.samples import Sample, Values, mean_of, ratio_of, share_of

Name = Literal["conversion", "revenue_per_customer", "aov", "discount_rate", "margin"]
NAMES: tuple[Name, ...] = get_args(Name)
LOWER_IS_BETTER: frozenset[Name] = frozenset({"discount_rate"})

ORDERS_UNKNOWN = "orders are not known of everybody"
COSTS_UNKNOWN = "costs are not known of everybody; orders must carry `cost`, or a margin rate must be given"
Columns = tuple[Values, ...]  # one of a share or a mean, numerator and denominator of a ratio
Pair = tuple[Sample, Sample]


class Compared(NamedTuple):
    """One metric. plain, adjusted: control and treatment before and after CUPED, the same where it was not possible.

    absolute, relative: of the adjusted; a sentence instead where it was refused. theta: of CUPED, 0 without it.
    threshold: what extremes were cut to, None where they were not.
    """

    name: Name
    plain: Pair
    adjusted: Pair
    absolute: Estimate | str
    relative: Estimate | str
    theta: float
    threshold: float | None


def compare(
    name: Name, control: Group, treatment: Group, *, margin_rate: float | None = None, quantile: float | None = None
) -> Compared:
    """margin_rate: margin of revenue where costs are unknown. quantile: where extremes of money per person are cut.

    Refused where the columns that the metric needs are not known, or a ratio has nothing to divide by.
    """
    if min(control.people, treatment.people) == 0:
        raise Refused("an arm is empty")
    arms = [_columns(name, arm.now, margin_rate) for arm in (control, treatment)]
    before = [_before(name, arm.before, margin_rate) for arm in (control, treatment)]
    threshold = None
    if quantile is not None and name in ("revenue_per_customer", "margin"):
        arms, threshold = _cut(arms, quantile)
        if before[0] is not None and before[1] is not None:
            before = [*_cut([before[0], before[1]], quantile)[0]]
    try:
        plain = _sample(name, arms[0]), _sample(name, arms[1])
    except ValueError as error:
        raise Refused(str(error)) from None
    found, theta = plain, 0.0
    if before[0] is not None and before[1] is not None:
        found, theta = _adjusted(name, (arms[0], before[0]), (arms[1], before[1]), plain)
    return Compared(name, plain, found, tried(absolute, found), tried(relative, found), theta, threshold)


def tried(estimate: Callable[[Sample, Sample], Estimate], arms: Pair) -> Estimate | str:
    """The estimate, or the sentence of its refusal."""
    try:
        return estimate(*arms)
    except Refused as refusal:
        return str(refusal)


def _columns(name: Name, worth: Worth, margin_rate: float | None) -> Columns:
    if name == "conversion":
        return ((_known(worth.orders, ORDERS_UNKNOWN) > 0).astype(np.float64),)
    gross = _known(worth.gross, "what orders were worth is not known of everybody")
    if name == "discount_rate":
        return _known(worth.discount, "discounts are not known of everybody; orders must carry `discount`"), gross
    revenue = gross - (0 if worth.discount is None else worth.discount)
    if name == "revenue_per_customer":
        return (revenue,)
    if name == "aov":
        return revenue, _known(worth.orders, ORDERS_UNKNOWN)
    if worth.cost is None and margin_rate is not None:
        return (revenue * margin_rate,)
    return (revenue - _known(worth.cost, COSTS_UNKNOWN),)


def _known(values: Values | None, otherwise: str) -> Values:
    if values is None:
        raise Refused(otherwise)
    return values


def _before(name: Name, worth: Worth, margin_rate: float | None) -> Columns | None:
    """The counterpart before; None where it is not known. Any covariate is fair, so costs may be missing."""
    cost = worth.cost if worth.cost is not None or worth.gross is None else np.zeros_like(worth.gross)
    try:
        return _columns(name, worth._replace(cost=cost), margin_rate)
    except Refused:
        return None


def _cut(arms: list[Columns], quantile: float) -> tuple[list[Columns], float]:
    values, threshold = winsorised([columns[0] for columns in arms], quantile=quantile)
    return [(cut,) for cut in values], threshold


def _sample(name: Name, columns: Columns) -> Sample:
    if name == "conversion":
        return share_of(columns[0])
    return mean_of(columns[0]) if len(columns) == 1 else ratio_of(columns[0], columns[1])


def _adjusted(
    name: Name, control: tuple[Columns, Columns], treatment: tuple[Columns, Columns], plain: Pair
) -> tuple[Pair, float]:
    """By CUPED; as it is where what was before has no ratio or does not vary."""
    if len(control[0]) == 2:
        try:
            ratios = [cuped.ratios_of((now[0], now[1]), (was[0], was[1])) for now, was in (control, treatment)]
        except ValueError:
            return plain, 0.0
        theta = cuped.theta_of_ratios(*ratios)
        return (cuped.adjusted(ratios[0], ratios[1], theta), theta) if theta else (plain, 0.0)
    paired = cuped.shares_of if name == "conversion" else cuped.means_of
    arms = [paired(now[0], was[0]) for now, was in (control, treatment)]
    theta = cuped.theta_of_means(*arms)
    return (cuped.adjusted(arms[0], arms[1], theta), theta) if theta else (plain, 0.0)
