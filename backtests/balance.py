"""Balance: whether the arms hold as many people as they were meant to; where they do not, no number below is to be trusted."""

from collections.abc import Sequence
from typing import NamedTuple

from scipy import special

ALARM_BELOW = 0.001  # one false alarm in a thousand looks; a real mismatch goes far below


class Balance(NamedTuple):
    """p: of a split at least as uneven, by chi-squared. alarm: the split is broken."""

    p: float
    alarm: bool


def balance_of(holdout: int, chances: Sequence[float]) -> Balance:
    """holdout: how many of these people are held out; chances: how likely each was to be. Equal chances give `balance`.

    People with several keys have chances of their own: they stay only where all of their keys fell into one arm.
    """
    spread = sum(chance * (1 - chance) for chance in chances)
    if spread == 0:
        return Balance(1.0, False)
    p = float(special.chdtrc(1, (holdout - sum(chances)) ** 2 / spread))
    return Balance(p, p < ALARM_BELOW)


def balance(counts: Sequence[int], weights: Sequence[float]) -> Balance:
    """counts: people per arm; weights: what each arm was meant to get, in any unit. An arm of weight zero is left out.

    With fewer than two arms, or nobody, nothing can be uneven: p is 1. ValueError where a weight is negative.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight is negative; weights are shares, such as 0.9 and 0.1")
    arms = [(count, weight) for count, weight in zip(counts, weights, strict=True) if weight > 0]
    people = sum(count for count, _ in arms)
    if len(arms) < 2 or people == 0:
        return Balance(1.0, False)
    whole = sum(weight for _, weight in arms)
    expected = [people * weight / whole for _, weight in arms]
    squared = sum((count - meant) ** 2 / meant for (count, _), meant in zip(arms, expected, strict=True))
    p = float(special.chdtrc(len(arms) - 1, squared))
    return Balance(p, p < ALARM_BELOW)
