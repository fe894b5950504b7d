"""An experiment looked at afterwards: the decisions that were made, held against what people then bought.

`experiment` replays the history once to learn who is who and who bought what; whom it compares, it takes from the decisions
alone. It sends nothing and writes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from backtests.balance import balance_of
from backtests.customers import Group
from backtests.estimates import Refused
from backtests.ledger import Ledger
from backtests.lift import Asked, estimate_told, lift, split_told
from backtests.logs import from_outside
from backtests.metrics import Name, compare
from backtests.outcomes import Outcomes, Span, outcomes
from backtests.replay import replay
from contracts import decisions
from contracts.decisions import Decision
from contracts.instant import DAY_MS, to_rfc3339
from contracts.policy import Policy
from contracts.signals import PersonSignal, Ruled, Signal
from contracts.versions import NewerRecord
from streams.partition import Partition
from streams.person import Person

WEEK_MS = 7 * DAY_MS
WEEKS_MAX = 520  # ten years of looks; a longer span is a mistaken date


class DecisionsError(ValueError):
    """Decisions that cannot be read; `str()` says where and what to do."""


def read_decisions(path: Path) -> Iterator[Decision]:
    """Of a `decisions.jsonl`, or of the folder that holds it. DecisionsError where it is none."""
    file_path = path / "decisions.jsonl" if path.is_dir() else path
    try:
        with file_path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield decisions.decode(line)
                except (msgspec.DecodeError, NewerRecord):
                    raise DecisionsError(
                        f"{file_path}, line {number}: is no decision; name the decisions.jsonl of a backtest"
                    ) from None
    except OSError as error:
        raise DecisionsError(
            f"{file_path}: cannot be read ({error.strerror or error}); name the folder of a backtest"
        ) from None


def experiment(
    history: Iterable[Signal], made: Iterable[Decision], policy: Policy, span: Span, asked: Asked
) -> dict[str, Any]:
    """What `lift` tells of the triggered, with `intention_to_treat`, `looks` week by week, and who was left out.

    history: in order of acceptance; of a log, what the worker itself wrote into it is left out, since a replay makes it
    anew. made: in any order. OutcomesError where they do not belong together.
    """
    people: dict[str, Person] = {}
    ledger = Ledger(policy, Partition(policy, people), people)
    for _ in replay(_from_outside(history), ledger):
        pass
    made = list(made)
    found = outcomes(made, ledger, policy, span)
    splits = {
        "triggered": _split(found.holdout.group, found.assisted.group, found.chances, policy),
        "assigned": _split(*found.everybody, found.everybodys_chances, policy),
    }
    answer = lift(found.holdout.group, found.assisted.group, asked, splits=splits, per_week=_per_week(found, span))
    intended = lift(*found.everybody, asked, splits={}, per_week=None)
    return {
        **answer,
        "from": to_rfc3339(span.from_ms),
        "to": to_rfc3339(span.to_ms),
        "window_days": span.window_ms / DAY_MS,
        "policy": policy.hash,
        "currency": policy.currency,
        "intention_to_treat": {name: intended[name] for name in ("people", "metrics", "refused")},
        "audiences": _audiences(made, ledger, policy, span, asked),
        "looks": _looks(found, span, asked, answer["primary"]),
        "left_out": {"window_still_open": found.open, "keys_in_both_arms": found.both_arms, "erased": found.gone},
        "orders_of_unknown_value": found.valueless,
        "contamination": {
            "holdout": found.holdout.group.people,
            "agent_wrote_first": found.written_to["agent"],
            "message_sent": found.written_to["message"],
        },
    }


def _audiences(
    made: Sequence[Decision], ledger: Ledger, policy: Policy, span: Span, asked: Asked
) -> dict[str, dict[str, Any]]:
    """Each audience as if it were the only one: a person's first moment of it opens the window.

    A person may stand in several of them, and of many answers one may be chance: what decides is the answer over all.
    """
    told: dict[str, dict[str, Any]] = {}
    for name in sorted({decision.audience for decision in made}):
        found = outcomes([decision for decision in made if decision.audience == name], ledger, policy, span)
        if not found.triggered:
            continue
        splits = {"triggered": _split(found.holdout.group, found.assisted.group, found.chances, policy)}
        answer = lift(found.holdout.group, found.assisted.group, asked, splits=splits, per_week=_per_week(found, span))
        told[name] = {part: answer[part] for part in ("answer", "sentence", "people", "metrics", "refused", "splits")}
    return told


def _per_week(found: Outcomes, span: Span) -> float:
    return found.triggered / max(1.0, (min(span.to_ms, found.end_ms) - span.from_ms) / WEEK_MS)


def _from_outside(history: Iterable[Signal]) -> Iterator[PersonSignal | Ruled]:
    for signal in history:
        if isinstance(signal, Ruled) or from_outside(signal):
            yield signal


def _split(holdout: Group, assisted: Group, chances: tuple[float, ...], policy: Policy) -> dict[str, Any]:
    meant = sum(chances) / len(chances) if chances else policy.holdout.share
    return split_told(holdout.people, assisted.people, meant, balance_of(holdout.people, chances))


def _looks(found: Outcomes, span: Span, asked: Asked, primary: Name | None) -> list[dict[str, Any]]:
    """The primary metric's absolute lift at the end of each week, of those whose windows were closed by then."""
    looks: list[dict[str, Any]] = []
    if primary is None:
        return looks
    at_ms = span.from_ms + WEEK_MS
    while at_ms <= found.end_ms and len(looks) < WEEKS_MAX:
        held, rest = found.holdout.until(at_ms), found.assisted.until(at_ms)
        if looks and looks[-1]["people"] == held.people + rest.people == found.holdout.group.people + (
            found.assisted.group.people
        ):
            break  # all windows are closed
        looks.append(
            {
                "at": to_rfc3339(at_ms),
                "people": held.people + rest.people,
                "absolute": _look(held, rest, asked, primary),
            }
        )
        at_ms += WEEK_MS
    return looks


def _look(holdout: Group, assisted: Group, asked: Asked, primary: Name) -> dict[str, Any] | None:
    try:
        compared = compare(primary, holdout, assisted, margin_rate=asked.margin_rate, quantile=asked.quantile)
    except Refused:
        return None
    return None if isinstance(compared.absolute, str) else estimate_told(compared.absolute, asked.tuned_for)
