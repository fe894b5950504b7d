"""Each line of the demo's summary holds on an honest day and fails on a lie planted into it."""

import io
import pickle

import msgspec
import pytest
from rich.console import Console

from contracts import commands, decisions
from contracts.decisions import Decision
from contracts.instant import HOUR_MS, from_rfc3339, to_rfc3339
from contracts.topics import DECISIONS
from rehearsal import view
from rehearsal.demo_checks import (
    CLEARED_WALL_MS_MAX,
    HOLD_WALL_MS,
    NUDGE_WALL_MS_MAX,
    Check,
    Cleared,
    ends_by_purchase,
    first_orders,
    purchases_on_episodes,
    quantile,
    summary,
)
from rehearsal.demo_comparison import compare
from rehearsal.demo_evidence import Comparison, Episode, Evidence, Flag
from tests.demo.world import POLICY, World

SEED, HOURS, PEOPLE = 7, 10.0, 140
SETTLE_WALL_MS = 1_000


@pytest.fixture(scope="module")
def honest_day() -> bytes:
    return pickle.dumps(World().play(seed=SEED, hours=HOURS, people=PEOPLE))


@pytest.fixture
def evidence(honest_day: bytes) -> Evidence:
    """A copy of its own for each test to lie in."""
    found = pickle.loads(honest_day)
    assert isinstance(found, Evidence)
    return found


def check(evidence: Evidence, name: str) -> Check:
    return next(check for check in summary(evidence) if check.name == name)


def only_failing(evidence: Evidence) -> list[str]:
    return [check.name for check in summary(evidence) if not check.held]


def a_cleared(evidence: Evidence) -> Cleared:
    return next(one for one in purchases_on_episodes(evidence) if one.by_purchase)


def end(evidence: Evidence, one: Cleared, withdrawn: Decision | None) -> None:
    evidence.episodes[one.order.person, one.episode.activated.episode] = Episode(one.episode.activated, withdrawn)


def test_everything_holds_on_an_honest_day(evidence: Evidence) -> None:
    checks = summary(evidence)
    assert [check for check in checks if not check.held] == []
    assert len(checks) == 9
    assert len(purchases_on_episodes(evidence)) >= 5


def test_a_day_without_anything_is_void() -> None:
    evidence = World().play(seed=SEED, hours=0.2, people=1)
    assert "something happened" in only_failing(evidence)


@pytest.mark.parametrize("lacking", ["episodes", "flags", "acknowledged"])
def test_a_day_that_lacks_one_thing_is_void(evidence: Evidence, lacking: str) -> None:
    getattr(evidence, lacking).clear()
    assert not check(evidence, "something happened").held


def test_a_purchase_that_takes_nothing_back_makes_the_day_void(evidence: Evidence) -> None:
    for one in purchases_on_episodes(evidence):
        del evidence.episodes[one.order.person, one.episode.activated.episode]
    assert not check(evidence, "something happened").held


def test_a_message_that_is_not_in_the_log_is_missed(evidence: Evidence) -> None:
    message = next(sent.message for sent in evidence.sent.values() if sent.kind == "other")
    del evidence.in_log[message]
    found = check(evidence, "what was acknowledged is in the log")
    assert not found.held and message in found.lines[0]


def test_a_refused_message_is_told(evidence: Evidence) -> None:
    evidence.refused.append("m-1 was answered 401")
    assert only_failing(evidence) == ["what was acknowledged is in the log"]


def test_a_moment_that_outlives_a_purchase_fails(evidence: Evidence) -> None:
    one = a_cleared(evidence)
    end(evidence, one, None)
    found = check(evidence, "every purchase cleared its flag")
    assert not found.held and one.order.person in found.lines[0] and "still stands" in found.lines[0]


def test_a_moment_that_ends_later_by_something_else_fails(evidence: Evidence) -> None:
    one = a_cleared(evidence)
    assert one.episode.withdrawn is not None
    later = to_rfc3339(one.accepted_ms + HOUR_MS)
    end(evidence, one, msgspec.structs.replace(one.episode.withdrawn, reason="expired", at=later))
    assert only_failing(evidence) == ["every purchase cleared its flag"]


def test_a_moment_that_another_signal_ended_does_not_count_as_cleared(evidence: Evidence) -> None:
    one = a_cleared(evidence)
    assert one.episode.withdrawn is not None
    end(evidence, one, msgspec.structs.replace(one.episode.withdrawn, cause="signal:other"))
    assert "every purchase cleared its flag" in only_failing(evidence)


