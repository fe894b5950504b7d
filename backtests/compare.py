"""Compares two policies over one history: who enters a moment under one alone, who earlier or later, and what kept them out.

`compare` lets both judge the same signals side by side and asks, whenever one lets somebody in and the other does not, what the
other saw at that instant. It sends nothing. Held-out people count as entrants, since every check before the arm is the same.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from backtests.load import load
from backtests.pairs import KINDS, Pair, pairs
from backtests.side import Side
from backtests.summary import instant
from backtests.traces import Traces
from backtests.why import why
from contracts.instant import DAY_MS, HOUR_MS, MINUTE_MS
from contracts.policy import Policy
from contracts.signals import PersonSignal

SIDES = ("base", "candidate")
MARKS_APART_MS = MINUTE_MS
SILENCE_MS = 30 * DAY_MS  # beyond, an hour is a small step
EXAMPLES_MAX = 3  # of people per audience, kind of difference and reason; with more nobody reads them


class Compared(NamedTuple):
    """told: plain JSON values. differences: one a person and moment, likewise. examples: people worth a look, see `traces`."""

    told: dict[str, Any]
    differences: list[dict[str, Any]]
    examples: list[str]


def compare(
    history: Iterable[PersonSignal],
    base: Policy,
    candidate: Policy,
    *,
    traces: Traces,
    from_ms: int | None = None,
    until_ms: int | None = None,
) -> Compared:
    """history: in order of acceptance. from_ms: entrants before it are left out; what was before makes people known."""
    sides = (Side(base), Side(candidate))
    first_ms: int | None = None
    last_ms: int | None = None
    for signal in history:
        at_ms = signal.accepted_ms
        if until_ms is not None and at_ms > until_ms:
            break
        if last_ms is None or at_ms > last_ms:
            _reach(sides, last_ms, at_ms - 1, traces)
            first_ms, last_ms = (at_ms if first_ms is None else first_ms), at_ms
        for side in sides:
            side.take(signal)
    end_ms = until_ms if until_ms is not None else last_ms
    if end_ms is not None:
        _reach(sides, last_ms, end_ms, traces)
    begin_ms = max(from_ms or 0, first_ms or 0)
    found = [pair for pair in pairs(*sides) if pair.one.at_ms >= begin_ms]
    told = {
        "policies": {name: side.policy.hash for name, side in zip(SIDES, sides, strict=True)},
        "first": instant(first_ms),
        "from": instant(begin_ms if first_ms is not None else None),
        "until": instant(end_ms),
        **_counts(found, base),
        "audiences": _audiences(found, sides),
        "taken": _taken(sides),
        "load": _per_side(sides, lambda side: _load(side, begin_ms, end_ms)),
        "delivery": _per_side(sides, lambda side: side.dry.told()),
    }
    return Compared(told, _differences(found), _examples(found))


def _reach(sides: tuple[Side, Side], from_ms: int | None, to_ms: int, traces: Traces) -> None:
    """Time goes on by small steps, as it does live: what begins and ends within one step is never told to Intercom."""
    if from_ms is not None:
        step_ms = MARKS_APART_MS if to_ms - from_ms <= SILENCE_MS else HOUR_MS
        for at_ms in range(from_ms + step_ms, to_ms, step_ms):
            _reach_one(sides, at_ms, traces)
    _reach_one(sides, to_ms, traces)


def _reach_one(sides: tuple[Side, Side], at_ms: int, traces: Traces) -> None:
    for side in sides:
        side.reach(at_ms)
    if not any(side.made for side in sides):
        return
    for number, side in enumerate(sides):
        other = sides[1 - number]
        for entrant in side.fresh:
            theirs = other.entered(entrant.person, entrant.audience, entrant.anchor)
            if theirs is None or theirs.at_ms != entrant.at_ms:
                state = other.state(entrant.person)
                entrant.absent = why(state, entrant.audience, entrant.anchor, entrant.at_ms, other.policy)
    for number, side in enumerate(sides):
        traces.keep(number, side.made)
        side.made, side.fresh = [], []


def _counts(found: list[Pair], base: Policy) -> dict[str, Any]:
    """entrants: of each side, and by kind. cells: the same by audience, tier and hour of the day where the brand is."""
    kinds = Counter(pair.kind for pair in found)
    cells: dict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
    for pair in found:
        hour = datetime.fromtimestamp(pair.one.at_ms / 1000, tz=UTC).astimezone(base.zone).hour
        cell = cells[pair.one.audience, pair.one.tier, hour]
        cell[pair.kind] += 1
        cell["base"] += pair.base is not None
        cell["candidate"] += pair.candidate is not None
    return {
        "entrants": {
            "base": sum(pair.base is not None for pair in found),
            "candidate": sum(pair.candidate is not None for pair in found),
            **{kind: kinds[kind] for kind in KINDS},
        },
        "time_zone": base.time_zone,
        "cells": [
            {"audience": audience, "tier": tier, "hour": hour, **{name: cell[name] for name in (*SIDES, *KINDS)}}
            for (audience, tier, hour), cell in sorted(cells.items())
        ],
    }


def _audiences(found: list[Pair], sides: tuple[Side, Side]) -> dict[str, Any]:
    """By audience: the kinds, why by kind, and what each policy decided (decisions, by outcome and reason)."""
    names = list(dict.fromkeys(name for side in sides for name, _ in side.policy.by_priority))
    told: dict[str, Any] = {}
    for name in names:
        mine = [pair for pair in found if pair.one.audience == name]
        kinds = Counter(pair.kind for pair in mine)
        reasons = Counter((pair.kind, pair.why.word) for pair in mine if pair.why is not None)
        told[name] = {
            "base": sum(pair.base is not None for pair in mine),
            "candidate": sum(pair.candidate is not None for pair in mine),
            **{kind: kinds[kind] for kind in KINDS},
            "why": {
                kind: {word: count for (of, word), count in reasons.most_common() if of == kind}
                for kind in KINDS
                if kind != "same"
            },
            "decisions": _per_side(sides, lambda side, name=name: _words(side, name)),
        }
    return told


def _words(side: Side, audience: str) -> dict[str, dict[str, int]]:
    told: dict[str, dict[str, int]] = {}
    for (name, outcome, reason), count in sorted(side.words.items()):
        if name == audience:
            told.setdefault(outcome, {})[reason] = count
    return told


def _taken(sides: tuple[Side, Side]) -> list[dict[str, Any]]:
    """Episodes that did not begin, or ended, since another audience's moment had the place or counted for the cap."""
    places = sorted(sides[0].taken.keys() | sides[1].taken.keys())
    return [
        {"from": loser, "by": thief, **_per_side(sides, lambda side, place=(loser, thief): side.taken[place])}
        for loser, thief in places
    ]


