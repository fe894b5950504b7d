"""Lift of a history: whom it compares, what it counts within each window, and what it refuses to say."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backtests import backtest
from backtests.balance import balance, balance_of
from backtests.experiment import DecisionsError, experiment, read_decisions
from backtests.ledger import Ledger
from backtests.lift import Asked
from backtests.outcomes import Outcomes, OutcomesError, Span, outcomes
from backtests.replay import replay
from contracts import calls, decisions
from contracts.decisions import Decision
from contracts.instant import DAY_MS, HOUR_MS
from contracts.signals import Conversed, Marked, Messaged, Moved, PersonSignal, Signal
from streams.arms import arm_by_hash
from streams.identity import CAME_ALONG
from streams.partition import Effects, Partition
from streams.person import Person
from tests.backtests.shops import POLICY, START_MS, call, cart, lines, order, shop, track

SPAN = Span(START_MS, START_MS + 28 * DAY_MS, 14 * DAY_MS, 28 * DAY_MS)
ASKED = Asked(detect=0.2)


def named(arm: str, kind: str = "id", number: int = 0) -> str:
    """A name whose key falls into the arm; another one for each number."""
    names = (f"somebody-{tried}{'@example.com' * (kind == 'email')}" for tried in range(1000))
    return [name for name in names if arm_by_hash(f"{kind}:{name}", POLICY) == arm][number]


def told(*given: dict[str, Any] | PersonSignal) -> list[PersonSignal]:
    signals: list[PersonSignal] = []
    for one in given:
        if isinstance(one, dict):
            parsed = calls.parse(json.dumps(one).encode(), accepted_ms=START_MS + 1000 * DAY_MS)
            assert not parsed.rejected
            signals += (msgspec.structs.replace(each, accepted_ms=each.occurred_ms) for each in parsed.signals)
        else:
            signals.append(one)
    return sorted(signals, key=lambda signal: signal.accepted_ms)


END = track(START_MS + 60 * DAY_MS, "the-last", "Product Viewed", product_id="serum")


def looked_at(*given: dict[str, Any] | PersonSignal, span: Span = SPAN, end: dict[str, Any] = END) -> Outcomes:
    signals = told(*given, end)
    people: dict[str, Person] = {}
    ledger = Ledger(POLICY, Partition(POLICY, people), people)
    made = [decision for effects in replay(signals, ledger) for decision in effects.decisions]
    return outcomes(made, ledger, POLICY, span)


def worth(found: Outcomes, arm: str = "assisted") -> dict[str, float | None]:
    """What the one person of this arm was worth within the window."""
    group = getattr(found, arm).group
    assert group.people == 1
    return {name: None if values is None else values[0] for name, values in group.now._asdict().items()}


ASSISTED, HELD = named("assisted"), named("holdout")
CART = cart(START_MS, ASSISTED)
OPENS_MS = START_MS + 2 * HOUR_MS  # the moment of a cart left at START_MS


def test_orders_count_from_the_moment_until_its_window_ends() -> None:
    inside = [OPENS_MS + 1, OPENS_MS + 14 * DAY_MS - 1]
    outside = [START_MS - DAY_MS, OPENS_MS + 14 * DAY_MS]
    for at_ms, counted in [(one, 1) for one in inside] + [(one, 0) for one in outside]:
        assert worth(looked_at(CART, order(at_ms, ASSISTED, 80)))["orders"] == counted, at_ms - OPENS_MS
    before = looked_at(CART, order(START_MS - DAY_MS, ASSISTED, 80)).assisted.group.before
    assert before.gross is not None and before.gross[0] == 80


def test_both_arms_are_opened_by_the_same_moment() -> None:
    found = looked_at(CART, cart(START_MS, HELD), order(OPENS_MS + HOUR_MS, HELD, 50))
    assert (found.assisted.people, found.holdout.people) == ((f"id:{ASSISTED}",), (f"id:{HELD}",))
    assert found.assisted.closed_ms == found.holdout.closed_ms == (OPENS_MS + 14 * DAY_MS,)
    assert (worth(found, "holdout")["orders"], worth(found)["orders"]) == (1, 0)


def test_only_the_first_moment_of_a_person_opens_a_window() -> None:
    found = looked_at(CART, cart(START_MS + 5 * DAY_MS, ASSISTED))
    assert found.assisted.closed_ms == (OPENS_MS + 14 * DAY_MS,)
    later = looked_at(CART, cart(START_MS + 5 * DAY_MS, ASSISTED), span=SPAN._replace(from_ms=START_MS + DAY_MS))
    assert later.assisted.closed_ms == (OPENS_MS + 19 * DAY_MS,)


def test_money_is_gross_less_discount_less_refund_and_cost_as_told() -> None:
    at_ms = OPENS_MS + HOUR_MS
    first = order(at_ms, ASSISTED, 90, discount=10, cost=30)
    found = worth(looked_at(CART, first, first))
    assert found == {"orders": 1, "gross": 100, "discount": 10, "cost": 30}
    order_id = first["properties"]["order_id"]
    refund = track(at_ms + DAY_MS, ASSISTED, "Order Partially Refunded", order_id=order_id, amount=0, total=40)
    assert worth(looked_at(CART, first, refund))["gross"] == 60
    late = track(OPENS_MS + 15 * DAY_MS, ASSISTED, "Order Partially Refunded", order_id=order_id, total=40)
    assert worth(looked_at(CART, first, late))["gross"] == 100
    cancel = track(at_ms + DAY_MS, ASSISTED, "Order Cancelled", order_id=order_id)
    assert worth(looked_at(CART, first, cancel))["orders"] == 0
    other = track(at_ms, ASSISTED, "Order Placed", order_id=order_id, total=90)
    assert worth(looked_at(CART, first, other))["orders"] == 1, "events of one order are one"
    euros = order(at_ms, ASSISTED, 100, currency="EUR", discount=10)
    assert worth(looked_at(CART, euros))["gross"] == pytest.approx(110 * 1.08)


def test_what_orders_do_not_tell_is_unknown_and_not_nothing() -> None:
    silent = looked_at(CART, order(OPENS_MS + HOUR_MS, ASSISTED, 90))
    assert worth(silent) == {"orders": 1, "gross": 90, "discount": None, "cost": None}
    assert silent.valueless == 0
    assert looked_at(CART, track(OPENS_MS + HOUR_MS, ASSISTED, "Order Placed", order_id="o")).valueless == 1


def test_what_was_bought_before_saying_who_one_is_counts() -> None:
    at_ms = OPENS_MS + HOUR_MS
    bought = call(
        "track", at_ms, None, anonymousId="browser", event="Order Placed", properties={"order_id": "o", "total": 70}
    )
    said = call("identify", at_ms + HOUR_MS, ASSISTED, anonymousId="browser")
    again = call(
        "track", at_ms + 2 * HOUR_MS, None, anonymousId="browser", event="Order Placed", properties={"total": 30}
    )
    for arm, name in (("assisted", ASSISTED), ("holdout", HELD)):
        if arm_by_hash("anon:browser", POLICY) == arm:
            found = looked_at(cart(START_MS, name), bought, {**said, "userId": name}, again)
            assert worth(found, arm)["gross"] == 100
            held = 0.3**2 / (0.3**2 + 0.7**2)
            assert list(found.chances) == pytest.approx([held]), "two keys fell into one arm"
        else:
            assert looked_at(cart(START_MS, name), bought, {**said, "userId": name}).both_arms == 1


def test_who_had_keys_in_both_arms_leaves_the_triggered_and_everybody() -> None:
    mixed = named("holdout", "email")
    wrote = call("track", START_MS + HOUR_MS, None, context={"traits": {"email": mixed}}, event="Product Viewed")
    said = call("identify", START_MS + 3 * HOUR_MS, ASSISTED, traits={"email": mixed})
    found = looked_at(CART, wrote, said)
    assert (found.both_arms, found.triggered, found.everybody[1].people) == (1, 0, 0)


def test_who_is_erased_is_gone() -> None:
    found = looked_at(CART, track(OPENS_MS + DAY_MS, ASSISTED, "User Deleted"))
    assert (found.gone, found.triggered, found.everybody[1].people) == (1, 0, 0)


def test_a_window_that_is_not_over_is_left_out_and_counted() -> None:
    end = track(OPENS_MS + 13 * DAY_MS, "the-last", "Product Viewed", product_id="serum")
    found = looked_at(CART, end=end)
    assert (found.triggered, found.open, found.assisted.people) == (1, 1, ())


def test_everybody_is_compared_whether_or_not_a_moment_came() -> None:
    found = looked_at(order(START_MS + DAY_MS, HELD, 40), order(START_MS - DAY_MS, ASSISTED, 99))
    assert found.triggered == 0
    held, rest = found.everybody
    assert held.now.gross is not None and rest.now.gross is not None
    assert (list(held.now.gross), list(rest.now.gross)) == ([40], [0])


def test_held_out_people_whom_somebody_wrote_to_are_counted() -> None:
    at_ms = OPENS_MS + HOUR_MS
    moments = [cart(START_MS, named("holdout", number=number)) for number in range(3)]

    def letter(number: int, at_ms: int) -> Messaged:
        key = f"id:{named('holdout', number=number)}"
        return Messaged(
            person=key, id=f"m-{number}", occurred_ms=at_ms, accepted_ms=at_ms, channel="email", metric="sent"
        )

    def talk(number: int, topic: str) -> Conversed:
        key = f"id:{named('holdout', number=number)}"
        return Conversed(
            person=key, id=f"c-{number}", occurred_ms=at_ms, accepted_ms=at_ms, conversation="c", open=True, topic=topic
        )  # fmt: skip

    found = looked_at(
        *moments,
        letter(0, at_ms),
        letter(1, OPENS_MS + 20 * DAY_MS),
        talk(1, "conversation.admin.single.created"),
        talk(2, "conversation.user.created"),
    )
    assert found.written_to == {"agent": 1, "message": 1}


def decided(person: str, **changed: Any) -> Decision:
    plain: dict[str, Any] = {
        "person": person, "audience": "a", "episode": "a@1", "outcome": "activated", "reason": "qualified",
        "at": "2026-03-03T00:00:00.000Z", "occurred_at": "2026-03-03T00:00:00.000Z", "expires_at": None, "arm": "assisted",
        "tier": "standard", "cause": "time", "clauses": (), "policy": POLICY.hash, "id": "1",
    }  # fmt: skip
    return Decision(**{**plain, **changed})


def of_decisions(*made: Decision) -> Outcomes:
    people: dict[str, Person] = {}
    ledger = Ledger(POLICY, Partition(POLICY, people), people)
    for _ in replay(told(CART, END), ledger):
        pass
    return outcomes(made, ledger, POLICY, SPAN)


def test_only_what_both_arms_meet_opens_a_window() -> None:
    key = f"id:{ASSISTED}"
    assert of_decisions(decided(key)).triggered == 1
    assert of_decisions(decided(key, clauses=(CAME_ALONG,))).triggered == 0
    assert of_decisions(decided(key, outcome="withheld", reason="cap")).triggered == 0
    assert of_decisions(decided(key, outcome="withdrawn", reason="purchased")).triggered == 0
    assert of_decisions(decided(key, at="2026-03-30T00:00:00.000Z")).triggered == 0


def test_decisions_that_do_not_belong_to_the_history_or_the_policy_are_refused() -> None:
    with pytest.raises(OutcomesError, match="history does not know"):
        of_decisions(decided("id:a-stranger"))
    with pytest.raises(OutcomesError, match="hold out other people"):
        of_decisions(decided(f"id:{ASSISTED}", outcome="withheld", reason="holdout", arm="holdout"))


def test_with_equal_chances_the_split_is_judged_as_by_counts() -> None:
    assert balance_of(900, [0.1] * 10_000).p == pytest.approx(balance((9100, 900), (0.9, 0.1)).p)
    assert balance_of(900, [0.1] * 10_000).alarm
    assert not balance_of(0, [0.1**3] * 100).alarm
    assert balance_of(0, []).p == 1


@pytest.fixture(scope="module")
def paying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the history of a shop where it pays, and its decisions."""
    folder = tmp_path_factory.mktemp("paying")
    (folder / "events.jsonl").write_text(lines(shop(1200, held_out_buys=0.2, assisted_buys=0.5)), encoding="utf-8")
    backtest.run(folder / "events.jsonl", POLICY, out=folder / "out")
    yield folder


