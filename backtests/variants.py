"""Variants: a policy with some of its numbers changed, as a sweep asks for them.

`cart_value=100..300:25` names a number and its values from, to and by; `enter_after=1h..6h:1h` likewise with durations. Where
several audiences have it, the audience stands before: `high_aov_abandoner.cart_value`. A condition's number is the one bound that
it has in `when`; `exit.cart_value` is the one in `exit`.
"""

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from decimal import Decimal, InvalidOperation
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from contracts.instant import DAY_MS, HOUR_MS, MINUTE_MS
from contracts.policy import PolicyError, parse
from contracts.policy_text import read
from contracts.policy_values import span_ms

VARIANTS_MAX = 500  # a table that somebody reads, and an evening of one machine
BOUNDS = ("above", "at_least", "below", "at_most")
SPANS = ("enter_after", "leave_after", "cool_down")
_RANGE = re.compile(r"([a-z0-9_.]+)=([^.:=][^:=]*?)\.\.([^:=]+):([^:=]+)")


class SweepError(ValueError):
    """The message says which sweep makes no sense, and how to write it."""


class Axis(NamedTuple):
    """One number that is swept: where it stands in the policy's text, and its values as they are written there."""

    name: str
    path: tuple[str | int, ...]
    values: tuple[str, ...]


class Variant(NamedTuple):
    """values: by the names of the axes. text: a whole policy, None where it makes no sense with these values."""

    values: dict[str, str]
    text: str | None
    refusal: str | None


def axes(policy_file: Path, asked: Sequence[str]) -> list[Axis]:
    """SweepError, PolicyError."""
    rules = _rules(policy_file)
    found = []
    for text in asked:
        match = _RANGE.fullmatch(text.strip())
        if match is None:
            raise SweepError(f"--sweep {text}: write a name and its values, such as cart_value=100..300:25")
        name, first, last, step = match.groups()
        found.append(Axis(name, _place(rules, name), tuple(_values(name, first, last, step))))
    if len({axis.path for axis in found}) < len(found):
        raise SweepError("--sweep: each number can be swept once")
    if prod(len(axis.values) for axis in found) > VARIANTS_MAX:
        raise SweepError(f"--sweep: too many variants; take larger steps, so that there are at most {VARIANTS_MAX}")
    return found


def variants(policy_file: Path, swept: Sequence[Axis]) -> Iterator[Variant]:
    """Every combination, the last axis running fastest. One that makes no sense carries its refusal."""
    rules = _rules(policy_file)
    for values in product(*(axis.values for axis in swept)):
        changed = deepcopy(rules)
        for axis, value in zip(swept, values, strict=True):
            _put(changed, axis.path, value)
        named = {axis.name: value for axis, value in zip(swept, values, strict=True)}
        text = yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)
        try:
            parse(text, name=", ".join(f"{name} {value}" for name, value in named.items()))
        except PolicyError as error:
            yield Variant(named, None, str(error).splitlines()[0])
        else:
            yield Variant(named, text, None)


def _rules(policy_file: Path) -> dict[str, Any]:
    value = read(policy_file.read_text(encoding="utf-8"), name=str(policy_file)).value
    assert isinstance(value, dict), "a policy that was loaded is a mapping"
    return value


def _place(rules: dict[str, Any], name: str) -> tuple[str | int, ...]:
    *before, word = name.split(".")
    section = "when"
    if before and before[-1] in ("when", "exit"):
        section = before.pop()
    audiences = rules["audiences"]
    if len(before) > 1 or (before and before[0] not in audiences):
        raise SweepError(f"--sweep {name}: there is no audience of that name; there are {', '.join(audiences)}")
    found: list[tuple[str | int, ...]] = []
    for audience in before or audiences:
        for path in _in_audience(audiences[audience], word, section):
            found.append(("audiences", audience, *path))
    if not found and not before and word == "holdout":
        found.append(("holdout", "share"))
    if not found:
        raise SweepError(
            f"--sweep {name}: no audience has it; write enter_after, leave_after, cool_down or a condition's word"
        )
    if len(found) > 1:
        owners = sorted({str(path[1]) for path in found})
        raise SweepError(
            f"--sweep {name}: {', '.join(owners)} have it; write AUDIENCE.{word}; it must have one bound there"
        )
    return found[0]


def _in_audience(audience: dict[str, Any], word: str, section: str) -> Iterator[tuple[str | int, ...]]:
    if word in SPANS:
        if word in audience or word == "cool_down":
            yield (word,)
        return
    yield from _in_conditions(audience.get(section, []), word, (section,))


def _in_conditions(conditions: Any, word: str, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    for index, condition in enumerate(conditions):
        for name, inner in condition.items():
            if name in ("any", "all"):
                yield from _in_conditions(inner, word, (*path, index, name))
            elif name == word and isinstance(inner, dict):
                yield from ((*path, index, name, bound) for bound in BOUNDS if bound in inner)


def _values(name: str, first: str, last: str, step: str) -> Iterator[str]:
    try:
        if re.search(r"[smhd]", first + last + step):
            low, high, by = span_ms(first), span_ms(last), span_ms(step)
            told = [_duration(value) for value in range(low, high + 1, by)[: VARIANTS_MAX + 1]] if by > 0 else []
        else:
            lowest, highest, small = Decimal(first), Decimal(last), Decimal(step)
            steps = int((highest - lowest) // small) + 1 if small > 0 else 0
            told = [str(lowest + small * number) for number in range(min(steps, VARIANTS_MAX + 1))]
    except (ValueError, InvalidOperation, OverflowError):
        raise SweepError(f"--sweep {name}: write numbers or durations, such as 100..300:25 or 1h..6h:30m") from None
    if not told:
        raise SweepError(
            f"--sweep {name}: these are no values; the second must be above the first, and the step above 0"
        )
    yield from told


def _duration(length_ms: int) -> str:
    """Exact below a second too, unlike `duration_text`."""
    for unit, size_ms in (("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS)):
        if length_ms and length_ms % size_ms == 0:
            return f"{length_ms // size_ms}{unit}"
    return f"{length_ms / 1000:g}s" if length_ms else "0"


def _put(rules: Any, path: tuple[str | int, ...], value: str) -> None:
    for step in path[:-1]:
        rules = rules[step]
    last = path[-1]
    rules[last] = value if re.search(r"[smhd]", value) else float(value) if "." in value else int(value)
