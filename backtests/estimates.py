"""Estimates: treatment against control in one metric, absolute and relative, each with its error, interval and p-value.

Means are compared by Welch's test. A relative lift is divided by the absolute baseline, its error comes from both arms by
the delta method, and where the baseline may be zero there is none: `Refused` says why.
"""

import math
from typing import NamedTuple

from scipy import special

from backtests.samples import Sample, settled

ALPHA = 0.05  # the usual one; a 95 % interval


class Estimate(NamedTuple):
    """value: treatment less control, or that over the absolute baseline. se: its standard error. degrees: Welch's.

    low, high: the 1 - alpha interval of a single look. p: two-sided, of no difference. above_zero: how likely the true
    value is above zero, seen from a flat prior (normal). fewest: people of the smaller arm.
    """

    value: float
    se: float
    degrees: float
    low: float
    high: float
    p: float
    above_zero: float
    people: int
    fewest: int


class Refused(ValueError):
    """There is no such estimate; `str()` says why."""


def absolute(control: Sample, treatment: Sample, *, alpha: float = ALPHA) -> Estimate:
    """In the metric's own unit. Refused where an arm is too small or nothing varies."""
    _enough(control, treatment)
    squared_error = control.squared_error + treatment.squared_error
    return _estimate(treatment.value - control.value, squared_error, control, treatment, alpha)


def relative(control: Sample, treatment: Sample, *, alpha: float = ALPHA) -> Estimate:
    """As a fraction: 0.1 is ten per cent more. Refused as `absolute` is, and where the baseline's interval holds zero."""
    _enough(control, treatment)
    baseline = control.raw
    reach = float(special.stdtrit(control.n - 1, 1 - alpha / 2)) * math.sqrt(control.raw_variance / control.n)
    if abs(baseline) <= reach:
        raise Refused("the baseline may be zero, so that nothing can be said in per cent of it")
    times = treatment.raw / baseline
    apart = control.raw_variance * times**2 + control.theta**2 * control.pre_variance
    own = settled(apart - 2 * control.theta * times * control.covariance, apart)
    squared_error = (treatment.squared_error + own / control.n) / baseline**2
    if squared_error == 0:
        raise Refused("it is the same for all of the assisted, so that an error in per cent cannot be told")
    return _estimate((treatment.value - control.value) / abs(baseline), squared_error, control, treatment, alpha)


def _estimate(value: float, squared_error: float, control: Sample, treatment: Sample, alpha: float) -> Estimate:
    se = math.sqrt(squared_error)
    degrees = _degrees(control, treatment)
    reach = float(special.stdtrit(degrees, 1 - alpha / 2)) * se
    p = 2 * float(special.stdtr(degrees, -abs(value) / se))
    people, fewest = control.n + treatment.n, min(control.n, treatment.n)
    return Estimate(
        value, se, degrees, value - reach, value + reach, p, float(special.ndtr(value / se)), people, fewest
    )


def _enough(control: Sample, treatment: Sample) -> None:
    if min(control.n, treatment.n) < 2:
        raise Refused("it takes two people in each arm to say anything")
    if control.squared_error + treatment.squared_error == 0:
        raise Refused("nobody differs from anybody of the same arm in it")


def _degrees(control: Sample, treatment: Sample) -> float:
    """Welch and Satterthwaite."""
    first, second = control.squared_error, treatment.squared_error
    return (first + second) ** 2 / (first**2 / (control.n - 1) + second**2 / (treatment.n - 1))
