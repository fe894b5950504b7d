"""Plots of lifts: intervals one under another on one scale, as places in per cent of the width, whatever width that is."""

import math
from collections.abc import Callable, Sequence
from statistics import median_high
from typing import Any, NamedTuple

from console.lift_words import span

MARGIN = 4.0  # per cent of the width on either side, for the dot's own size
TICKS_MAX = 5  # so that their numbers have room at the width of a phone
APART_MAX = 4.0  # times as far as the middling interval the scale reaches at most, so that a wild one hides no other


class Bar(NamedTuple):
    """What is drawn. estimate: as `lift` tells it, None with the reason in `refused`."""

    name: str
    note: str
    estimate: dict[str, Any] | None
    refused: str = ""


class Row(NamedTuple):
    """One interval as drawn, all places in per cent. reading: what the picture shows, in words.

    once: of a single look, always: of any look, both cut at the plot's edges; below, above: whether `always` was.
    early: `always` does not hold yet. dot: None where it lies outside.
    drawn: False where nothing is to be drawn, and `said` tells why.
    """

    name: str
    note: str
    said: str
    reading: str = ""
    drawn: bool = False
    dot: float | None = None
    once: tuple[float, float] = (0, 0)
    always: tuple[float, float] = (0, 0)
    below: bool = False
    above: bool = False
    early: bool = False


class Plot(NamedTuple):
    """ticks: place and number; zero is among them."""

    rows: list[Row]
    ticks: list[tuple[float, str]]
    zero: float


class Unit(NamedTuple):
    """How numbers are said, and those of the scale: times so much, with this behind."""

    say: Callable[[float], str]
    times: float
    behind: str


def plot(bars: Sequence[Bar], unit: Unit) -> Plot | None:
    """None where there is nothing to draw."""
    estimates = [bar.estimate for bar in bars if bar.estimate is not None]
    if not estimates:
        return None
    low, high = _extent(estimates)

    def place(number: float) -> float:
        share = (min(max(number, low), high) - low) / (high - low)
        return round(MARGIN + share * (100 - 2 * MARGIN), 2)

    rows = []
    for bar in bars:
        if bar.estimate is None:
            rows.append(Row(bar.name, bar.note, bar.refused))
            continue
        value, once, always = bar.estimate["value"], bar.estimate, bar.estimate["sequence"]
        reading = (
            f"{bar.name}: {unit.say(value)}; 95 % of a single look {span(once, unit.say)}; "
            f"at any look {'too early' if always['early'] else span(always, unit.say)}"
        )
        rows.append(
            Row(
                bar.name,
                bar.note,
                unit.say(value),
                reading,
                drawn=True,
                dot=place(value) if low <= value <= high else None,
                once=(place(once["low"]), place(once["high"])),
                always=(place(always["low"]), place(always["high"])),
                below=always["low"] < low,
                above=always["high"] > high,
                early=always["early"],
            )
        )
    return Plot(rows, [(place(tick), text) for tick, text in _ticks(low, high, unit)], place(0.0))


def _extent(estimates: list[dict[str, Any]]) -> tuple[float, float]:
    """Zero and all intervals of any look, as far as APART_MAX allows."""
    sequences = [estimate["sequence"] for estimate in estimates]
    lows = [min(0.0, float(sequence["low"])) for sequence in sequences]
    highs = [max(0.0, float(sequence["high"])) for sequence in sequences]
    furthest = APART_MAX * median_high(max(-low, high) for low, high in zip(lows, highs, strict=True))
    return max(min(lows), -furthest), min(max(highs), furthest)


def _ticks(low: float, high: float, unit: Unit) -> list[tuple[float, str]]:
    """Round numbers between, zero among them."""
    rough = (high - low) * unit.times / TICKS_MAX
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough)
    places = max(0, -math.floor(math.log10(step)))
    first, last = math.ceil(low * unit.times / step), math.floor(high * unit.times / step)
    return [
        (number * step / unit.times, f"{number * step:+,.{places}f}{unit.behind}" if number else "0")
        for number in range(first, last + 1)
    ]