def test_a_moment_that_ended_before_the_purchase_is_no_case(evidence: Evidence) -> None:
    one = a_cleared(evidence)
    assert one.episode.withdrawn is not None
    earlier = to_rfc3339(one.accepted_ms - 1)
    end(evidence, one, msgspec.structs.replace(one.episode.withdrawn, reason="expired", at=earlier))
    assert check(evidence, "every purchase cleared its flag").held


@pytest.mark.parametrize("off", [None, CLEARED_WALL_MS_MAX + 1])
def test_a_flag_that_stays_or_goes_late_fails(evidence: Evidence, off: int | None) -> None:
    one = a_cleared(evidence)
    begun = one.episode.activated
    index = next(
        i for i, flag in enumerate(evidence.flags) if (flag.person, flag.audience) == (begun.person, begun.audience)
    )
    gone = None if off is None else evidence.wall_ms(one.accepted_ms) + off
    evidence.flags[index] = evidence.flags[index]._replace(off_wall_ms=gone)
    assert only_failing(evidence) == ["taken back at once"]


def test_a_nudge_that_no_purchase_let_through_counts_as_overtaken(evidence: Evidence) -> None:
    one = a_cleared(evidence)
    evidence.flags = [flag for flag in evidence.flags if flag.person != one.order.person]
    found = check(evidence, "taken back at once")
    assert found.held and "0 nudges overtaken" not in found.said


@pytest.mark.parametrize(("late_ms", "held"), [(NUDGE_WALL_MS_MAX + 1, False), (NUDGE_WALL_MS_MAX, True), (-1, True)])
def test_a_nudge_after_a_purchase_fails_beyond_the_stated_delay(evidence: Evidence, late_ms: int, held: bool) -> None:
    order, accepted_ms = first_orders(evidence)[0]
    on_wall_ms = evidence.wall_ms(accepted_ms) + late_ms
    evidence.flags.append(Flag(order.person, "high_aov_abandoner", on_wall_ms, on_wall_ms + 10))
    assert check(evidence, "no nudge after a purchase").held is held


def test_a_nudge_that_a_purchase_does_not_end_may_come(evidence: Evidence) -> None:
    order, accepted_ms = first_orders(evidence)[0]
    on_wall_ms = evidence.wall_ms(accepted_ms) + NUDGE_WALL_MS_MAX + 100
    evidence.flags.append(Flag(order.person, "subscription_save", on_wall_ms, on_wall_ms + 10))
    assert check(evidence, "no nudge after a purchase").held
    assert ends_by_purchase(POLICY) >= {"high_aov_abandoner", "shipping_friction", "at_risk_repeat"}


def test_an_activation_that_is_decided_after_a_purchase_fails(evidence: Evidence) -> None:
    order, accepted_ms = first_orders(evidence)[0]
    decided = next(d for d in evidence.decisions if d.outcome == "activated" and d.audience == "shipping_friction")
    at = to_rfc3339(accepted_ms + HOUR_MS)
    lie = msgspec.structs.replace(decided, person=order.person, at=at, id="lie", episode="shipping_friction@lie")
    evidence.record(DECISIONS.name, decisions.encode(lie), 0)
    assert not check(evidence, "no nudge after a purchase").held


def test_a_moment_that_is_flagged_twice_fails(evidence: Evidence) -> None:
    decided = next(d for d in evidence.decisions if d.outcome == "activated")
    evidence.record(DECISIONS.name, decisions.encode(msgspec.structs.replace(decided, id="again")), 0)
    assert "each moment is flagged once" in only_failing(evidence)


def test_a_decision_that_is_read_twice_is_one(evidence: Evidence) -> None:
    before = len(evidence.decisions)
    evidence.record(DECISIONS.name, decisions.encode(evidence.decisions[0]), 0)
    assert len(evidence.decisions) == before and not evidence.twice


def compared(evidence: Evidence, *, wall_ms: int = 2_000_000_000_000) -> Comparison:
    return compare(evidence, wall_ms, settle_wall_ms=SETTLE_WALL_MS)


def somebody(evidence: Evidence) -> str:
    return next(person for person, decision in evidence.in_a_moment().items() if decision.arm == "assisted")


