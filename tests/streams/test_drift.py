"""Drift: what an audience stands on goes wrong upstream; it falls silent, says why, and comes back by itself."""

import random
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

import msgspec
import pytest

from contracts.instant import HOUR_MS, MINUTE_MS, to_rfc3339
from contracts.signals import Identified, Item, Messaged, Paged, PersonSignal, Tracked
from streams import control
from streams.drift import NAMES_MAX, Drift, Trouble
from streams.inputs import Watch
from streams.partition import Partition
from tests.streams.histories import ME, POLICY, START_MS, Run, added, page, track

ABANDONER = "high_aov_abandoner"
WATCH = Watch(POLICY)


class Shop:
    """Signals of a stream of strangers, one a step; `at` is the next acceptance."""

    def __init__(self, step_ms: int = 10_000, seed: int = 1) -> None:
        self.at_ms, self.step_ms, self.number = START_MS, step_ms, 0
        self.dice = random.Random(seed)

    def one(self, kind: type[PersonSignal], person: str | None = None, **fields: object) -> PersonSignal:
        self.number += 1
        self.at_ms += self.step_ms
        stamp = {"id": f"s{self.number}", "occurred_ms": self.at_ms, "accepted_ms": self.at_ms}
        return kind(person=person or f"id:s{self.number}", **stamp, **fields)  # type: ignore[arg-type]

    def add(self, price: object = 20, person: str | None = None, currency: str | None = "USD") -> PersonSignal:
        item = Item("soap", price=None if price is None else Decimal(str(price)), category="soaps")
        return self.one(Tracked, person, event="Product Added", item=item, currency=currency)

    def order(
        self, event: str = "Order Completed", person: str | None = None, *, order_id: bool = True, total: object = 20
    ) -> PersonSignal:
        name = f"o{self.number}" if order_id else None
        amount = None if total is None else Decimal(str(total))
        return self.one(Tracked, person, event=event, order_id=name, amount=amount, currency="USD")

    def look(self) -> PersonSignal:
        return self.one(Paged, path="/")

    def ordinary(self, orders: int, looks: int = 9) -> Iterator[PersonSignal]:
        """Orders with so many page visits between two of them on the average."""
        for _ in range(orders):
            for _ in range(int(self.dice.expovariate(1 / looks)) if looks else 0):
                yield self.look()
            yield self.order()


def troubles(signals: Iterable[PersonSignal], drift: Drift | None = None) -> list[Trouble]:
    drift = drift or Drift()
    return [change for signal in signals for change in drift.note(signal, WATCH)]


def me(run: Run) -> list[tuple[str, str, str]]:
    return [(d.audience, d.outcome, d.reason) for d in run.decisions if d.person == ME]


def big_cart(shop: Shop) -> PersonSignal:
    item = Item("serum", price=Decimal(200), category="serums")
    return shop.one(Tracked, ME, event="Cart Viewed", items=(item,), currency="USD")


def test_while_prices_are_missing_a_large_cart_is_withheld_and_says_which_field_then_begins_by_itself() -> None:
    shop = Shop()
    sound = [shop.add() for _ in range(100)]
    mine = big_cart(shop)
    broken = [shop.add(None) for _ in range(700)]  # 7,000 s: the cart's two hours end inside it
    run = Run().play([*sound, mine, *broken])
    shop.at_ms += HOUR_MS
    mended = [shop.add() for _ in range(200)]
    run.play(mended)
    withheld, activated = (d for d in run.decisions if d.person == ME)
    assert (withheld.audience, withheld.outcome, withheld.reason) == (ABANDONER, "withheld", "stale_data")
    clause = next(clause for clause in withheld.clauses if clause.clause == "inputs sound")
    assert not clause.held and clause.saw["price"].startswith("missing in ")  # type: ignore[union-attr]
    assert (activated.outcome, activated.reason) == ("activated", "qualified")
    assert to_rfc3339(mended[0].accepted_ms) < activated.at <= to_rfc3339(mended[-1].accepted_ms)
    assert activated.cause == "time"


def test_what_does_not_stand_on_the_field_goes_on() -> None:
    shop = Shop()
    run = Run().play([shop.add(None) for _ in range(100)])
    assert [trouble.input for trouble in run.partition.control.drift.troubles] == ["price"]
    run.play([shop.one(Tracked, ME, event="Subscription Cancel Started")])
    assert me(run) == [("subscription_save", "activated", "qualified")]


