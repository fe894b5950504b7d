"""The only place where time is read: the wall's clock, or a simulated one that all processes compute alike.

A simulated instant is a linear function of wall time, given as a setting, so that a receiver, a worker and a shop in
different processes agree on it without talking.
"""

import asyncio
import re
import time
from typing import NamedTuple, Protocol

from contracts.instant import INSTANT_MS_MAX, from_rfc3339

SPEED_MAX = 1_000_000  # a year in half a minute; beyond it a millisecond of scheduling is a quarter of an hour
_SIMULATED = re.compile(r"sim:([^@]+)@([^@x]+?)x([0-9]+(?:\.[0-9]+)?)")


class Clock(Protocol):
    def now_ms(self) -> int: ...

    async def sleep(self, seconds: float) -> None:
        """Returns when so many seconds of this clock have passed."""
        ...


class WallClock(NamedTuple):
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SteadyClock(NamedTuple):
    """Never steps, and says nothing of the date: for how long something takes."""

    def now_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000


class SimulatedClock(NamedTuple):
    """`origin_ms` when the wall shows `started_wall_ms`; from there `speed` milliseconds for each of the wall's."""

    origin_ms: int
    started_wall_ms: int
    speed: float

    def now_ms(self) -> int:
        passed_ms = max(0, time.time_ns() // 1_000_000 - self.started_wall_ms)
        return min(self.origin_ms + int(passed_ms * self.speed), INSTANT_MS_MAX)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    def wall_seconds(self, span_ms: int) -> float:
        """How long the wall takes for a span of simulated time."""
        return span_ms / self.speed / 1000


def read_clock(text: str) -> Clock:
    """`wall`, or `sim:<origin>@<wall's start>x<speed>`, for example `sim:2026-03-02T09:00:00Z@2026-11-24T12:00:00Zx1440`.

    ValueError with a sentence when it is neither.
    """
    if text == "wall":
        return WallClock()
    match = _SIMULATED.fullmatch(text.strip())
    if match is None:
        raise ValueError("neither `wall` nor `sim:<origin>@<start on the wall>x<speed>`, with RFC 3339 instants")
    speed = float(match[3])
    if not 0 < speed <= SPEED_MAX:
        raise ValueError(f"a speed above 0 and up to {SPEED_MAX}")
    return SimulatedClock(from_rfc3339(match[1]), from_rfc3339(match[2]), speed)
