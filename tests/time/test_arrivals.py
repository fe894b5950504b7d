"""When signals arrive: late, early, twice, tied, by a wrong clock, all at once after an outage, past a stalled source."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from contracts.calls import parse
from contracts.decisions import Decision
from contracts.instant import DAY_MS, HOUR_MS, MINUTE_MS, duration_ms, to_rfc3339
from contracts.policy_values import REMEMBERED_MAX
from contracts.signals import Marked, PersonSignal
from streams.person import IDS_MAX, PENDING_MAX
from tests.streams.histories import ME, START_MS, Run, added, ordered, page, track

ACTIVATED, WITHDRAWN = "activated qualified", "withdrawn purchased"
CART = "high_aov_abandoner"


class Sources(Run):
    """A partition of the log that several source partitions write into, each with marks of its own."""

    def __init__(self, of: int = 2) -> None:
        super().__init__()
        self.of = of

    def hear(self, source: int, at: str) -> "Sources":
        at_ms = START_MS + duration_ms(at)
        self.take(Marked(source=f"history/{source}", at_ms=at_ms, of=self.of, outcomes=False))
        return self

    def read_all(self, signals: Sequence[PersonSignal]) -> "Sources":
        for signal in signals:
            self.take(signal)
        return self


def told(decisions: Sequence[Decision]) -> list[tuple[str, str]]:
    return sorted((decision.id, decision.at) for decision in decisions)


def value(run: Run) -> object:
    return run.partition.facts(ME, START_MS + HOUR_MS)["last_cart_value"]


@pytest.mark.parametrize(
    ("arrives", "begins"), [("3h", "180m"), ("11h59m59s", "719.983m"), ("12h", None), ("13h", None), ("3d", None)]
)
def test_a_late_cart_begins_at_its_arrival_while_its_window_is_open_and_never_after(
    arrives: str, begins: str | None
) -> None:
    said = Run().play([added("serum", 200, arrives, occurred="0m")], until="5d").said()
    assert [(at, word) for at, _, word in said if word == ACTIVATED] == ([(begins, ACTIVATED)] if begins else [])


@pytest.mark.parametrize("late_hours", [0, 1, 48, 7200])
def test_a_purchase_empties_the_cart_as_it_was_however_late_it_is_told(late_hours: int) -> None:
    accepted = f"{3 + late_hours}h5m"
    signals = [added("serum", 200, "0m"), ordered("o1", 200, accepted, occurred="1m")]
    run = Run().play(signals, until="320d")
    assert run.partition.facts(ME, START_MS + 320 * DAY_MS)["lifetime_orders"] == 1
    assert run.partition.state(ME).cart.lines == {}  # type: ignore[union-attr]
    if late_hours < 9:
        carts = [said for said in run.said() if said[1] == CART]
        assert carts[-1] == (f"{duration_ms(accepted) / MINUTE_MS:g}m", CART, WITHDRAWN)


@pytest.mark.parametrize("ahead_ms", [1, 1000, HOUR_MS, 400 * DAY_MS])
def test_what_is_dated_after_its_acceptance_counts_from_its_acceptance(ahead_ms: int) -> None:
    message = call(START_MS, timestamp=to_rfc3339(START_MS + ahead_ms))
    run = Run().play(parsed(message, START_MS), until="1d")
    assert run.said()[0] == ("120m", CART, ACTIVATED)
    assert run.decisions[0].episode == f"{CART}@{to_rfc3339(START_MS)}"


@pytest.mark.parametrize("wrong_ms", [-400 * DAY_MS, -5 * HOUR_MS, -1, 0, 1, 5 * HOUR_MS, 400 * DAY_MS])
def test_a_sender_whose_clock_is_wrong_is_corrected_by_the_receipt(wrong_ms: int) -> None:
    """`originalTimestamp` and `sentAt` are of the sender's clock, `receivedAt` is of Customer.io's."""
    message = call(
        START_MS,
        originalTimestamp=to_rfc3339(START_MS + wrong_ms),
        sentAt=to_rfc3339(START_MS + 2 * MINUTE_MS + wrong_ms),
        receivedAt=to_rfc3339(START_MS + 2 * MINUTE_MS),
    )
    assert [signal.occurred_ms for signal in parsed(message, START_MS + HOUR_MS)] == [START_MS]
    in_batch = {"batch": [{k: v for k, v in message.items() if k != "sentAt"}], "sentAt": message["sentAt"]}
    assert [signal.occurred_ms for signal in parsed(in_batch, START_MS + HOUR_MS)] == [START_MS]


def call(at_ms: int, **times: str) -> dict[str, Any]:
    properties = {"product_id": "serum", "price": 200, "currency": "USD"}
    return {
        "type": "track",
        "userId": "me",
        "messageId": "m",
        "event": "Product Added",
        "properties": properties,
        **times,
    }


def parsed(message: dict[str, Any], accepted_ms: int) -> list[PersonSignal]:
    found = parse(msgspec.json.encode(message), accepted_ms=accepted_ms)
    assert not found.rejected
    return list(found.signals)


@pytest.mark.parametrize(("between", "counted"), [(0, 1), (IDS_MAX - 1, 1), (IDS_MAX, 2)])
def test_a_repeat_counts_once_within_the_stated_number_of_messages_of_its_person(between: int, counted: int) -> None:
    others = [page("/about", f"{1 + number}s") for number in range(between)]
    signal = added("serum", 200, "0s")
    run = Run().play([signal, *others, msgspec.structs.replace(signal, accepted_ms=START_MS + 100_000)], until="1h")
    assert value(run) == 200.0 * counted


def test_a_repeat_counts_once_however_much_time_lies_between() -> None:
    signal = ordered(None, 100, "0s")
    again = msgspec.structs.replace(signal, accepted_ms=START_MS + 399 * DAY_MS)
    run = Run().play([signal, again], until="400d")
    assert run.partition.facts(ME, START_MS)["lifetime_orders"] == 1


def test_of_two_at_one_millisecond_the_later_in_the_log_is_after() -> None:
    cart, order = added("serum", 200, "1m"), ordered("o1", 200, "1m")
    bought = Run().play([cart, order], until="1d")
    assert (value(bought), bought.said()) == (0.0, [])
    again = Run().play([order, cart], until="2d")
    assert value(again) == 200.0
    assert [word for _, audience, word in again.said() if audience == CART] == ["withheld purchased"]


def test_all_of_one_second_is_taken_in_the_order_of_the_log() -> None:
    """Reporting webhooks carry whole seconds, so that what happened within one stands at one instant."""
    calls = [added("serum", 200, "1s", 1), track("Cart Viewed", "1s", items=[]), added("cream", 180, "1s")]
    run = Run().play(calls, until="1h")
    assert value(run) == 180.0
    assert [line.product for line in run.partition.state(ME).cart.lines.values()] == ["cream"]  # type: ignore[union-attr]


def backlog() -> list[PersonSignal]:
    """Three days of some people: bought soon, bought in time, bought after the window, never bought."""
    signals: list[PersonSignal] = []
    for day in range(3):
        for hour, who in enumerate(("soon", "in time", "after", "never")):
            key, start = f"id:{who}", 24 * day + hour
            signals.append(added("serum", 200, f"{start}h", key=key))
            if who != "never":
                later = {"soon": 1, "in time": 5, "after": 13}[who]
                signals.append(ordered(f"{who} {day}", 200, f"{start + later}h", key=key))
    return sorted(signals, key=lambda signal: signal.accepted_ms)


def test_a_backlog_of_days_read_at_once_is_decided_as_it_would_have_been_and_nothing_stale_is_shown() -> None:
    live = Run().play(backlog(), until="75h")
    caught_up = Sources(of=1).read_all(backlog())
    caught_up.hear(0, "75h")
    assert told(live.decisions) == told(caught_up.decisions)
    assert sum(decision.outcome == "activated" for decision in live.decisions) > 0
    assert [command for command in caught_up.commands if command.activates] == []  # type: ignore[attr-defined]
    assert len([command for command in live.commands if command.activates]) > 0  # type: ignore[attr-defined]


def test_a_backlog_that_reaches_us_at_once_begins_nothing_whose_window_is_closed_and_keeps_the_caps() -> None:
    """Here the outage was before the receiver: all is accepted within a minute, three days after the first occurred."""
    now_ms = START_MS + 75 * HOUR_MS
    flood = [msgspec.structs.replace(signal, accepted_ms=now_ms + number) for number, signal in enumerate(backlog())]
    touched = [added("wash", 90, "74h30m", key="id:never"), track("Subscription Cancel Started", "74h", key="id:never")]
    flood += [msgspec.structs.replace(signal, accepted_ms=now_ms + 50_000) for signal in touched]
    run = Run().play(flood, until="100h")
    begun = [(d.person, d.audience, d.at) for d in run.decisions if d.outcome == "activated"]
    assert ("id:never", CART, to_rfc3339(START_MS + duration_ms("76h30m"))) not in begun
    assert [audience for person, audience, _ in begun if person == "id:never"] == ["subscription_save"]
    assert ("withheld", "cap") in {(d.outcome, d.reason) for d in run.decisions if d.person == "id:never"}
    for decision in run.decisions:
        assert decision.expires_at is None or decision.outcome != "activated" or decision.at < decision.expires_at


def test_a_source_that_stalls_holds_beginnings_back_and_ends_wait_for_nothing() -> None:
    run = Sources().read_all([added("serum", 200, "0m"), added("serum", 200, "1h", key="id:other")])
    run.hear(0, "2h30m").hear(1, "2h30m")
    assert run.said() == [("120m", CART, ACTIVATED)]
    run.hear(0, "8h").read_all([ordered("o1", 200, "8h1m")]).hear(0, "9h")
    assert run.said()[1:] == [("481m", CART, WITHDRAWN)]
    run.hear(1, "9h")
    assert run.said()[2:] == [("180m", CART, ACTIVATED)]


def test_when_the_stalled_source_goes_on_everything_is_as_if_it_had_never_stalled() -> None:
    signals = backlog()
    for stalls_at in range(0, len(signals), 3):
        run = Sources()
        held: list[PersonSignal] = []
        for number, signal in enumerate(signals):
            source = number % 2
            if source == 1 and number >= stalls_at:
                held.append(signal)
                continue
            run.take(signal)
            run.hear(source, f"{(signal.accepted_ms - START_MS) // 60_000}m")
        run.read_all(held).hear(1, "75h").hear(0, "75h")
        begun = {d.id for d in run.decisions if d.outcome == "activated"}
        assert begun == {d.id for d in Run().play(signals, until="75h").decisions if d.outcome == "activated"}


def test_log_time_waits_for_a_source_that_was_added_until_it_has_spoken_and_never_goes_back() -> None:
    run = Sources(of=1).read_all([added("serum", 200, "0m")])
    run.hear(0, "1h")
    run.of = 2
    run.hear(0, "3h")
    assert run.said() == []
    run.hear(1, "30m")
    assert run.partition.control.marks.time_ms == START_MS + HOUR_MS
    run.hear(1, "3h")
    assert run.said() == [("120m", CART, ACTIVATED)]


def test_more_signals_than_may_wait_are_settled_early_in_their_order_and_the_record_stays_bounded() -> None:
    visits = [page("/about", f"{number}s") for number in range(3 * PENDING_MAX)]
    history: list[PersonSignal] = [added("serum", 200, "0s"), *visits, ordered("o1", 200, "3h")]
    run = Sources()
    for signal in history:
        run.take(signal)
        waiting = run.people.get(ME)
        assert waiting is not None
        assert len(waiting.pending) <= PENDING_MAX
    run.hear(0, "4h").hear(1, "4h")
    assert told(run.decisions) == told(Run().play(history, until="4h").decisions)
    assert ACTIVATED in [word for _, _, word in run.said()]


def test_beyond_what_may_wait_a_purchase_of_a_slower_source_counts_as_late_and_still_ends_the_moment() -> None:
    """The price of the bound: a moment is judged ahead of the marks, for somebody with hundreds of signals since."""
    visits = [page("/about", f"{3 * 3600 + number}s") for number in range(PENDING_MAX + 1)]
    run = Sources().read_all([added("serum", 200, "0s"), *visits])
    assert run.said() == [("120m", CART, ACTIVATED)]
    run.read_all([ordered("o1", 200, "1h")])
    assert [word for _, _, word in run.said()] == [ACTIVATED, WITHDRAWN]


def test_the_newest_visits_are_remembered_in_any_order_of_arrival() -> None:
    count = REMEMBERED_MAX + 10
    visits = [page("/help", f"{number}m") for number in range(count)]
    newest = [visit.occurred_ms for visit in visits[-REMEMBERED_MAX:]]
    now_ms = START_MS + DAY_MS
    for order in (visits, visits[::-1]):
        run = Run().play([msgspec.structs.replace(visit, accepted_ms=now_ms) for visit in order], until="2d")
        state = run.partition.state(ME)
        assert state is not None
        assert [at for at, _ in state.pages["help"]] == newest


def test_a_line_told_late_stands_though_a_newer_touch_came_thirty_days_after_it_and_is_forgotten_in_order() -> None:
    old, new = added("serum", 200, "40d", occurred="0d"), added("cream", 90, "39d")
    state = Run().play([new, old], until="41d").partition.state(ME)
    in_order = Run().play([added("serum", 200, "0d"), new], until="41d").partition.state(ME)
    assert state is not None and in_order is not None
    assert sorted(line.product for line in state.cart.lines.values()) == ["cream", "serum"]
    assert sorted(line.product for line in in_order.cart.lines.values()) == ["cream"]
