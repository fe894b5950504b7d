"""`concierge lift`: did it pay? Assisted people against held-out ones, in one sentence first and in numbers below."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.command import MISUSE, NO, complain, refusing
from console.inputs import instant, opened, own_log, reader, refusals, settings_of
from console.policy import PolicyFile, shipped
from console.progress import bars

if TYPE_CHECKING:
    from backtests.lift import Asked

PEOPLE_MAX = 10**12  # more than there are

Source = Annotated[
    str | None,
    typer.Argument(
        metavar="[INPUT]", help="A history, as `concierge backtest` reads them. (default: the workers' own Kafka)"
    ),
]
Decisions = Annotated[
    Path | None,
    typer.Option(
        "--decisions",
        help="What was decided: decisions.jsonl, or the folder of a backtest. (of a log or archive: what stands beside it)",
    ),
]
From = Annotated[str | None, typer.Option("--from", help="Moments from this instant on, included.")]
To = Annotated[str | None, typer.Option("--to", help="Moments up to this instant, not included.")]
Window = Annotated[str, typer.Option("--window", help="How long after the moment orders count.")]
Before = Annotated[str, typer.Option("--before", help="How long before it orders serve to take noise off (CUPED).")]
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
Picture = Annotated[Path | None, typer.Option("--picture", help="Also write the numbers as one SVG file.")]
Html = Annotated[Path | None, typer.Option("--html", help="Also write one page with pictures; it needs no network.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")]


def lift(
    source: Source = None,
    decisions: Decisions = None,
    from_: From = None,
    to: To = None,
    window: Window = "14d",
    before: Before = "28d",
    policy: PolicyFile = None,
    from_csv: FromCsv = None,
    plan: Plan = None,
    holdout: HoldoutShare = None,
    detect: Detect = 0.1,
    goals: Goals = None,
    margin_rate: MarginRate = None,
    winsorise: Winsorise = None,
    tuned_for: TunedFor = 5000,
    picture: Picture = None,
    html: Html = None,
    json: AsJson = False,
) -> None:
    """Did it pay? Assisted people against those held out, who would have had the same moment.

    Exit code 1 when the answer is no: it cost, made no difference, or the numbers are not to be trusted.

    Example: concierge lift events.jsonl --decisions result/ --from 2019-10-01T00:00:00Z --to 2019-11-01T00:00:00Z
    Production's own log: concierge lift --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z
    Customers in a table, and a page of it: concierge lift --from-csv customers.csv --holdout 0.1 --html lift.html
    Before the start: concierge lift --plan 0.08 --holdout 0.1
    """
    _check(holdout, detect, margin_rate, winsorise, tuned_for)
    of_history = {"INPUT": source, "--decisions": decisions, "--from": from_, "--to": to}
    if plan is not None:
        _alone("--plan", {**of_history, "--from-csv": from_csv, "--policy": policy})
        _plan(plan, 0.1 if holdout is None else holdout, detect, json)
        return
    from backtests.lift import Asked
    from backtests.verdicts import NO as ANSWERS_OF_NO

    asked = Asked(_goals(goals), detect, margin_rate, winsorise, tuned_for)
    if from_csv is not None:
        _alone("--from-csv", of_history)
        told = _of_table(from_csv, policy, holdout, asked)
    elif from_ is not None and to is not None:
        with refusing(ValueError):
            span = (
                instant("--from", from_),
                instant("--to", to),
                _length("--window", window),
                _length("--before", before),
            )
            if span[0] >= span[1]:
                raise ValueError("--to: must be later than --from")
        told = _of_history(source, decisions, policy, span, asked)
    else:
        complain("Missing '--from' and '--to' (or '--from-csv', or '--plan'). Try `concierge lift --help`.")
        raise typer.Exit(MISUSE)
    _write(told, picture, html)
    _tell(told, json)
    if told["answer"] in ANSWERS_OF_NO:
        raise typer.Exit(NO)


def _of_table(table: Path, policy: Path | None, holdout: float | None, asked: "Asked") -> dict[str, Any]:
    from backtests.balance import balance
    from backtests.customers import CustomersError, from_csv
    from backtests.lift import lift, split_told
    from contracts.policy import PolicyError, load

    with refusing(CustomersError, PolicyError):
        customers = from_csv(table)
        if policy is not None and asked.margin_rate is None:
            asked = asked._replace(margin_rate=load(policy).margin_rate)
    held, rest = customers.holdout.people, customers.assisted.people
    splits = {}
    if holdout is not None:
        splits["triggered"] = split_told(held, rest, holdout, balance((held, rest), (holdout, 1 - holdout)))
    told = lift(customers.holdout, customers.assisted, asked, splits=splits, per_week=None)
    told["left_out"] = {"both_arms": customers.both_arms}
    told["ignored_columns"] = list(customers.ignored)
    return told


def _of_history(
    source: str | None, decisions: Path | None, policy: Path | None, span: tuple[int, int, int, int], asked: "Asked"
) -> dict[str, Any]:
    import os
    from collections import Counter

    from backtests.experiment import DecisionsError, experiment
    from backtests.outcomes import OutcomesError, Span
    from console.lift_sources import made
    from contracts.policy import PolicyError, load
    from contracts.versions import NewerRecord

    rejected: Counter[str] = Counter()
    with refusing(PolicyError, DecisionsError, OutcomesError, NewerRecord, *refusals()):
        if source is None:
            source, policy = (
                own_log(settings_of(None)),
                policy or Path(os.environ.get("CONCIERGE_POLICY_FILE") or shipped()),
            )
        rules, read = load(policy or shipped()), reader(source)
        decided = made(source, decisions, rejected)
        if asked.margin_rate is None:
            asked = asked._replace(margin_rate=rules.margin_rate)
        with bars("reading") as (reading,), opened(read, reading) as history:
            told = experiment(history.signals(), decided, rules, Span(*span), asked)
    told["rejected"] = dict(sorted((history.rejected + rejected).items()))
    return told


def _length(option: str, text: str) -> int:
    from contracts.policy_values import span_ms

    try:
        length_ms = span_ms(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
    if length_ms <= 0:
        raise ValueError(f"{option}: write a duration such as 14d")
    return length_ms


def _check(
    holdout: float | None, detect: float, margin_rate: float | None, winsorise: float | None, tuned_for: int
) -> None:
    refusals = {
        "--holdout: a share between 0 and 1, such as 0.1": holdout is not None and not 0 < holdout < 1,
        "--detect: a relative lift from 0.0001 to 100, such as 0.1": not 0.0001 <= detect <= 100,
        "--margin-rate: a share of revenue up to 1, such as 0.6": margin_rate is not None and not -1 < margin_rate <= 1,
        "--winsorise: a quantile above 0 and up to 1, such as 0.99": winsorise is not None and not 0 < winsorise <= 1,
        "--tuned-for: a number of people, such as 5000": not 1 <= tuned_for <= PEOPLE_MAX,
    }
    for sentence, wrong in refusals.items():
        if wrong:
            complain(sentence)
            raise typer.Exit(MISUSE)


def _alone(option: str, others: dict[str, Any]) -> None:
    """What would be passed over in silence is refused."""
    named = [name for name, value in others.items() if value is not None]
    if named:
        complain(f"{option}: reads nothing else; leave out {', '.join(named)}")
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


def _write(told: dict[str, Any], picture: Path | None, html: Path | None) -> None:
    from console.lift_page import page
    from console.lift_picture import svg

    for option, path, draw in (("--picture", picture, svg), ("--html", html, page)):
        if path is None:
            continue
        try:
            path.write_text(draw(told), encoding="utf-8")
        except OSError as error:
            complain(f"{path}: cannot be written ({error.strerror or error}); choose another {option}")
            raise typer.Exit(MISUSE) from None


def _tell(told: dict[str, Any], json: bool) -> None:
    import msgspec

    from console.lift_picture import picture

    if json:
        typer.echo(msgspec.json.encode(told).decode())
    else:
        picture(told)