def test_an_honest_intercom_differs_nowhere(evidence: Evidence) -> None:
    found = compared(evidence)
    assert found.differing == () and found.unsettled == 0 and found.compared == len(evidence.contacts) > 20


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cio_segment_high_aov_abandoner", None), ("cio_segment_winback_vip", True), ("cio_moment", "winback_vip"),
        ("lifetime_orders", 99), ("cio_moment_reason", "because"), ("cio_moment_expires_at", 7),
    ],
)  # fmt: skip
def test_a_lie_in_intercom_is_seen(evidence: Evidence, name: str, value: object) -> None:
    person = next(p for p, d in evidence.in_a_moment().items() if d.audience == "high_aov_abandoner")
    evidence.contacts[person][name] = value
    assert any(line.startswith(f"{person}:") for line in compared(evidence).differing)


def test_a_flag_of_somebody_who_is_in_no_moment_is_seen(evidence: Evidence) -> None:
    person = next(iter(evidence.contacts.keys() - evidence.in_a_moment().keys()))
    evidence.contacts[person]["cio_segment_shipping_friction"] = True
    assert compared(evidence).differing


def test_a_missing_contact_is_seen(evidence: Evidence) -> None:
    del evidence.contacts[somebody(evidence)]
    assert "no contact in Intercom" in compared(evidence).differing[0]


def test_who_changed_just_now_is_left_out_and_counted(evidence: Evidence) -> None:
    person = somebody(evidence)
    evidence.contacts[person]["cio_moment"] = "another"
    evidence.changed_wall_ms[person] = 2_000_000_000_000 - SETTLE_WALL_MS + 1
    found = compared(evidence)
    assert found.differing == () and found.unsettled == 1


@pytest.mark.parametrize(
    "comparisons",
    [
        [],
        [Comparison(0, 20, 0, ())],
        [Comparison(0, 20, 0, ()), Comparison(HOLD_WALL_MS - 1, 20, 0, ())],
        [Comparison(0, 20, 1, ()), Comparison(HOLD_WALL_MS, 20, 2, ())],
        [Comparison(0, 20, 0, ()), Comparison(HOLD_WALL_MS, 20, 0, ("id:a differs",))],
        [Comparison(0, 0, 0, ()), Comparison(HOLD_WALL_MS, 0, 0, ())],
    ],
    ids=["none", "one", "too short", "never complete", "differs at last", "nobody"],
)
def test_a_comparison_that_shows_little_fails(evidence: Evidence, comparisons: list[Comparison]) -> None:
    evidence.comparisons = comparisons
    assert only_failing(evidence) == ["Intercom shows what the decisions say"]


@pytest.mark.parametrize("more", [-1, 1])
def test_a_quarantine_that_holds_more_or_less_fails(evidence: Evidence, more: int) -> None:
    evidence.quarantined += more
    assert only_failing(evidence) == ["unreadable bodies are in quarantine"]


def test_an_order_that_counts_twice_fails(evidence: Evidence) -> None:
    person, told = next(item for item in evidence.commands.items() if item[1])
    orders = int(str(told[-1].attributes["lifetime_orders"] or 0)) + 1
    lie = msgspec.structs.replace(told[-1], attributes={**told[-1].attributes, "lifetime_orders": orders})
    evidence.commands[person][-1] = commands.decode(commands.encode(lie))
    assert "duplicates count once" in only_failing(evidence)


def test_a_quantile_is_a_value_that_was_seen() -> None:
    assert [quantile([5, 1, 9, 3], share) for share in (0.5, 0.99, 0.01)] == [3, 9, 1]
    assert quantile([], 0.5) == 0


def test_the_view_draws_every_stage_within_its_lines(evidence: Evidence) -> None:
    start_ms = evidence.clock.origin_ms
    for height in (24, 34, 60):
        for seen in (evidence, Evidence(POLICY, evidence.clock)):
            console = Console(width=view.COLUMNS, record=True, file=io.StringIO())
            console.print(
                view.picture(
                    seen, now_ms=start_ms + HOUR_MS, start_ms=start_ms, end_ms=start_ms + 10 * HOUR_MS, rate=90.0,
                    height=height,
                )
            )  # fmt: skip
            lines = console.export_text().splitlines()
            assert len(lines) <= min(height, view.HEIGHT) and max(map(len, lines)) <= view.COLUMNS
    assert from_rfc3339(evidence.decisions[0].at) > 0
