"""Staffed hours across both clock changes, and what is withheld and let through inside its window."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.instant import from_rfc3339, to_rfc3339
from contracts.policy import Policy, parse
from contracts.signals import PersonSignal
from contracts.staffed_hours import staffed
from tests.streams.histories import START_MS, Run, added, ordered, page, track

SHIPPED = (Path(__file__).parents[2] / "policies" / "skincare.yaml").read_text(encoding="utf-8")
ALL_DAYS = "[mon, tue, wed, thu, fri, sat, sun]"
BEGINS = "activated qualified"


def berlin(hours: str, leave: str = "48h") -> Policy:
    """The shipped policy in Berlin; large carts have these hours and a window that reaches over a night."""
    text = SHIPPED.replace("time_zone: UTC", "time_zone: Europe/Berlin")
    text = text.replace("leave_after: 12h\n    when:", f"leave_after: {leave}\n    hours: {hours}\n    when:", 1)
    return parse(text, name="berlin")


def daily(opens: str, closes: str) -> str:
    return f'[{{days: {ALL_DAYS}, from: "{opens}", to: "{closes}"}}]'


def minutes_staffed(policy: Policy, day: str) -> list[str]:
    """The minutes of a UTC day at which somebody is there, as spans in UTC."""
    audience, start = policy.audiences["high_aov_abandoner"], datetime.fromisoformat(day).replace(tzinfo=UTC)
    minutes = [start + timedelta(minutes=minute) for minute in range(24 * 60 + 1)]
    there = [staffed(audience.hours, policy.zone, minute) for minute in minutes[:-1]]
    edges = [m for m, now, before in zip(minutes, [*there, False], [False, *there], strict=True) if now != before]
    return [f"{edge:%H:%M}" for edge in edges]


@pytest.mark.parametrize(
    ("day", "edges"),
    [
        ("2026-03-28", ["08:00", "16:00"]),  # winter: one hour ahead of UTC
        ("2026-03-29", ["07:00", "15:00"]),  # the clock went forward at 01:00 UTC
        ("2026-10-24", ["07:00", "15:00"]),
        ("2026-10-25", ["08:00", "16:00"]),  # and back at 01:00 UTC
    ],
)
def test_nine_to_five_follows_the_clock_on_the_wall(day: str, edges: list[str]) -> None:
    assert minutes_staffed(berlin(daily("09:00", "17:00")), day) == edges


def test_the_hour_that_does_not_exist_has_nobody_and_the_hour_that_comes_twice_has_somebody_twice() -> None:
    night = berlin(daily("02:00", "03:00"))
    assert minutes_staffed(night, "2026-03-28") == ["01:00", "02:00"]
    assert minutes_staffed(night, "2026-03-29") == []
    assert minutes_staffed(night, "2026-10-25") == ["00:00", "02:00"]


def test_a_day_of_the_week_is_the_day_on_the_wall() -> None:
    monday = berlin('[{days: [mon], from: "00:00", to: "24:00"}]')
    assert minutes_staffed(monday, "2026-03-01") == ["23:00", "00:00"]  # Sunday in London, Monday in Berlin
    assert minutes_staffed(monday, "2026-03-02") == ["00:00", "23:00"]


def offset(at: str) -> str:
    return f"{(from_rfc3339(at) - START_MS) // 1000}s"


def told(run: Run) -> list[tuple[str, str]]:
    return [(decision.at, f"{decision.outcome} {decision.reason}") for decision in run.decisions]


@pytest.mark.parametrize(
    ("touched", "opens"),
    [
        ("2026-03-27T18:00:00Z", "2026-03-28T08:00:00.000Z"),
        ("2026-03-28T18:00:00Z", "2026-03-29T07:00:00.000Z"),
        ("2026-10-23T18:00:00Z", "2026-10-24T07:00:00.000Z"),
        ("2026-10-24T18:00:00Z", "2026-10-25T08:00:00.000Z"),
    ],
)
def test_what_the_night_withheld_begins_at_the_opening_minute(touched: str, opens: str) -> None:
    touched_ms = from_rfc3339(touched)
    run = Run(berlin(daily("09:00", "17:00"))).play([added("serum", 200, offset(touched))], until=f"{300 * 24}h")
    assert told(run) == [
        (to_rfc3339(touched_ms + 2 * 3_600_000), "withheld outside_hours"),
        (opens, BEGINS),
        (to_rfc3339(touched_ms + 48 * 3_600_000), "withdrawn expired"),
    ]


def test_an_opening_that_is_no_full_hour_is_met_to_the_minute() -> None:
    run = Run(berlin(daily("09:17", "17:00"))).play([added("serum", 200, offset("2026-03-28T18:00:30Z"))], until="40d")
    assert told(run)[1] == ("2026-03-29T07:17:00.000Z", BEGINS)


def test_the_first_minute_after_closing_is_outside_and_the_last_before_it_is_inside() -> None:
    for touched, outcome in (("13:59:00", BEGINS), ("14:00:00", "withheld outside_hours")):
        run = Run(berlin(daily("09:00", "17:00"))).play(
            [added("serum", 200, offset(f"2026-03-27T{touched}Z"))], until="27d"
        )
        assert told(run)[0][1] == outcome


def test_closing_time_withdraws_nobody() -> None:
    run = Run(berlin(daily("09:00", "17:00"))).play([added("serum", 200, offset("2026-03-27T10:00:00Z"))], until="40d")
    assert [what for _, what in told(run)] == [BEGINS, "withdrawn expired"]


def test_a_window_that_nobody_staffs_ends_in_silence() -> None:
    policy = berlin('[{days: [sat], from: "09:00", to: "10:00"}]')
    run = Run(policy).play([added("serum", 200, "0m")], until="6d")
    assert [what for _, what in told(run)] == ["withheld outside_hours"]


def test_a_purchase_at_night_leaves_nothing_to_let_through() -> None:
    history = [added("serum", 200, offset("2026-03-28T18:00:00Z")), ordered("o", 200, offset("2026-03-28T22:00:00Z"))]
    run = Run(berlin(daily("09:00", "17:00"))).play(history, until="40d")
    assert [what for _, what in told(run)] == ["withheld outside_hours"]  # the cart is empty


def test_a_stop_is_named_before_the_hours() -> None:
    history = [ordered("o", 20, "9h"), added("serum", 200, "10h")]
    run = Run(berlin(daily("09:00", "17:00"))).play(history, until="60h")
    assert told(run)[0][1] == "withheld purchased"


def cooled(span: str) -> Policy:
    text = SHIPPED.replace(
        "    event: cart_abandoned_high_aov", f"    cool_down: {span}\n    event: cart_abandoned_high_aov"
    )
    return parse(text, name="cooled")


CARTS = [added("serum", 200, "0m"), added("cream", 20, "80h")]  # active from 2 h to 12 h; the next would begin at 82 h


def test_without_a_cool_down_the_next_cart_begins_on_time() -> None:
    run = Run().play(CARTS, until="6d").said()
    assert run[2] == (f"{82 * 60}m", "high_aov_abandoner", BEGINS)


def test_a_cool_down_counts_from_the_end_has_the_reason_cap_and_lets_through_inside_the_window() -> None:
    assert Run(cooled("3d")).play(CARTS, until="6d").said()[2:4] == [
        (f"{82 * 60}m", "high_aov_abandoner", "withheld cap"),
        (f"{84 * 60}m", "high_aov_abandoner", BEGINS),
    ]


def test_a_cool_down_that_outlasts_the_window_lets_nothing_through() -> None:
    assert Run(cooled("5d")).play(CARTS, until="8d").said()[2:] == [
        (f"{82 * 60}m", "high_aov_abandoner", "withheld cap")
    ]


def test_a_cool_down_holds_its_own_audience_only() -> None:
    friction: list[PersonSignal] = [page("/pages/shipping", "50h"), track("Checkout Started", "50h10m")]
    said = Run(cooled("30d")).play([CARTS[0], *friction], until="60h").said()
    assert ("3040m", "shipping_friction", BEGINS) in said


def test_what_the_daily_cap_withheld_is_let_through_a_day_after_the_activation() -> None:
    history: list[PersonSignal] = [added("cream", 20, "0m"), page("/pages/shipping", "0m")]
    history += [track("Checkout Started", "10m"), added("serum", 200, "13h")]
    assert Run().play(history, until="3d").said() == [
        ("40m", "shipping_friction", BEGINS),
        ("730m", "shipping_friction", "withdrawn expired"),
        ("900m", "high_aov_abandoner", "withheld cap"),
        ("1480m", "high_aov_abandoner", BEGINS),
        ("1500m", "high_aov_abandoner", "withdrawn expired"),
    ]
