"""Lift: assisted people against held-out ones in every metric, as plain JSON values, with the answer in one sentence.

Each metric has an absolute and a relative lift: the estimate of a single look, p-values with Holm's correction over the goals,
and the confidence sequence that may be looked at each week. What cannot be said is null, with the reason beside it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from backtests import sequences
from backtests.balance import Balance
from backtests.customers import Group
from backtests.estimates import ALPHA, Estimate, Refused, absolute, relative
from backtests.holm import holm
from backtests.metrics import LOWER_IS_BETTER, NAMES, Compared, Name, compare, tried
from backtests.plans import people_needed
from backtests.sequences import STARTS_AT_PEOPLE, TUNED_FOR_PEOPLE
from backtests.verdicts import Evidence, verdict

PRIMARIES: tuple[Name, ...] = ("margin", "revenue_per_customer", "conversion")


class Asked(NamedTuple):
    """How it is compared. goals: the metrics that Holm's correction is over. detect: the smallest relative lift of interest.

    margin_rate: margin of revenue, where costs are unknown. quantile: where extremes are cut, None: they are not.
    tuned_for: people at which the sequences are tightest.
    """

    goals: Sequence[Name] = NAMES
    detect: float = 0.1
    margin_rate: float | None = None
    quantile: float | None = None
    tuned_for: int = TUNED_FOR_PEOPLE


def lift(
    holdout: Group, assisted: Group, asked: Asked, *, splits: Mapping[str, Any], per_week: float | None
) -> dict[str, Any]:
    """splits: see split_told; the alarm of any outdoes every number. per_week: new people a week, None: unknown."""
    found: dict[Name, Compared] = {}
    refused: dict[str, str] = {}
    for name in NAMES:
        try:
            found[name] = compare(name, holdout, assisted, margin_rate=asked.margin_rate, quantile=asked.quantile)
        except Refused as refusal:
            refused[name] = str(refusal)
    primary = _primary(found)
    people = {"holdout": holdout.people, "assisted": assisted.people}
    share = splits["triggered"]["meant_share"] if "triggered" in splits else None
    plan = _plan(found[primary], people, asked.detect, share, per_week) if primary is not None else None
    evidence = _evidence(found[primary], assisted.people, asked) if primary is not None else None
    broken = [name for name, split in splits.items() if split["alarm"]]
    answer, sentence = verdict(evidence, plan, broken=broken, splits=splits)
    return {
        "answer": answer,
        "sentence": sentence,
        "people": people,
        "splits": dict(splits),
        "primary": primary,
        "plan": plan,
        "metrics": _metrics(found, asked),
        "refused": refused,
    }


def _primary(found: Mapping[Name, Compared]) -> Name | None:
    """What the sentence is about: of what is known, the nearest to profit; what does not vary only where all else does not."""
    known = [name for name in PRIMARIES if name in found]
    return next((name for name in known if not isinstance(found[name].absolute, str)), next(iter(known), None))


def _evidence(compared: Compared, assisted: int, asked: Asked) -> Evidence | None:
    if isinstance(compared.absolute, str):
        return None
    look = sequences.look(compared.absolute, tuned_for=asked.tuned_for)
    share = None if isinstance(compared.relative, str) else compared.relative.value
    return Evidence(
        compared.name, compared.absolute.value, look.low, look.high, share, assisted, compared.absolute.fewest
    )


def split_told(holdout: int, assisted: int, meant_share: float, judged: Balance) -> dict[str, Any]:
    """How people were split, beside the share of the holdout that was meant."""
    return {
        "holdout": holdout, "assisted": assisted, "meant_share": meant_share, "p": judged.p, "alarm": judged.alarm,
    }  # fmt: skip


def _plan(
    compared: Compared, people: dict[str, int], detect: float, share: float | None, per_week: float | None
) -> dict[str, Any] | None:
    """What it takes to see a lift of `detect`, and for a sequence to hold.

    None where the baseline may be zero, so that no share of it says anything.
    """
    total = people["holdout"] + people["assisted"]
    share = people["holdout"] / total if share is None else share
    if isinstance(compared.relative, str) or not 0 < share < 1:
        return None
    baseline, variance = compared.plain[0].raw, compared.adjusted[0].variance
    needed = people_needed(baseline, variance, lift=detect, holdout=share)
    needed = max(needed, math.ceil(STARTS_AT_PEOPLE / min(share, 1 - share)))
    return {"detect": detect, "holdout": share, "people": total, "needed": needed, "per_week": per_week}


def _metrics(found: dict[Name, Compared], asked: Asked) -> dict[str, Any]:
    goals = [name for name in NAMES if name in found and name in asked.goals]
    corrected = {
        kind: _corrected({name: getattr(found[name], kind) for name in goals}) for kind in ("absolute", "relative")
    }
    told: dict[str, Any] = {}
    for name, compared in found.items():
        control, treatment = compared.plain
        entry: dict[str, Any] = {
            "goal": name in goals,
            "lower_is_better": name in LOWER_IS_BETTER,
            "holdout": {"value": control.value, "people": control.n},
            "assisted": {"value": treatment.value, "people": treatment.n},
            "theta": compared.theta,
            "winsorised_at": compared.threshold,
        }
        for kind in ("absolute", "relative"):
            estimate: Estimate | str = getattr(compared, kind)
            entry[kind] = None if isinstance(estimate, str) else estimate_told(estimate, asked.tuned_for)
            if isinstance(estimate, str):
                entry[f"{kind}_refused"] = estimate
            else:
                entry[kind]["p_holm"] = corrected[kind].get(name)
        entry["chance_to_win"] = _chance(compared)
        if compared.theta:
            entry["unadjusted"] = _unadjusted(compared, asked.tuned_for)
        told[name] = entry
    return told


def _unadjusted(compared: Compared, tuned_for: int) -> dict[str, Any]:
    plain = (tried(absolute, compared.plain), tried(relative, compared.plain))
    told = [None if isinstance(estimate, str) else estimate_told(estimate, tuned_for) for estimate in plain]
    return dict(zip(("absolute", "relative"), told, strict=True))


def estimate_told(estimate: Estimate, tuned_for: int) -> dict[str, Any]:
    """An estimate of a single look, and the sequence that holds at any."""
    look = sequences.look(estimate, tuned_for=tuned_for)
    return {
        "value": estimate.value, "se": estimate.se, "low": estimate.low, "high": estimate.high, "p": estimate.p,
        "confidence": 1 - ALPHA,
        "sequence": {"low": look.low, "high": look.high, "p": look.p, "early": look.early, "tuned_for": tuned_for},
    }  # fmt: skip


def _corrected(estimates: dict[Name, Estimate | str]) -> dict[Name, float]:
    ps = {name: estimate.p for name, estimate in estimates.items() if not isinstance(estimate, str)}
    return dict(zip(ps, holm(list(ps.values())), strict=True))


def _chance(compared: Compared) -> float | None:
    """That the assisted do better; from the relative lift, where there is one."""
    estimate = compared.relative if not isinstance(compared.relative, str) else compared.absolute
    if isinstance(estimate, str):
        return None
    return 1 - estimate.above_zero if compared.name in LOWER_IS_BETTER else estimate.above_zero