def of_shop(folder: Path, span: Span = SPAN) -> dict[str, Any]:
    given = told(*(json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()))
    return experiment(given, read_decisions(folder / "out"), POLICY, span, ASKED)


def test_a_shop_where_it_pays_is_told_so_with_the_numbers_counted_by_hand(paying: Path) -> None:
    found = of_shop(paying)
    assert found["answer"] == "paid" and found["sentence"].startswith("It paid: ")
    events = [json.loads(line) for line in (paying / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    buyers = {event["userId"] for event in events if event["event"] == "Order Completed"}
    sums = {"holdout": [0, 0], "assisted": [0, 0]}
    triggered = {
        decision.person.removeprefix("id:")
        for decision in read_decisions(paying / "out")
        if decision.outcome == "activated" or decision.reason == "holdout"
        if decision.at < "2026-03-30"
    }
    for user in triggered:
        arm = sums[arm_by_hash(f"id:{user}", POLICY)]
        arm[0] += 1
        arm[1] += user in buyers
    for name, (people, bought) in sums.items():
        assert found["people"][name] == people
        assert found["metrics"]["conversion"][name]["value"] == pytest.approx(bought / people)
    assert not any(split["alarm"] for split in found["splits"].values())
    assert found["intention_to_treat"]["metrics"]["conversion"]["absolute"]["value"] > 0.1
    assert found["refused"] == {}


class Recorder:
    """Keeps every record of the log that a replay makes."""

    def __init__(self) -> None:
        self.log: list[Signal] = []
        self._partition = Partition(POLICY, {})

    def take(self, signal: Signal, position: int) -> Effects:
        self.log.append(signal)
        return self._partition.take(signal, position)


def test_a_log_of_signals_and_decisions_tells_what_its_history_tells() -> None:
    given: list[dict[str, Any]] = []
    for number, event in enumerate(shop(150, held_out_buys=0.3, assisted_buys=0.5)):
        given.append(event)
        if number % 3 == 0:  # some look around in a browser of their own first, and say who they are later
            anonymous = {"anonymousId": f"browser-{number}"}
            at_ms = START_MS + number * HOUR_MS
            given.append(call("track", at_ms, None, **anonymous, event="Order Placed", properties={"total": 30}))
            given.append(call("identify", at_ms + 1, event["userId"], **anonymous))
    history, recorder = told(*given), Recorder()
    made = [decision for effects in replay(history, recorder) for decision in effects.decisions]
    assert any(isinstance(record, Moved) for record in recorder.log), "nobody was merged"
    assert any(isinstance(record, Marked) for record in recorder.log)
    found = experiment(recorder.log, made, POLICY, SPAN, ASKED)
    assert found == experiment(history, made, POLICY, SPAN, ASKED)
    assert found["left_out"]["keys_in_both_arms"] > 0


def test_each_week_s_look_knows_more_people_and_the_last_knows_all(paying: Path) -> None:
    found = of_shop(paying)
    people = [look["people"] for look in found["looks"]]
    assert people == sorted(people) and people[-1] == sum(found["people"].values())
    assert people[0] == 0 and found["looks"][0]["absolute"] is None, "no window is over in the first week"
    assert found["looks"][-1]["absolute"]["value"] == found["metrics"]["margin"]["absolute"]["value"]


def test_a_shop_too_small_is_told_the_weeks_to_go(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(lines(shop(120, held_out_buys=0.3, assisted_buys=0.3)), encoding="utf-8")
    backtest.run(tmp_path / "events.jsonl", POLICY, out=tmp_path / "out")
    found = of_shop(tmp_path)
    assert found["answer"] == "not_enough_people"
    plan = found["plan"]
    weeks = -(-(plan["needed"] - plan["people"]) // plan["per_week"])
    assert f"{weeks:,.0f} weeks to go" in found["sentence"]
    assert plan["per_week"] == pytest.approx(30, abs=2), "120 people in four weeks"


def test_decisions_that_cannot_be_read_are_refused_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(decisions.encode(decided("id:a")) + b"\n{}\n")
    with pytest.raises(DecisionsError, match="line 2: is no decision"):
        list(read_decisions(tmp_path))
    with pytest.raises(DecisionsError, match="cannot be read"):
        list(read_decisions(tmp_path / "nowhere"))


def test_each_audience_is_told_alone_and_the_whole_beside_it() -> None:
    signals = told(CART, cart(START_MS, HELD), order(OPENS_MS + HOUR_MS, ASSISTED, 80), END)
    people: dict[str, Person] = {}
    ledger = Ledger(POLICY, Partition(POLICY, people), people)
    made = [decision for effects in replay(signals, ledger) for decision in effects.decisions]
    other = [msgspec.structs.replace(one, audience="another") for one in made if one.person == f"id:{ASSISTED}"]
    answer = experiment(signals, [*made, *other], POLICY, SPAN, ASKED)
    people_of = {name: audience["people"] for name, audience in answer["audiences"].items()}
    assert people_of == {
        "another": {"assisted": 1, "holdout": 0},
        "high_aov_abandoner": {"assisted": 1, "holdout": 1},
    }
    assert all(audience["sentence"] for audience in answer["audiences"].values())
    assert answer["people"] == {"assisted": 1, "holdout": 1}, "a person counts once in the whole"
