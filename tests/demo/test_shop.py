"""The simulated shop: the same for a seed, readable, and as often left and as long as real shops see it."""

from collections import Counter, defaultdict
from random import Random
from statistics import median

import pytest

from contracts.calls import parse
from contracts.instant import DAY_MS, HOUR_MS, SECOND_MS
from contracts.signals import Tracked
from rehearsal import shop
from rehearsal.demo_shopper import Sent
from tests.demo.world import START_MS

HOURS, PEOPLE = 24, 400


@pytest.fixture(scope="module", params=(7, 11, 2026))
def day(request: pytest.FixtureRequest) -> list[Sent]:
    return written(request.param)


def written(seed: int, people: int = PEOPLE) -> list[Sent]:
    return list(shop.day(Random(seed), start_ms=START_MS, hours=HOURS, people=people))


def visits(day: list[Sent]) -> list[list[Sent]]:
    found: dict[int, list[Sent]] = defaultdict(list)
    for sent in day:
        if sent.visit:
            found[sent.visit].append(sent)
    return list(found.values())


def test_a_seed_gives_the_same_day_byte_for_byte() -> None:
    assert written(7) == written(7)


def test_another_seed_gives_another_day() -> None:
    assert written(7, 40) != written(8, 40)


def test_messages_come_in_time_order_within_the_day(day: list[Sent]) -> None:
    times = [sent.at_ms for sent in day]
    assert times == sorted(times)
    assert times[0] >= START_MS and times[-1] < START_MS + HOURS * HOUR_MS


def test_a_day_has_the_size_that_the_demo_promises(day: list[Sent]) -> None:
    assert 3_000 <= len(day) <= 6_500
    assert 300 <= len({sent.person for sent in day if sent.person}) <= 500


def test_most_carts_are_left_as_real_ones_are(day: list[Sent]) -> None:
    carts = [visit for visit in visits(day) if any(b'"Product Added"' in sent.body for sent in visit)]
    left = sum(all(sent.kind != "order" for sent in visit) for visit in carts)
    assert len(carts) > 100
    assert left / len(carts) == pytest.approx(0.73, abs=0.09)


def test_a_visit_lasts_as_long_as_real_ones_do(day: list[Sent]) -> None:
    lengths = [(max(s.at_ms for s in visit) - min(s.at_ms for s in visit)) / SECOND_MS for visit in visits(day)]
    assert median(lengths) == pytest.approx(308, rel=0.15)


def test_only_the_unreadable_bodies_are_refused(day: list[Sent]) -> None:
    for sent in day:
        parsed = parse(sent.body, accepted_ms=sent.at_ms)
        assert len(parsed.rejected) == (sent.kind == "unreadable")
        assert bool(parsed.signals) == (sent.kind != "unreadable")


def test_an_unreadable_body_gives_one_record_for_quarantine_each() -> None:
    reasons = {parse(body, accepted_ms=START_MS).rejected[0].reason for body in shop.UNREADABLE}
    assert len(reasons) >= 3


def test_messages_carry_their_own_names_and_duplicates_repeat_one(day: list[Sent]) -> None:
    seen: dict[str, bytes] = {}
    for sent in day:
        if sent.kind == "duplicate":
            assert seen[sent.message] == sent.body
        else:
            assert sent.message not in seen
            seen[sent.message] = sent.body
        if sent.kind not in ("unreadable", "duplicate"):
            signal = parse(sent.body, accepted_ms=sent.at_ms).signals[0]
            assert signal.id == sent.message


def test_an_order_is_told_by_two_events_of_one_number(day: list[Sent]) -> None:
    told = Counter(sent.order for sent in day if sent.kind in ("order", "order_again"))
    assert len(told) > 50
    late = START_MS + HOURS * HOUR_MS - 60 * SECOND_MS
    for sent in day:
        if sent.kind == "order":
            signal = parse(sent.body, accepted_ms=sent.at_ms).signals[0]
            assert isinstance(signal, Tracked) and signal.order_id == sent.order and signal.amount
            assert told[sent.order] == 2 or sent.at_ms > late


def test_old_orders_are_told_under_their_own_dates(day: list[Sent]) -> None:
    old = [sent for sent in day if sent.kind == "order" and sent.past]
    ages = [sent.at_ms - parse(sent.body, accepted_ms=sent.at_ms).signals[0].occurred_ms for sent in old]
    assert len(ages) > 50
    assert min(ages) > 60 * DAY_MS


def test_everything_that_the_demo_shows_happens(day: list[Sent]) -> None:
    assert {sent.feed for sent in day} == {"pipelines", "reporting", "intercom"}
    kinds = Counter(sent.kind for sent in day)
    assert set(kinds) >= {"order", "order_again", "refund", "cancel", "duplicate", "unreadable", "other"}
    text = b"\n".join(sent.body for sent in day)
    for said in (
        b"Checkout Started", b"/pages/shipping", b'"prefetched":true', b'"machine":true', b"conversation.admin.closed",
        b'"metric":"unsubscribed"', b"Order Partially Refunded",
    ):  # fmt: skip
        assert said in text, said
