"""The words of a lift: its numbers and remarks as the terminal and the page both say them."""

from collections.abc import Callable, Iterator
from typing import Any

from backtests.verdicts import WORDS

SHARES = ("conversion", "discount_rate")
UNIT = " points"  # of a difference of shares
WEEKS_SHOWN = 16  # a screen of them; all are in the JSON


def value(name: str, number: float) -> str:
    """Of a metric, in its own unit: a share in per cent, all else with two places."""
    return f"{number:.2%}" if name in SHARES else f"{number:,.2f}"


def change(name: str, number: float) -> str:
    """The same of a difference, with its sign; of shares in points."""
    return f"{number * 100:+z.2f}{UNIT}" if name in SHARES else f"{number:+z,.2f}"


def per_cent(number: float) -> str:
    return f"{number:+z.1%}"


def span(interval: dict[str, Any], say: Callable[[float], str]) -> str:
    """interval: anything with `low` and `high`."""
    return f"{say(interval['low'])} .. {say(interval['high'])}"


def always(sequence: dict[str, Any], say: Callable[[float], str]) -> str:
    """The interval of any look; of an arm too small for one, that it is so."""
    return "too early" if sequence["early"] else span(sequence, say)


def p(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:.4f}" if number >= 0.0001 else "< 0.0001"


def weeks(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The looks that say something, the newest WEEKS_SHOWN."""
    return [look for look in told.get("looks", ()) if look["absolute"] is not None][-WEEKS_SHOWN:]


def adjusted(told: dict[str, Any]) -> list[str]:
    """The metrics whose lift is not the difference of what the arms show."""
    return [WORDS[name] for name, metric in told["metrics"].items() if metric["theta"]]


def split_state(split: dict[str, Any]) -> str:
    return "ALARM: not the split that was meant" if split["alarm"] else "as meant"


def remarks(told: dict[str, Any]) -> Iterator[str]:
    """What else must be known: who was written to, what cannot be told, who was left out."""
    contamination = told.get("contamination")
    if contamination is not None:
        yield (
            f"Of {contamination['holdout']:,} held-out people, an agent wrote first to "
            f"{contamination['agent_wrote_first']:,} and Customer.io to {contamination['message_sent']:,} within their window."
        )
    for name, why in told["refused"].items():
        yield f"No {WORDS[name]}: {why}."
    for reason, count in told["left_out"].items():
        if count:
            yield f"Left out: {count:,} people ({reason.replace('_', ' ')})."
    if told.get("orders_of_unknown_value"):
        yield f"Orders of unknown value, taken as 0: {told['orders_of_unknown_value']:,}."
    if told.get("ignored_columns"):
        yield f"Columns of the table that say nothing here: {', '.join(told['ignored_columns'])}."
