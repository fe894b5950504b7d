"""The budget: headers and time in, who may call out."""

import httpx
import pytest

from agents.intercom.budget import Budget, until_reset_seconds
from tests.intercom.scene import HandClock

NOON = "Mon, 02 Mar 2026 12:00:00 GMT"
NOON_S = 1_772_452_800


def answer(
    left: int, *, limit: int = 100, reset_s: int = NOON_S + 12, date: str = NOON, status: int = 200
) -> httpx.Response:
    headers = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": str(reset_s)}
    return httpx.Response(status, headers=headers | {"Date": date})


class Window:
    """A budget that has made a call, and the clock that it reads."""

    def __init__(self, *, others: float = 0.0, portion: float = 1.0, left: int = 99, limit: int = 100) -> None:
        self.clock = HandClock()
        self.budget = Budget(self.clock.now_ms, others=others, portion=lambda: portion)
        self.left, self.limit = left, limit
        self.call(self.left)

    def call(self, left: int, *, reset_s: int = NOON_S + 12) -> None:
        self.budget.begin()
        self.budget.end()
        self.budget.heed(answer(left, limit=self.limit, reset_s=reset_s))

    def calls(self, *, urgent: bool) -> int:
        """How many more may be begun now, while nobody else calls."""
        count = 0
        while self.budget.wait_ms(urgent=urgent) == 0:
            count += 1
            self.left -= 1
            self.call(self.left)
        return count


def test_before_anything_was_heard_calls_may_go() -> None:
    budget = Budget(HandClock().now_ms, others=0.5, portion=lambda: 0.1)
    assert budget.wait_ms(urgent=False) == 0


def test_what_may_wait_leaves_a_fifth_to_withdrawals() -> None:
    window = Window()
    assert window.calls(urgent=False) == 79
    assert window.calls(urgent=True) == 20


def test_the_share_of_other_apps_is_left_by_withdrawals_too() -> None:
    window = Window(others=0.3)
    assert window.calls(urgent=False) == 49
    assert window.calls(urgent=True) == 20
    assert window.left == 30


def test_other_apps_that_took_more_than_their_share_leave_withdrawals_what_there_is() -> None:
    window = Window(others=0.3, left=15)
    assert window.calls(urgent=False) == 0
    assert window.calls(urgent=True) == 15


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_workers_of_one_token_share_the_limit_by_their_partitions(workers: int) -> None:
    windows = [Window(portion=1 / workers, limit=167, left=166) for _ in range(workers)]
    begun = sum(window.calls(urgent=True) + 1 for window in windows)
    assert 167 - workers <= begun <= 167 + workers
    yielding = [Window(portion=1 / workers, limit=167, left=166) for _ in range(workers)]
    assert sum(window.calls(urgent=False) + 1 for window in yielding) <= 167 * 0.8 + workers


def test_a_small_part_of_a_small_limit_is_still_a_call_a_window() -> None:
    window = Window(portion=1 / 1000, limit=83)
    assert window.calls(urgent=True) == 0
    window.clock.pass_seconds(12)
    assert window.budget.wait_ms(urgent=True) == 0
    assert window.budget.wait_ms(urgent=False) == 0


def test_a_new_window_is_known_by_its_reset() -> None:
    window = Window()
    window.calls(urgent=True)
    window.clock.pass_seconds(10)
    window.left = 99
    window.call(99, reset_s=NOON_S + 22)
    assert window.budget.wait_ms(urgent=False) == 0


def test_a_window_that_ended_unheard_of_is_new_once_and_not_with_every_call() -> None:
    window = Window(limit=10, left=9)
    window.clock.pass_seconds(12)
    begun = 0
    while window.budget.wait_ms(urgent=True) == 0 and begun < 100:
        window.budget.begin()
        begun += 1
    assert begun == 10


def test_an_answer_that_comes_late_from_the_last_window_says_nothing_of_this_one() -> None:
    window = Window()
    window.call(80, reset_s=NOON_S + 22)
    window.budget.heed(answer(0 + 1))
    assert window.budget.left == 80


