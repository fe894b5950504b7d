"""`concierge lift`: did it pay? Assisted people against held-out ones, in one sentence first and in numbers below."""

from pathlib import Path
from typing import Annotated, Any

import typer

from console.command import MISUSE, NO, complain, refusing

FromCsv = Annotated[
    Path | None,
    typer.Option("--from-csv", help="Customers in a table: person, arm, orders, gross, discount, cost, any pre_*."),
]
Plan = Annotated[
    float | None,
    typer.Option("--plan", help="Before the start: the conversion of people left alone, such as 0.08."),
]
HoldoutShare = Annotated[
    float | None,
    typer.Option("--holdout", help="The share held out, as it was meant. (of a table: default not checked)"),
]
Detect = Annotated[float, typer.Option("--detect", help="The smallest relative lift that matters.")]
Goals = Annotated[str | None, typer.Option("--goals", help="Metrics that Holm's correction is over. (default: all)")]
MarginRate = Annotated[
    float | None, typer.Option("--margin-rate", help="Margin as a share of revenue, where costs are unknown.")
]
Winsorise = Annotated[
    float | None, typer.Option("--winsorise", help="Cut money per person at this quantile of both arms, such as 0.99.")
]
TunedFor = Annotated[int, typer.Option("--tuned-for", help="People at which the confidence sequence is tightest.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")]


def lift(
    from_csv: FromCsv = None,
    plan: Plan = None,
    holdout: HoldoutShare = None,
    detect: Detect = 0.1,
    goals: Goals = None,
    margin_rate: MarginRate = None,
    winsorise: Winsorise = None,
    tuned_for: TunedFor = 5000,
    json: AsJson = False,
) -> None:
    """Did it pay? Assisted people against held-out ones.

    Exit code 1 when the answer is no: it cost, made no difference, or the numbers are not to be trusted.

    Example: concierge lift --from-csv customers.csv --holdout 0.1
    Before the start: concierge lift --plan 0.08 --holdout 0.1
    """
    _check(holdout, detect, margin_rate, winsorise, tuned_for)
    if plan is not None:
        _plan(plan, 0.1 if holdout is None else holdout, detect, json)
        return
    if from_csv is None:
        complain("Missing option '--from-csv' (or '--plan'). Try `concierge lift --help`.")
        raise typer.Exit(MISUSE)
    from backtests import lift as lifts
    from backtests.customers import CustomersError
    from backtests.customers import from_csv as read
    from backtests.verdicts import NO as ANSWERS_OF_NO

    asked = lifts.Asked(_goals(goals), detect, holdout, margin_rate, winsorise, tuned_for)
    with refusing(CustomersError):
        customers = read(from_csv)
    told = lifts.lift(customers.holdout, customers.assisted, asked)
    told["left_out"] = {"both_arms": customers.both_arms}
    told["ignored_columns"] = list(customers.ignored)
    _tell(told, json)
    if told["answer"] in ANSWERS_OF_NO:
        raise typer.Exit(NO)


def _check(
    holdout: float | None, detect: float, margin_rate: float | None, winsorise: float | None, tuned_for: int
) -> None:
    refusals = {
        "--holdout: a share between 0 and 1, such as 0.1": holdout is not None and not 0 < holdout < 1,
        "--detect: a relative lift above 0, such as 0.1": not detect > 0,
        "--margin-rate: a share of revenue up to 1, such as 0.6": margin_rate is not None and not -1 < margin_rate <= 1,
        "--winsorise: a quantile above 0 and up to 1, such as 0.99": winsorise is not None and not 0 < winsorise <= 1,
        "--tuned-for: a number of people, such as 5000": tuned_for < 1,
    }
    for sentence, wrong in refusals.items():
        if wrong:
            complain(sentence)
            raise typer.Exit(MISUSE)


def _goals(names: str | None) -> tuple[Any, ...]:
    from backtests.metrics import NAMES

    if names is None:
        return NAMES
    chosen = tuple(name.strip() for name in names.split(","))
    if not set(chosen) <= set(NAMES):
        complain(f"--goals: some of {', '.join(NAMES)}, with commas between")
        raise typer.Exit(MISUSE)
    return chosen


def _plan(conversion: float, holdout: float, detect: float, json: bool) -> None:
    import msgspec

    from backtests.plans import people_needed_of_share

    with refusing(ValueError):
        needed = people_needed_of_share(conversion, lift=detect, holdout=holdout)
    if json:
        told = {"conversion": conversion, "holdout": holdout, "detect": detect, "needed": needed}
        typer.echo(msgspec.json.encode(told).decode())
    else:
        typer.echo(
            f"At {holdout:.0%} holdout you need {needed:,} triggered people to see {detect:+.0%} on a conversion of "
            f"{conversion:.1%}."
        )


def _tell(told: dict[str, Any], json: bool) -> None:
    import msgspec

    from console.lift_picture import picture

    if json:
        typer.echo(msgspec.json.encode(told).decode())
    else:
        picture(told)
