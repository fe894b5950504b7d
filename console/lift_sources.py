"""Where the decisions of a lift are read from: a file of them, or what production wrote beside the log that is asked about."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from console.inputs import settings_of

if TYPE_CHECKING:
    from contracts.decisions import Decision
    from contracts.logged import Logged


def made(source: str, decisions: Path | None, rejected: Counter[str]) -> "list[Decision]":
    """rejected: counts records that are no decision. DecisionsError, NewerRecord, and what reading an input may refuse."""
    from agents import kafka_log
    from backtests import archive
    from backtests.experiment import DecisionsError, read_decisions
    from contracts.topics import DECISIONS

    if decisions is not None:
        return list(read_decisions(decisions))
    if archive.is_archive(Path(source)):
        return list(_decoded(archive.records(Path(source) / DECISIONS.name), rejected))
    if source.startswith(kafka_log.SCHEME):
        return list(_decoded(_of_topic(source), rejected))
    raise DecisionsError(
        f"{source}: tells no decisions; name them with --decisions, such as the folder of its backtest"
    )


def _of_topic(source: str) -> "Iterable[Logged]":
    """Of the topic that stands beside the log's, with the same prefix where that is a mirror."""
    from agents import kafka_log
    from backtests import logs
    from backtests.experiment import DecisionsError
    from contracts.topics import DECISIONS, SIGNALS

    try:
        address = kafka_log.address(source)
    except kafka_log.AddressError as error:
        raise DecisionsError(f"INPUT: {error}") from None
    if not logs.holds_signals(address.topic):
        raise DecisionsError(f"{address.topic}: has no decisions beside it; name them with --decisions")
    beside = address.topic.removesuffix(SIGNALS.name) + DECISIONS.name
    return kafka_log.read(settings_of(address.bootstrap), beside)


def _decoded(records: "Iterable[Logged]", rejected: Counter[str]) -> "Iterator[Decision]":
    from contracts import decisions

    for record in records:
        try:
            yield decisions.decode(record.value)
        except msgspec.DecodeError:
            rejected["not_a_decision"] += 1
