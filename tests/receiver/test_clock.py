import time

import pytest

from agents.clock import SimulatedClock, WallClock, read_clock
from contracts.instant import DAY_MS, from_rfc3339, to_rfc3339

ORIGIN = from_rfc3339("2026-03-02T09:00:00Z")


def test_a_simulated_clock_is_a_line_that_all_processes_share() -> None:
    started = time.time_ns() // 1_000_000 - 60_000
    text = f"sim:2026-03-02T09:00:00Z@{to_rfc3339(started)}x1440"
    first, second = read_clock(text), read_clock(text)
    assert first == second == SimulatedClock(ORIGIN, started, 1440)
    now = first.now_ms()
    assert ORIGIN + DAY_MS <= now <= second.now_ms() < ORIGIN + DAY_MS + DAY_MS // 2


def test_a_simulated_clock_stands_still_before_its_start() -> None:
    assert SimulatedClock(ORIGIN, time.time_ns() // 1_000_000 + 3_600_000, 10).now_ms() == ORIGIN


def test_the_wall_is_the_wall() -> None:
    assert read_clock("wall") == WallClock()
    assert abs(read_clock("wall").now_ms() - time.time() * 1000) < 5_000


@pytest.mark.parametrize(
    "text", ["", "sim", "sim:now", "sim:2026-03-02T09:00:00Z@xx2", "sim:2026-03-02T09:00:00Z@2026-03-02T09:00:00Zx0",
             "sim:2026-03-02T09:00:00Z@2026-03-02T09:00:00Zx99999999"],
)  # fmt: skip
def test_any_other_clock_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_clock(text)


async def test_sleeping_takes_seconds_of_the_clock_and_not_of_the_wall() -> None:
    began = time.monotonic()
    await SimulatedClock(ORIGIN, 0, 36_000).sleep(3_600)
    assert 0.05 < time.monotonic() - began < 5
