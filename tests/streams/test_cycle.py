"""The reorder cycle to the half millisecond: what a window counts from, and what a condition compares."""

import pytest
from msgspec.structs import replace

from contracts.instant import DAY_MS
from contracts.signals import PersonSignal
from streams import orders
from tests.streams.histories import ME, POLICY, Run, ordered


@pytest.mark.parametrize("short_ms", [0, 1, 2])
def test_an_even_median_is_exact_and_a_window_begins_at_the_next_whole_millisecond(short_ms: int) -> None:
    """Gaps of 1, 10 (less `short_ms`), 18 and 20 days: the cycle is 14 days less half of it."""
    history: list[PersonSignal] = [ordered(f"o{day}", 10, f"{day}d") for day in (0, 18, 28, 48)]
    last = ordered("o49", 10, "49d")
    early = [
        replace(each, occurred_ms=each.occurred_ms + (short_ms if index < 2 else 0))
        for index, each in enumerate(history)
    ]
    run = Run().play([*early, last])
    state = run.partition.state(ME)
    assert state is not None
    assert orders.cycle_ms(state.orders, POLICY) == 14 * DAY_MS - short_ms // 2
    assert orders.cycle_reaches(state.orders, POLICY, 14 * DAY_MS) is (short_ms == 0)
    assert orders.cycle_reaches(state.orders, POLICY, 14 * DAY_MS - 1) is True
