"""Verdicts: did it pay? One sentence that a marketer can act on, and its answer as a word.

It is said that it paid, or that it cost, only where each arm has people enough for a confidence sequence and that has left
zero, so looking each week is fair.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from backtests.metrics import Name
from backtests.plans import weeks_to_go
from backtests.sequences import STARTS_AT_PEOPLE

Answer = Literal["paid", "cost", "no_difference", "not_enough_people", "split_broken", "nobody"]
NO: frozenset[Answer] = frozenset({"cost", "no_difference", "split_broken", "nobody"})

WORDS: Mapping[str, str] = {
    "conversion": "conversion",
    "revenue_per_customer": "revenue per customer",
    "aov": "average order value",
    "discount_rate": "discount rate",
    "margin": "margin per customer",
}


class Evidence(NamedTuple):
    """The metric that the sentence is about: its lift per person, the sequence's interval, the relative lift if any.

    fewest: people of the smaller arm.
    """

    metric: Name
    lift: float
    low: float
    high: float
    relative: float | None
    assisted: int
    fewest: int


def verdict(
    evidence: Evidence | None, plan: Mapping[str, Any] | None, *, broken: Sequence[str], splits: Mapping[str, Any]
) -> tuple[Answer, str]:
    """plan, splits: as lift tells them. broken: the splits whose alarm rang; then nothing else is said."""
    if broken:
        split = splits[broken[0]]
        return "split_broken", (
            f"These numbers are not to be trusted: {split['holdout']} held out and {split['assisted']} assisted people "
            f"are not the split that was meant ({split['meant_share']:.0%} held out); find out who is missing first."
        )
    if evidence is None:
        return "nobody", "Nothing can be said: it takes people in both arms whose outcome differs."
    if evidence.fewest >= STARTS_AT_PEOPLE and (evidence.low > 0 or evidence.high < 0):
        return _decided(evidence)
    return _undecided(evidence, plan)


def _decided(evidence: Evidence) -> tuple[Answer, str]:
    better = evidence.low > 0
    per_cent = "" if evidence.relative is None else f" ({evidence.relative:+.1%})"
    span = f"between {shown(evidence, evidence.low)} and {shown(evidence, evidence.high)}"
    sentence = (
        f"It {'paid' if better else 'did not pay'}: among assisted people {WORDS[evidence.metric]} was "
        f"{shown(evidence, abs(evidence.lift))[1:]} {'higher' if better else 'lower'} than among held-out ones{per_cent}, "
        f"{span}"
    )
    if evidence.metric != "conversion":
        sentence += f"; {evidence.lift * evidence.assisted:+,.0f} in all"
    return "paid" if better else "cost", sentence + "."


def _undecided(evidence: Evidence, plan: Mapping[str, Any] | None) -> tuple[Answer, str]:
    words = WORDS[evidence.metric]
    if plan is None:
        return "not_enough_people", (
            f"Not enough people yet: the {words} of the held-out is too uncertain to say how many it takes."
        )
    people, needed, per_week = plan["people"], plan["needed"], plan["per_week"]
    so_far = f"{people:,} of {needed:,} people that it takes to see {plan['detect']:+.0%} {words}"
    if people >= needed and evidence.fewest < STARTS_AT_PEOPLE:
        return "not_enough_people", (
            f"Not enough people yet: the smaller arm has {evidence.fewest:,} of the {STARTS_AT_PEOPLE} that it takes to say "
            "anything."
        )
    if people >= needed:
        return "no_difference", (
            f"No difference was seen in {words}: it lies between {shown(evidence, evidence.low)} and "
            f"{shown(evidence, evidence.high)} per person, with {people:,} people, where {needed:,} show {plan['detect']:+.0%}."
        )
    weeks = None if per_week is None else weeks_to_go(people, needed, per_week=per_week)
    if weeks is None:
        return "not_enough_people", f"Not enough people yet: {so_far}, {needed - people:,} to go."
    return "not_enough_people", (
        f"Not enough people yet: {weeks:,} week{'' if weeks == 1 else 's'} to go ({so_far}, {per_week:,.0f} a week)."
    )


def shown(evidence: Evidence, value: float) -> str:
    """With its sign: money with two places, a share in points."""
    return f"{value * 100:+.2f} points" if evidence.metric == "conversion" else f"{value:+,.2f}"
