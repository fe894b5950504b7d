"""Plans: how many people a comparison needs before it can show a lift of a given size, and how long that takes."""

import math

from scipy import special

from backtests.estimates import ALPHA

POWER = 0.8  # the usual one: of five true lifts of that size, four are seen


def people_needed(
    baseline: float,
    variance: float,
    *,
    lift: float,
    holdout: float,
    lifted_variance: float | None = None,
    alpha: float = ALPHA,
    power: float = POWER,
) -> int:
    """People in both arms together, for a single two-sided look at the end.

    baseline, variance: of the metric per held-out person. lift: relative, such as 0.1. holdout: share, in (0, 1).
    lifted_variance: of the assisted, where it follows from the lift. ValueError where that is no plan.
    """
    if not 0 < holdout < 1:
        raise ValueError(
            "the holdout must be between 0 and 1, such as 0.1; with all in one arm nothing can be compared"
        )
    squared = (baseline * lift) ** 2
    if squared == 0:
        raise ValueError("baseline and lift must both differ from 0, or there is nothing to see")
    reach = float(special.ndtri(1 - alpha / 2) + special.ndtri(power))
    lifted = variance if lifted_variance is None else lifted_variance
    return round(reach**2 * (variance / holdout + lifted / (1 - holdout)) / squared)


def people_needed_of_share(baseline: float, *, lift: float, holdout: float) -> int:
    """The same of a share of people, such as a conversion: its variance follows from it. ValueError likewise."""
    lifted = baseline * (1 + lift)
    if not (0 < baseline < 1 and 0 < lifted < 1):
        raise ValueError("the baseline and what the lift makes of it must be between 0 and 1, such as 0.08")
    return people_needed(
        baseline, baseline * (1 - baseline), lift=lift, holdout=holdout, lifted_variance=lifted * (1 - lifted)
    )


def weeks_to_go(people: int, needed: int, *, per_week: float) -> int | None:
    """Whole weeks until `needed` are there, 0 when they are; None where nobody comes."""
    if people >= needed:
        return 0
    return math.ceil((needed - people) / per_week) if per_week > 0 else None
