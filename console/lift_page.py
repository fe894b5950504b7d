"""A lift as one HTML page: the sentence, pictures, then the numbers; no script, nothing fetched, so that it can be mailed."""

from collections.abc import Mapping
from typing import Any

from backtests.plans import weeks_to_go
from backtests.sequences import STARTS_AT_PEOPLE
from backtests.verdicts import WORDS, Answer
from console.lift_plot import Bar, Plot, Unit, plot
from console.lift_words import SHARES, adjusted, always, change, p, per_cent, remarks, span, split_state, value, weeks
from console.page import page as rendered

ANSWERS: Mapping[Answer, tuple[str, str]] = {  # in a word, and its colour
    "paid": ("Yes, it paid", "good"),
    "cost": ("No, it cost", "bad"),
    "no_difference": ("No difference", "warn"),
    "not_enough_people": ("Too early to say", "warn"),
    "split_broken": ("Not to be trusted", "bad"),
    "nobody": ("Nothing can be said", "warn"),
}
PER_CENT = Unit(per_cent, 100, "%")
Cells = list[list[str]]


def page(told: dict[str, Any]) -> str:
    """told: what `lift` tells, of a history or of a table."""
    answer, tone = ANSWERS[told["answer"]]
    return rendered(
        "lift.html.j2",
        told=told,
        starts_at=STARTS_AT_PEOPLE,
        answer=answer,
        tone=tone,
        origin=_origin(told),
        to_go=_to_go(told),
        alarms=[f"Split of the {name}: {split_state(split)}." for name, split in told["splits"].items() if split["alarm"]],
        metrics=plot([_bar(name, metric) for name, metric in told["metrics"].items()], PER_CENT),
        audiences=_audiences(told),
        weeks=_weeks(told),
        primary=WORDS.get(told["primary"], ""),
        unit="in points" if told["primary"] in SHARES else told.get("currency", "a person"),
        tables=_tables(told),
        splits=_splits(told),
        remarks=list(remarks(told)),
    )  # fmt: skip


def _origin(told: dict[str, Any]) -> str:
    people = told["people"]
    said = f"{people['assisted']:,} assisted and {people['holdout']:,} held-out people"
    if "from" not in told:
        return f"{said}, from a table"
    return (
        f"{said} who had their first moment from {told['from'][:10]} on and before {told['to'][:16].replace('T', ' ')} "
        f"(UTC); orders of the {told['window_days']:g} days after it; policy {told['policy']}"
    )


def _to_go(told: dict[str, Any]) -> dict[str, Any] | None:
    """How far it is to an answer, where people are all that lacks."""
    plan = told["plan"]
    if told["answer"] != "not_enough_people" or plan is None:
        return None
    people, needed = plan["people"], plan["needed"]
    to_go = None if plan["per_week"] is None else weeks_to_go(people, needed, per_week=plan["per_week"])
    weeks_left = "" if to_go is None else f", {to_go:,} week{'' if to_go == 1 else 's'} to go"
    return {"people": people, "needed": needed, "said": f"{people:,} of {needed:,} people{weeks_left}"}


def _bar(name: str, metric: dict[str, Any]) -> Bar:
    note = "lower is better" if metric["lower_is_better"] else ""
    return Bar(WORDS[name], note, metric["relative"], metric.get("relative_refused", ""))


def _audiences(told: dict[str, Any]) -> Plot | None:
    bars = []
    for name, audience in told.get("audiences", {}).items():
        people = audience["people"]
        metric = audience["metrics"].get(told["primary"])
        refused = audience["sentence"] if metric is None else metric.get("relative_refused", "")
        note = f"{people['assisted']:,} to {people['holdout']:,}"
        bars.append(Bar(name, note, None if metric is None else metric["relative"], refused))
    return plot(bars, PER_CENT)


def _weeks(told: dict[str, Any]) -> Plot | None:
    name = told["primary"]
    bars = [Bar(look["at"][:10], f"{look['people']:,} people", look["absolute"]) for look in weeks(told)]
    return plot(bars, Unit(lambda number: change(name, number), 100 if name in SHARES else 1, ""))


def _tables(told: dict[str, Any]) -> list[tuple[str, str, list[str], Cells]]:
    """What is said above each, its name, its headings and its rows."""
    metrics = told["metrics"]
    heads = ["metric", "held out", "assisted", "lift", "95 % of a single look", "95 % at any look", "p", "p (Holm)"]
    tables = [
        (
            "In per cent of the held-out.",
            "Relative lift",
            [*heads, "better by a chance of"],
            [[*_levels(name, metric), *_relative(metric)] for name, metric in metrics.items()],
        ),
        (
            f"In the metric's own unit; money in {told['currency']}." if "currency" in told else "In the metric's own unit.",
            "Absolute lift",
            [*heads[:1], *heads[3:]],
            [[WORDS[name], *_absolute(name, metric)] for name, metric in metrics.items()],
        ),
    ]  # fmt: skip
    if adjusted(told):
        tables.append(
            (
                "Freed of what people did before (CUPED), so a lift above is not the difference of its columns. Without it:",
                "Lift without CUPED",
                ["metric", "theta", "lift", "95 % of a single look", "p"],
                [_unadjusted(name, metric) for name, metric in metrics.items() if metric["theta"]],
            )
        )
    if "intention_to_treat" in told:
        intended = told["intention_to_treat"]
        people = intended["people"]
        tables.append(
            (
                f"Everybody, whether or not a moment came (intention to treat): {people['assisted']:,} assisted, "
                f"{people['holdout']:,} held out.",
                "Intention to treat",
                [*heads, "better by a chance of"],
                [[*_levels(name, metric), *_relative(metric)] for name, metric in intended["metrics"].items()],
            )
        )
    return [table for table in tables if table[3]]


def _levels(name: str, metric: dict[str, Any]) -> list[str]:
    return [WORDS[name], value(name, metric["holdout"]["value"]), value(name, metric["assisted"]["value"])]


def _relative(metric: dict[str, Any]) -> list[str]:
    lift = metric["relative"]
    if lift is None:
        return [metric["relative_refused"]]
    chance = metric["chance_to_win"]
    return [
        per_cent(lift["value"]),
        span(lift, per_cent),
        always(lift["sequence"], per_cent),
        p(lift["p"]),
        p(lift["p_holm"]),
        "-" if chance is None else f"{chance:.1%}",
    ]


def _absolute(name: str, metric: dict[str, Any]) -> list[str]:
    lift = metric["absolute"]
    if lift is None:
        return [metric["absolute_refused"]]

    def say(number: float) -> str:
        return change(name, number)

    return [say(lift["value"]), span(lift, say), always(lift["sequence"], say), p(lift["p"]), p(lift["p_holm"])]


def _unadjusted(name: str, metric: dict[str, Any]) -> list[str]:
    lift = metric["unadjusted"]["relative"]
    told = ["-", "-", "-"] if lift is None else [per_cent(lift["value"]), span(lift, per_cent), p(lift["p"])]
    return [WORDS[name], f"{metric['theta']:.4f}", *told]


def _splits(told: dict[str, Any]) -> Cells:
    rows = []
    for name, split in told["splits"].items():
        counts = [f"{split['assisted']:,}", f"{split['holdout']:,}", f"{split['meant_share']:.1%}"]
        rows.append([name, *counts, p(split["p"]), split_state(split)])
    return rows
