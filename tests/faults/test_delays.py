"""What counts as a beginning shown after a purchase, and as the end that a purchase brought."""

from types import SimpleNamespace
from typing import Any

from tests.faults.delays import Delays, delays
from tests.faults.sender import Acknowledged
from tests.faults.showing import Write

AUDIENCE = "high_aov_abandoner"
ANCHOR_S = 1_000
EXPIRES = "2026-01-01T12:00:00Z"
BEGIN = {"cio_moment": AUDIENCE, "cio_moment_expires_at": EXPIRES}


def found(purchases: list[tuple[int, int]], writes: list[tuple[int, dict[str, Any]]], *, log_ahead_ms: int = 0) -> Any:
    """One person's evidence: purchases as (sent, acknowledged), writes as (at, what is shown), in ms; one ordered beginning."""
    order = {"event": "Order Completed", "userId": "u1", "messageId": "m"}
    command = SimpleNamespace(person="id:u1", attributes=BEGIN, event=SimpleNamespace(created_s=ANCHOR_S))
    return SimpleNamespace(
        acknowledged=[Acknowledged(order, sent, acknowledged) for sent, acknowledged in purchases],
        writes=[Write("id:u1", at_ms, shown) for at_ms, shown in writes],
        commands=[command],
        log_ahead_ms=log_ahead_ms,
    )


def test_a_purchase_before_the_beginning_was_shown_makes_it_late_and_is_what_ended_it() -> None:
    passed = found([(1_003_000, 1_003_100)], [(1_003_600, BEGIN), (1_004_000, {})])
    assert delays(passed) == Delays(nudge_ms=500, nudges=1, ends=[900])


def test_a_purchase_after_the_beginning_was_shown_is_what_ended_it() -> None:
    assert delays(found([(1_005_000, 1_005_100)], [(1_003_000, BEGIN), (1_005_350, {})])) == Delays(0, 0, [250])


def test_a_purchase_before_the_cart_forbids_nothing_and_ends_nothing() -> None:
    assert delays(found([(999_000, 999_100)], [(1_003_000, BEGIN), (1_009_000, {})])) == Delays(0, 0, [])


def test_where_log_time_runs_behind_the_wall_a_purchase_before_the_cart_forbids_nothing_either() -> None:
    wall_ms = 600_000  # later than the log says
    shown = [(wall_ms + 1_003_600, BEGIN), (wall_ms + 1_009_000, {})]
    before = found([(wall_ms + 999_000, wall_ms + 999_100)], shown, log_ahead_ms=-wall_ms)
    after = found([(wall_ms + 1_003_000, wall_ms + 1_003_100)], shown, log_ahead_ms=-wall_ms)
    assert delays(before) == Delays(0, 0, [])
    assert delays(after) == Delays(nudge_ms=500, nudges=1, ends=[5_900])