def test_a_moment_that_has_begun_goes_on_and_still_ends_when_it_is_no_longer_true() -> None:
    shop = Shop()
    run = Run().play([big_cart(shop)], until="3h")
    shop.at_ms += 3 * HOUR_MS
    run.play([shop.add(None) for _ in range(100)])
    assert me(run) == [(ABANDONER, "activated", "qualified")]
    run.play([shop.order(person=ME)])
    assert me(run)[1:] == [(ABANDONER, "withdrawn", "purchased")]


def test_a_renamed_order_silences_the_audience_before_anybody_is_misled() -> None:
    """Twenty people fill a large cart and buy it, one every five minutes; from some hour on the order has another name."""
    shop = Shop(step_ms=15_000)
    signals = list(shop.ordinary(200))
    buyers = []
    for number in range(60):
        buyers.append(buyer := f"id:buyer{number}")
        signals.append(shop.add(200, buyer))
        signals += [shop.look() for _ in range(int(shop.dice.expovariate(1 / 9)))]
        signals.append(shop.order("Order Finished", buyer, total=200))
    shop.at_ms += 3 * HOUR_MS
    run = Run().play([*signals, shop.look()])
    told = {(d.person in buyers, d.outcome, d.reason) for d in run.decisions if d.audience == ABANDONER}
    assert told == {(True, "withheld", "stale_data")}
    clause = next(c for d in run.decisions for c in d.clauses if c.clause == "inputs sound" and not c.held)
    assert "`Order Finished` is new" in str(clause.saw["orders"])


def test_orders_that_become_ten_times_rarer_are_trouble_too_and_it_ends_when_they_are_back() -> None:
    shop, drift = Shop(), Drift()
    assert troubles(shop.ordinary(200), drift) == []
    begun = [trouble for trouble in troubles(shop.ordinary(30, looks=120), drift) if trouble.input == "orders"]
    assert begun and begun[0].until_ms is None
    ended = troubles(shop.ordinary(40), drift)
    assert [(trouble.input, trouble.until_ms is not None) for trouble in ended] == [("orders", True)]


@pytest.mark.parametrize("seed", range(8))
def test_an_ordinary_shop_with_its_bursts_nights_and_campaigns_is_never_in_trouble(seed: int) -> None:
    dice, shop, drift = random.Random(seed), Shop(seed=seed), Drift()

    def day(busy: float) -> Iterator[PersonSignal]:
        for _ in range(2_000):
            if dice.random() < 0.03 * busy:
                for event in ("Order Created", "Order Paid", "Order Completed"):
                    yield shop.order(event)
            elif dice.random() < 0.2:
                yield shop.add(None if dice.random() < 0.05 else 20)
            elif dice.random() < 0.002:
                yield shop.order("Order Refunded")
            else:
                yield shop.look()
            if dice.random() < 0.05:
                yield shop.one(Identified, traits={"vip": True})

    def campaign() -> Iterator[PersonSignal]:
        for number in range(5_000):
            yield shop.one(Messaged, channel="email", metric="sent", delivery=f"d{number}")
            if dice.random() < 0.3:
                yield shop.one(Messaged, channel="email", metric="opened", delivery=f"d{number}")
                if dice.random() < 0.05:
                    yield shop.one(Messaged, channel="email", metric="clicked", delivery=f"d{number}")

    for _ in range(3):
        assert troubles(day(busy=1.0), drift) == []
        assert troubles(campaign(), drift) == []
        assert troubles(day(busy=0.4), drift) == []
    assert drift.gaps["orders"].count > 100 and drift.gaps["email clicks"].count > 100


def test_what_stays_rarer_for_hundreds_of_events_becomes_usual_such_as_after_an_import_of_old_orders() -> None:
    shop, drift = Shop(), Drift()
    troubles((shop.order() for _ in range(1_000)), drift)
    assert [trouble.input for trouble in troubles(shop.ordinary(20, looks=60), drift)] == ["orders"]
    assert [trouble.until_ms is not None for trouble in troubles(shop.ordinary(500, looks=60), drift)] == [True]


