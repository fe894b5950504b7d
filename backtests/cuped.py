"""CUPED: the same comparison with less noise, by what each person did before the outcome window opened.

The adjustment changes neither what is estimated nor the baseline that a relative lift is divided by. Source: Deng, Xu,
Kohavi, Walker, "Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data", 2013.
"""

from typing import NamedTuple

import numpy as np

from backtests.samples import Sample, Values, covariance, mean_of, ratio_of, settled, share_of


class Paired(NamedTuple):
    """One arm: a metric, its counterpart before, and their covariance; variances per person.

    lost: degrees of freedom that the variances take off n; 1, and 0 of shares.
    """

    value: float
    variance: float
    pre: float
    pre_variance: float
    covariance: float
    n: int
    lost: int = 1


def adjusted(control: Paired, treatment: Paired, theta: float) -> tuple[Sample, Sample]:
    """Both arms less `theta` times their counterpart before."""
    return _less(control, theta), _less(treatment, theta)


def theta_of_means(control: Paired, treatment: Paired) -> float:
    """Covariance over the variance before, of the people of both arms thrown together; 0 where that does not vary."""
    n = control.n + treatment.n
    weight = control.n * treatment.n / n
    apart, apart_before = treatment.value - control.value, treatment.pre - control.pre
    both = (
        _within(control, control.covariance) + _within(treatment, treatment.covariance) + weight * apart * apart_before
    )
    before = _within(control, control.pre_variance) + _within(treatment, treatment.pre_variance)
    before += weight * apart_before**2
    return both / before if before > 0 else 0.0


def theta_of_ratios(control: Paired, treatment: Paired) -> float:
    """The same of ratios, which are linearised around each arm's own; 0 where what was before does not vary."""
    before = control.pre_variance + treatment.pre_variance
    return (control.covariance + treatment.covariance) / before if before > 0 else 0.0


def means(outcome: tuple[float, float], before: tuple[float, float], products: float, n: int) -> Paired:
    """A mean and its counterpart before, each as (sum, sum of squares), and the sum of their products."""
    return Paired(
        outcome[0] / n,
        covariance(outcome[1], outcome[0], outcome[0], n),
        before[0] / n,
        covariance(before[1], before[0], before[0], n),
        covariance(products, outcome[0], before[0], n),
        n,
    )


def means_of(outcome: Values, before: Values) -> Paired:
    now, then = mean_of(outcome), mean_of(before)
    return Paired(now.value, now.variance, then.value, then.variance, _together(outcome, before), now.n)


def shares_of(outcome: Values, before: Values) -> Paired:
    """A share of people and its counterpart before; values 1.0 or 0.0 a person."""
    now, then = share_of(outcome), share_of(before)
    both = float((outcome * before).mean()) - now.value * then.value
    return Paired(now.value, now.variance, then.value, then.variance, both, now.n, lost=0)


def ratios_of(outcome: tuple[Values, Values], before: tuple[Values, Values]) -> Paired:
    """A ratio and its counterpart before, each as (numerator, denominator). ValueError where a denominator is zero."""
    now, then = ratio_of(*outcome), ratio_of(*before)
    around = (outcome[0] - now.value * outcome[1]) / outcome[1].mean()
    around_before = (before[0] - then.value * before[1]) / before[1].mean()
    return Paired(now.value, now.variance, then.value, then.variance, _together(around, around_before), now.n)


def _less(arm: Paired, theta: float) -> Sample:
    apart = arm.variance + theta**2 * arm.pre_variance
    variance = settled(apart - 2 * theta * arm.covariance, apart)
    value = arm.value - theta * arm.pre
    return Sample(value, variance, arm.n, arm.value, arm.variance, arm.pre_variance, arm.covariance, theta)


def _within(arm: Paired, per_person: float) -> float:
    return (arm.n - arm.lost) * per_person


def _together(first: Values, second: Values) -> float:
    return float(np.cov(first, second)[0, 1]) if len(first) > 1 else 0.0
