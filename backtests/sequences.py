"""Confidence sequences: intervals that hold at every look at once, so that one may look each week and stop when one likes.

Asymptotic ones after Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, https://arxiv.org/abs/2103.06476v7: the half-width is
equation 9, the p-value follows from equation 155, the choice of rho is equation 161. They are wider than an interval of a
single look, and tightest at `tuned_for` people. What holds of them holds once each arm has STARTS_AT_PEOPLE; before, an error
that is itself a guess of a few people would be wrong too often in so many looks.
"""

import math
from typing import NamedTuple

from backtests.estimates import ALPHA, Estimate

STARTS_AT_PEOPLE = (
    100  # of each arm; with them fifty looks stay below alpha in the simulation of docs/lift.md, without not
)
TUNED_FOR_PEOPLE = 5000  # a few weeks of a middling brand; being off by five times costs a tenth of the width


class Look(NamedTuple):
    """An estimate as it may be read at any time. p: always valid, of no difference. early: not valid yet, an arm is too small."""

    low: float
    high: float
    p: float
    early: bool


def look(estimate: Estimate, *, tuned_for: int = TUNED_FOR_PEOPLE, alpha: float = ALPHA) -> Look:
    """The sequence at this number of people."""
    reach = _half_width(estimate, tuned_for, alpha)
    return Look(
        estimate.value - reach,
        estimate.value + reach,
        _p(estimate, tuned_for, alpha),
        estimate.fewest < STARTS_AT_PEOPLE,
    )


def _rho_squared(tuned_for: int, alpha: float) -> float:
    """Equation 161."""
    return (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / tuned_for


def _half_width(estimate: Estimate, tuned_for: int, alpha: float) -> float:
    """Equation 9, where sigma squared over n is the estimate's own squared error."""
    spread = estimate.people * _rho_squared(tuned_for, alpha)
    return estimate.se * math.sqrt(2 * (spread + 1) / spread * math.log(math.sqrt(spread + 1) / alpha))


def _p(estimate: Estimate, tuned_for: int, alpha: float) -> float:
    """One over the evidence of equation 155, at most 1."""
    spread = estimate.people * _rho_squared(tuned_for, alpha)
    squared = (estimate.value / estimate.se) ** 2
    log_evidence = squared * spread / (2 * (spread + 1)) - math.log(spread + 1) / 2
    return math.exp(-max(0.0, log_evidence))