def test_clicks_that_stop_while_mails_are_opened_are_trouble_for_who_reads_and_does_not_click() -> None:
    shop, drift = Shop(), Drift()

    def mails(count: int, click: bool) -> Iterator[PersonSignal]:
        for number in range(count):
            yield shop.one(Messaged, channel="email", metric="opened", delivery=f"d{number}")
            if click and shop.dice.random() < 0.2:
                yield shop.one(Messaged, channel="email", metric="clicked", delivery=f"d{number}")

    assert troubles(mails(1_000, click=True), drift) == []
    assert [trouble.input for trouble in troubles(mails(200, click=False), drift)] == ["email clicks"]
    assert "email clicks" in WATCH.needs["at_risk_repeat"] and "email clicks" not in WATCH.needs[ABANDONER]


def test_order_ids_and_currencies_that_were_once_there_are_missed_and_others_are_not() -> None:
    shop = Shop()
    assert troubles(shop.order(order_id=False) for _ in range(300)) == []
    assert troubles(shop.add(currency=None) for _ in range(300)) == []
    drift = Drift()
    assert troubles((each for _ in range(100) for each in (shop.order(), shop.add())), drift) == []
    lost = (each for _ in range(60) for each in (shop.order(order_id=False), shop.add(currency=None)))
    assert [trouble.input for trouble in troubles(lost, drift)] == ["order_id", "currency"]


def test_orders_that_name_nobody_are_trouble_and_those_whose_browser_is_known_are_not() -> None:
    shop = Shop()
    nobodys = [shop.order(person=f"anon:{number}") for number in range(100)]
    assert [trouble.input for trouble in troubles(nobodys)] == ["order_person"]
    passed = [
        each
        for order in nobodys
        for each in (order, msgspec.structs.replace(order, person="id:owner", via=(order.person,)))
    ]
    assert troubles(passed) == []


@pytest.mark.parametrize("currency", ["CHF", "ZZZ"])
def test_money_in_an_unlisted_currency_is_trouble(currency: str) -> None:
    shop = Shop()
    signals = [shop.add() for _ in range(60)] + [shop.add(currency=currency) for _ in range(60)]
    assert [trouble.input for trouble in troubles(signals)] == ["currency"]


def test_pages_without_a_path_are_trouble() -> None:
    shop = Shop()
    assert [t.input for t in troubles(shop.one(Paged, path="Shipping") for _ in range(60))] == ["path"]


def drifting() -> Sequence[PersonSignal]:
    shop = Shop(step_ms=MINUTE_MS)
    signals = [shop.add(200, f"id:p{number}") for number in range(90)]
    signals += [shop.add(None if number % 3 else 200, f"id:q{number}") for number in range(300)]
    return [*signals, *(shop.add(200, f"id:r{number}") for number in range(300))]


def test_coarse_marks_give_what_fine_marks_give() -> None:
    fine, coarse = Run().play(drifting(), until="24h"), Run().play(drifting(), until="24h", every_ms=5 * HOUR_MS)
    assert {d.id for d in fine.decisions} == {d.id for d in coarse.decisions}
    assert {"stale_data", "qualified"} <= {d.reason for d in fine.decisions}


def test_a_restart_at_any_point_changes_nothing() -> None:
    whole, broken = Run().play(drifting(), until="24h"), Run()
    for number, signal in enumerate(drifting()):
        broken.read([signal])
        if number % 7 == 0:
            kept = control.decode(control.encode(broken.partition.control))
            broken.partition = Partition(POLICY, broken.people, arm=lambda key: "assisted", control=kept)
            broken.partition.restore(broken.people.items())
    broken.play([], until="24h")
    assert [d.id for d in whole.decisions] == [d.id for d in broken.decisions]


def test_a_handful_of_odd_events_is_no_trouble() -> None:
    run = Run().play([added("serum", 200, "0m"), added("odd", None, "1m"), page("Shipping", "2m"), track("New", "3m")])
    assert run.partition.control.drift.troubles == []


def test_what_is_kept_does_not_grow_with_the_stream() -> None:
    shop, drift = Shop(), Drift()
    for number in range(20_000):
        drift.note(shop.one(Tracked, event=f"{number} " + "x" * 500), WATCH)
        drift.note(shop.add(None if number % 400 < 200 else 20), WATCH)
        drift.note(shop.one(Identified, traits={f"t{number}": True}), WATCH)
        drift.forget(shop.at_ms)
    assert len(drift.names) == NAMES_MAX
    assert len(control.encode(control.Control(drift=drift))) < 20_000
