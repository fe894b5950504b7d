"""A record stays small enough for Kafka, whatever a person does and however long every text is."""

import itertools
from collections.abc import Iterator
from decimal import Decimal

import pytest

from contracts.instant import HOUR_MS, MINUTE_MS
from contracts.money import AMOUNT_ABS_MAX
from contracts.person_key import KEY_CHARS_MAX
from contracts.pipelines_call import PATH_CHARS_MAX, TRAITS_MAX
from contracts.policy_values import REMEMBERED_MAX
from contracts.product import ITEMS_MAX, TEXT_CHARS_MAX
from contracts.signals import Claimed, Conversed, Identified, Item, Messaged, Paged, PersonSignal, Tracked, encode
from streams.person import DELIVERIES_MAX, ORDERS_MAX, RECORD_BYTES_MAX
from tests.streams.histories import POLICY, START_MS, Run

FILLED = 0.5  # of the bound: what is driven here must come near it, or it shows nothing
NUMBERS = itertools.count()
EVENTS = sorted(POLICY.remembered_events)


def text(chars: int = TEXT_CHARS_MAX) -> str:
    """Another text at each call, as long as one may be, of characters that take four bytes each."""
    return f"{next(NUMBERS):06d}" + "\U0001f9f4" * (chars - 6)


def item() -> Item:
    return Item(text(), text(), text(), text(), AMOUNT_ABS_MAX - Decimal("0.000001"), text(), AMOUNT_ABS_MAX)


def longest(person: str, every_ms: int) -> Iterator[PersonSignal]:
    """All that a person may do, more often than a record keeps it."""
    at_ms = START_MS
    lists = (ITEMS_MAX, 1, *(20 for _ in range(ORDERS_MAX + 4)), *(1 for _ in range(110)))
    for number, count in enumerate(lists):
        at_ms += every_ms
        stamp = {"person": person, "id": text(), "occurred_ms": at_ms, "accepted_ms": at_ms}
        lines = tuple(item() for _ in range(count))
        if count == 20:
            yield Tracked(**stamp, event="Order Paid", order_id=text(), items=lines, path=text(PATH_CHARS_MAX))  # type: ignore[arg-type]
        else:
            yield Tracked(**stamp, event="Product Added", item=item(), path=text(PATH_CHARS_MAX))  # type: ignore[arg-type]
            yield Tracked(**{**stamp, "id": text()}, event="Cart Viewed", items=(*lines, *(item() for _ in range(60))))  # type: ignore[arg-type]
        yield Conversed(**{**stamp, "id": text()}, conversation=text(KEY_CHARS_MAX), open=True, topic="t")  # type: ignore[arg-type]
        yield Messaged(**{**stamp, "id": text()}, channel="email", metric="sent", delivery=text())  # type: ignore[arg-type]
        yield Paged(**{**stamp, "id": text()}, path="/help" + text(PATH_CHARS_MAX - 5))  # type: ignore[arg-type]
        for event in EVENTS if number < REMEMBERED_MAX else ():
            yield Tracked(**{**stamp, "id": text()}, event=event, order_id=text())  # type: ignore[arg-type]
        if number < DELIVERIES_MAX:
            traits = {text(): text() for _ in range(TRAITS_MAX)}
            yield Identified(**{**stamp, "id": text()}, traits=traits, email=f"{text(KEY_CHARS_MAX - 6)}@x.org")  # type: ignore[arg-type]


def sizes(run: Run) -> list[int]:
    return [len(record) for record in run.people.stored.values()]


@pytest.mark.parametrize("marks", [True, False])
def test_a_record_stays_below_its_bound_while_its_person_does_all_that_can_be_done(marks: bool) -> None:
    run, largest = Run(), 0
    for signal in longest("id:me", MINUTE_MS):
        if marks:
            run.mark(signal.accepted_ms - 1)
        run.take(signal)
        largest = max(largest, *sizes(run))
    assert RECORD_BYTES_MAX * FILLED < largest <= RECORD_BYTES_MAX


def test_two_full_records_that_become_one_stay_below_the_bound_and_so_does_what_is_handed_over() -> None:
    run, passed = Run(), list[int]()
    keep, largest = run.take, 0
    for mail, mine in zip(longest("email:me@x.org", MINUTE_MS), longest("id:me", MINUTE_MS), strict=True):
        keep(mail)
        keep(mine)
    claim = Claimed(
        person="email:me@x.org", id="c", owner="id:me", occurred_ms=mine.accepted_ms, accepted_ms=mine.accepted_ms
    )
    run.position += 1
    for moved in run.partition.take(claim, run.position).signals:
        passed.append(len(encode(moved)))
        run.take(moved)
        largest = max(sizes(run))
    run.mark(mine.accepted_ms + HOUR_MS)
    assert RECORD_BYTES_MAX * FILLED < max(largest, *sizes(run)) <= RECORD_BYTES_MAX
    assert len(passed) == 1
    assert passed[0] <= RECORD_BYTES_MAX