def _load(side: Side, from_ms: int, to_ms: int | None) -> dict[str, Any]:
    shown = [
        one.at_ms for found in side.entrants.values() for one in found if one.arm == "assisted" and one.at_ms >= from_ms
    ]
    return load(shown, from_ms=from_ms, to_ms=max(from_ms, to_ms or 0))


def _per_side(sides: tuple[Side, Side], ask: Any) -> dict[str, Any]:
    return {name: ask(side) for name, side in zip(SIDES, sides, strict=True)}


def _examples(found: list[Pair]) -> list[str]:
    seen: Counter[tuple[str, str, str]] = Counter()
    people: dict[str, None] = {}
    for pair in found:
        if pair.why is None:
            continue
        sort = (pair.one.audience, pair.kind, pair.why.word)
        seen[sort] += 1
        if seen[sort] <= EXAMPLES_MAX:
            people[pair.one.person] = None
    return list(people)


def _differences(found: Iterable[Pair]) -> list[dict[str, Any]]:
    """Who, what, when under each policy, and why."""
    return [
        {
            "person": pair.one.person,
            "audience": pair.one.audience,
            "kind": pair.kind,
            "base": instant(pair.base.at_ms if pair.base else None),
            "candidate": instant(pair.candidate.at_ms if pair.candidate else None),
            "why": pair.why.word,
            "detail": pair.why.detail,
        }
        for pair in found
        if pair.why is not None
    ]
