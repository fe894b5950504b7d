"""Samples: what one arm of a comparison showed in one metric, as the few numbers that every later step needs.

Variances are per person: of a mean with n - 1, of a share p (1 - p), of a ratio by the delta method. Nothing here knows
what is compared.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NOISE = 1e-12  # of what a variance is the difference of; less is rounding, and as an error it would prove anything
Values = NDArray[np.float64]  # one value a person


class Sample(NamedTuple):
    """value: the mean, share or ratio. raw: the same before it was adjusted by what people did earlier (cuped.py).

    variance, raw_variance: of both. pre_variance, covariance, theta: of the adjustment, 0 where there is none.
    """

    value: float
    variance: float
    n: int
    raw: float
    raw_variance: float
    pre_variance: float = 0.0
    covariance: float = 0.0
    theta: float = 0.0

    @property
    def squared_error(self) -> float:
        return self.variance / self.n


def mean(total: float, squares: float, n: int) -> Sample:
    """From the sum, the sum of squares and the number of people."""
    return _plain(total / n, covariance(squares, total, total, n), n)


def share(successes: float, n: int) -> Sample:
    p = successes / n
    return _plain(p, p * (1 - p), n)


def ratio(numerator: tuple[float, float], denominator: tuple[float, float], products: float, n: int) -> Sample:
    """Sum over sum, each given as (sum, sum of squares); products: the sum of their products. ValueError: see ratio_of."""
    above, below = numerator[0], denominator[0]
    return _ratio(
        above / n,
        below / n,
        covariance(numerator[1], above, above, n),
        covariance(denominator[1], below, below, n),
        covariance(products, above, below, n),
        n,
    )


def mean_of(values: Values) -> Sample:
    return _plain(float(values.mean()), float(values.var(ddof=1)) if len(values) > 1 else 0.0, len(values))


def share_of(values: Values) -> Sample:
    """values: 1.0 or 0.0 a person."""
    return share(float(values.sum()), len(values))


def ratio_of(numerator: Values, denominator: Values) -> Sample:
    """ValueError when the denominator's sum is zero: there is no such ratio."""
    n = len(numerator)
    both = np.cov(numerator, denominator) if n > 1 else np.zeros((2, 2))
    return _ratio(
        float(numerator.mean()),
        float(denominator.mean()),
        float(both[0, 0]),
        float(both[1, 1]),
        float(both[0, 1]),
        n,
    )


def covariance(products: float, first: float, second: float, n: int) -> float:
    """Of two series of n values, from the sum of their products and their sums."""
    return (products - first * second / n) / (n - 1) if n > 1 else 0.0


def settled(variance: float, scale: float) -> float:
    """0 where the variance is but rounding of something as large as `scale`."""
    return variance if variance > NOISE * scale else 0.0


def _plain(value: float, variance: float, n: int) -> Sample:
    variance = settled(variance, value * value)
    return Sample(value, variance, n, value, variance)


def _ratio(above: float, below: float, above_variance: float, below_variance: float, both: float, n: int) -> Sample:
    if below == 0:
        raise ValueError("nothing to divide by: the denominator is zero")
    value = above / below
    apart = above_variance + value * value * below_variance
    return _plain(value, settled(apart - 2 * value * both, apart) / below**2, n)