def test_the_last_call_of_the_last_window_that_is_answered_late_closes_nothing() -> None:
    window = Window()
    window.call(80, reset_s=NOON_S + 22)
    window.budget.heed(answer(0))
    assert window.budget.wait_ms(urgent=True) == 0


@pytest.mark.parametrize("heard", [True, False])
def test_calls_that_are_not_answered_yet_count_in_the_window_that_begins_meanwhile(heard: bool) -> None:
    window = Window(limit=10, left=9)
    for _ in range(4):
        window.budget.begin()
    window.clock.pass_seconds(12)
    if heard:
        window.call(9, reset_s=NOON_S + 24)
    begun = 0
    while window.budget.wait_ms(urgent=True) == 0 and begun < 100:
        window.budget.begin()
        begun += 1
    assert begun == (5 if heard else 6)


def test_the_shortest_wait_is_what_the_header_can_tell() -> None:
    window = Window(limit=10, left=9)
    for _ in range(9):
        window.budget.begin()
    window.clock.pass_seconds(11.999)
    assert window.budget.wait_ms(urgent=True) == 1000


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000, "²", "-1", "1e3", " ", "0x10"])
def test_a_header_that_is_no_number_says_nothing(number: str) -> None:
    budget = Budget(HandClock().now_ms, others=0.0, portion=lambda: 1.0)
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    headers = [(name.encode(), number.encode("latin-1")) for name in names]
    odd = httpx.Response(200, headers=[*headers, (b"Date", NOON.encode())])
    budget.heed(odd)
    assert budget.wait_ms(urgent=False) == 0
    assert until_reset_seconds(odd) == 12


def test_a_limit_of_nothing_is_no_limit_that_was_learned() -> None:
    budget = Budget(HandClock().now_ms, others=0.0, portion=lambda: 1.0)
    budget.heed(answer(0, limit=0))
    assert budget.wait_ms(urgent=False) == 0


def test_answers_that_overtake_each_other_leave_the_smallest_number() -> None:
    window = Window()
    for left in (50, 60, 55):
        window.call(left)
    assert window.budget.left == 50


def test_nothing_left_closes_for_all_until_the_end_of_the_window() -> None:
    window = Window(left=0)
    assert window.budget.wait_ms(urgent=True) == 12_000
    window.clock.pass_seconds(11.999)
    assert window.budget.wait_ms(urgent=True) > 0
    window.clock.pass_seconds(0.001)
    assert window.budget.wait_ms(urgent=True) == 0


def test_a_429_closes_whatever_it_says_is_left() -> None:
    window = Window()
    window.budget.heed(answer(40, status=429))
    assert window.budget.wait_ms(urgent=True) == 12_000


@pytest.mark.parametrize("skew_seconds", [-86_400, -600, 0, 600, 86_400])
def test_our_clock_may_be_wrong_by_any_amount(skew_seconds: int) -> None:
    window = Window(left=0)
    skewed = Window.__new__(Window)
    skewed.clock = HandClock()
    skewed.clock.pass_seconds(skew_seconds)
    skewed.budget = Budget(skewed.clock.now_ms, others=0, portion=lambda: 1.0)
    skewed.limit = 100
    skewed.call(0)
    assert skewed.budget.wait_ms(urgent=True) == window.budget.wait_ms(urgent=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 12), ({"X-RateLimit-Reset": str(NOON_S + 5)}, 12), ({"Date": NOON}, 12),
        ({"X-RateLimit-Reset": str(NOON_S + 5), "Date": NOON}, 5), ({"X-RateLimit-Reset": str(NOON_S), "Date": NOON}, 1),
        ({"X-RateLimit-Reset": str(NOON_S + 3600), "Date": NOON}, 12), ({"X-RateLimit-Reset": "soon", "Date": NOON}, 12),
        ({"X-RateLimit-Reset": str(NOON_S + 5), "Date": "today"}, 12),
    ],
)  # fmt: skip
def test_the_wait_is_what_intercoms_own_clock_says_within_what_a_window_can_last(
    headers: dict[str, str], seconds: float
) -> None:
    assert until_reset_seconds(httpx.Response(429, headers=headers)) == seconds
