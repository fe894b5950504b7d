"""Extremes: a few huge orders decide a mean; beyond a quantile of both arms together they are cut to it."""

from collections.abc import Sequence

import numpy as np

from backtests.samples import Values


def winsorised(arms: Sequence[Values], *, quantile: float) -> tuple[list[Values], float]:
    """The arms with what is above the threshold set to it, and the threshold: one for all arms, so that none is favoured.

    quantile: in (0, 1], of the values of all arms together; between two values it is interpolated.
    """
    if not 0 < quantile <= 1:
        raise ValueError("the quantile must be above 0 and at most 1, such as 0.99")
    threshold = float(np.quantile(np.concatenate(list(arms)), quantile))
    return [np.minimum(values, threshold) for values in arms], threshold
