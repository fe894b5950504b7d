"""Sweeps: many variants of a policy over one history, on all cores, each to a few numbers that a table can hold."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from backtests.load import load
from backtests.replay import replay
from backtests.tables import Progress, quiet
from backtests.variants import Variant
from contracts import signals
from contracts.instant import from_rfc3339
from contracts.policy import parse
from contracts.signals import PersonSignal
from streams.partition import Partition

LENGTH_BYTES = 4


class Outcome(NamedTuple):
    """entrants: moments that begin, held-out ones too, by audience. people: different ones. ended: by a purchase."""

    values: dict[str, str]
    refusal: str | None
    entrants: int = 0
    people: int = 0
    activated: int = 0
    purchased: int = 0
    per_hour_p95: int = 0
    by_audience: dict[str, int] = {}  # noqa: RUF012  (never changed)


class _Task(NamedTuple):
    variant: Variant
    history: Path
    from_ms: int | None
    until_ms: int | None


def keep(history: Iterable[PersonSignal], path: Path) -> None:
    """Write a history in its order, for the processes of a sweep to read."""
    with path.open("wb") as file:
        for signal in history:
            record = signals.encode(signal)
            file.write(len(record).to_bytes(LENGTH_BYTES, "big") + record)


def kept(path: Path) -> Iterator[PersonSignal]:
    with path.open("rb") as file:
        while head := file.read(LENGTH_BYTES):
            yield signals.decode(file.read(int.from_bytes(head, "big")))  # type: ignore[misc]  # only such were kept


def sweep(
    variants: Sequence[Variant],
    history: Path,
    *,
    from_ms: int | None = None,
    until_ms: int | None = None,
    progress: Progress = quiet,
) -> list[Outcome]:
    """In the order of the variants. history: as `keep` wrote it. from_ms: moments before it are not counted."""
    tasks = [_Task(variant, history, from_ms, until_ms) for variant in variants]
    workers = min(len(tasks), os.cpu_count() or 1)
    if workers <= 1:
        return [one(task) for task in tasks]
    outcomes = []
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for outcome in pool.map(one, tasks):
            outcomes.append(outcome)
            progress(len(outcomes), len(tasks))
    return outcomes


def one(task: _Task) -> Outcome:
    """Runs in a process of its own."""
    if task.variant.text is None:
        return Outcome(task.variant.values, task.variant.refusal)
    policy = parse(task.variant.text, name="variant")
    by_audience = dict.fromkeys(policy.audiences, 0)
    people: set[str] = set()
    shown: list[int] = []
    purchased = 0
    first_ms: int | None = None
    last_ms = 0

    def watched() -> Iterator[PersonSignal]:
        nonlocal first_ms, last_ms
        for signal in kept(task.history):
            first_ms = signal.accepted_ms if first_ms is None else first_ms
            last_ms = signal.accepted_ms
            yield signal

    for effects in replay(watched(), Partition(policy, {}), until_ms=task.until_ms):
        for decision in effects.decisions:
            at_ms = from_rfc3339(decision.at)
            if task.from_ms is not None and at_ms < task.from_ms:
                continue
            if decision.outcome == "activated":
                shown.append(at_ms)
            purchased += decision.reason == "purchased" and decision.outcome == "withdrawn"
            if decision.outcome == "activated" or decision.reason == "holdout":
                by_audience[decision.audience] += 1
                people.add(decision.person)
    begin_ms = max(task.from_ms or 0, first_ms or 0)
    end_ms = task.until_ms if task.until_ms is not None else last_ms
    p95 = load(shown, from_ms=begin_ms, to_ms=max(begin_ms, end_ms))["per_hour_p95"]
    entrants = sum(by_audience.values())
    return Outcome(task.variant.values, None, entrants, len(people), len(shown), purchased, p95, by_audience)


def told(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    return [outcome._asdict() for outcome in outcomes]
