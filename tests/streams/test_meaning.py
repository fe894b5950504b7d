"""What the words of the policy mean, edge by edge: a history in, decisions or facts out."""

from decimal import Decimal

import pytest

from contracts.instant import DAY_MS, duration_ms
from contracts.signals import Claimed, Consented, Conversed, Erased, Identified, Item, Messaged, PersonSignal
from streams import cart, orders
from streams.person import Cart
from tests.streams.histories import ME, POLICY, START_MS, Run, added, ordered, page, stamp, track

ABANDONED = ("high_aov_abandoner", "activated qualified")


def said(*signals: PersonSignal, until: str = "24h") -> list[tuple[str, str, str]]:
    return Run().play(signals, until=until).said()


def facts(*signals: PersonSignal, at: str = "1h") -> dict[str, object]:
    run = Run().play(signals, until=at)
    return dict(run.partition.facts(ME, START_MS + duration_ms(at)))


def cart_value(*signals: PersonSignal, at: str = "1h") -> object:
    return facts(*signals, at=at)["last_cart_value"]


def message(metric: str, at: str, delivery: str = "d1", *, human: bool = True, channel: str = "email") -> Messaged:
    fields = {**stamp(at), "id": f"{metric} {at} {delivery}"}
    return Messaged(channel=channel, metric=metric, delivery=delivery, human=human, **fields)  # type: ignore[arg-type]


def chat(open_: bool, at: str, conversation: str = "c1") -> Conversed:
    return Conversed(conversation=conversation, open=open_, topic="t", **{**stamp(at), "id": f"chat {at}"})  # type: ignore[arg-type]


def test_a_large_cart_is_activated_two_hours_after_the_last_touch_and_expires_after_twelve() -> None:
    assert said(added("serum", 90, "0m", 2), added("cream", 10, "10m")) == [
        ("130m", *ABANDONED),
        ("730m", "high_aov_abandoner", "withdrawn expired"),
    ]


def test_a_cart_of_exactly_the_threshold_is_nobodys_moment() -> None:
    assert said(added("serum", 150, "0m")) == []


def test_a_purchase_withdraws_at_its_acceptance() -> None:
    assert said(added("serum", 180, "0m"), ordered("o1", 180, "3h")) == [
        ("120m", *ABANDONED),
        ("180m", "high_aov_abandoner", "withdrawn purchased"),
    ]


def test_a_purchase_at_the_very_instant_of_the_beginning_prevents_it() -> None:
    assert said(added("serum", 180, "0m"), ordered("o1", 180, "2h")) == []


def test_a_new_cart_within_a_day_of_an_order_is_withheld_as_purchased_and_let_through_when_the_day_is_over() -> None:
    history = [ordered("o1", 50, "0m"), added("serum", 180, "20h")]
    assert said(*history, until="60h") == [
        (f"{22 * 60}m", "high_aov_abandoner", "withheld purchased"),
        (f"{24 * 60}m", *ABANDONED),
        (f"{32 * 60}m", "high_aov_abandoner", "withdrawn expired"),
    ]


def test_a_late_order_that_occurred_before_the_anchor_still_withdraws() -> None:
    assert said(added("serum", 180, "1h"), ordered("o1", 20, "4h", occurred="30m")) == [
        ("180m", *ABANDONED),
        ("240m", "high_aov_abandoner", "withdrawn purchased"),
    ]


def test_a_purchase_that_waits_when_its_moment_begins_ends_it_at_once_and_by_itself() -> None:
    run = Run()
    run.take(added("serum", 180, "0m"))
    run.take(ordered("o1", 180, "125m"))
    run.mark(START_MS + duration_ms("121m"))
    assert run.said() == [("120m", *ABANDONED), ("125m", "high_aov_abandoner", "withdrawn purchased")]
    assert run.decisions[-1].cause == "signal:Order Completed 125m"
    run.take(page("/anything", "126m"))
    run.mark(START_MS + duration_ms("3h"))
    assert len(run.said()) == 2


def test_the_exit_has_hysteresis() -> None:
    high = [added("serum", 100, "0m"), added("cream", 60, "0m")]
    to_130 = track("Product Removed", "3h", item={"p": "gel", "quantity": "1"})
    to_100 = track("Product Removed", "4h", item={"p": "cream"})
    assert said(*high, to_130, to_100)[-1] == ("240m", "high_aov_abandoner", "withdrawn no_longer_true")


def test_what_a_signal_ends_is_named_by_it_where_time_ends_it_too_and_an_old_stop_is_just_over() -> None:
    cart, order = added("serum", 180, "12h"), ordered("o1", 40, "24h", occurred="0m")
    emptied = track("Cart Viewed", "24h", items=[])
    assert said(cart, order, emptied, until="24h")[1] == (
        "1440m",
        "high_aov_abandoner",
        "withdrawn no_longer_true",
    )


def test_newer_touches_of_an_active_episode_are_spent() -> None:
    assert said(added("serum", 180, "0m"), added("cream", 20, "3h"), until="3d") == [
        ("120m", *ABANDONED),
        ("720m", "high_aov_abandoner", "withdrawn expired"),
    ]


def test_the_order_that_ends_a_reminder_starts_the_next_one() -> None:
    """A reminder that works must not silence the one after it."""
    orders = [
        ordered(f"o{number}", 20, f"{45 * number}d", items=[{"p": "serum", "category": "serums"}]) for number in (0, 1)
    ]
    assert [(at, outcome) for at, name, outcome in said(*orders, until="104d") if name == "ready_to_reorder"] == [
        ("57600m", "activated qualified"),
        ("64800m", "withdrawn purchased"),
        ("122400m", "activated qualified"),
        ("149760m", "withdrawn expired"),
    ]


@pytest.mark.parametrize(
    ("signals", "value"),
    [
        ([added("serum", 90, "0m", 2)], 180.0),
        ([added("serum", 90, "0m"), added("serum", 80, "1m")], 160.0),
        ([added("serum", 90, "0m"), added("serum", None, "1m")], 180.0),
        ([added("serum", None, "0m")], None),
        ([added("serum", 90, "0m", 3), track("Product Removed", "1m", item={"p": "serum", "quantity": "2"})], 90.0),
        ([added("serum", 90, "0m", 3), track("Product Removed", "1m", item={"p": "serum"})], 0.0),
        ([track("Product Removed", "0m", item={"p": "serum"}), added("serum", 90, "1m")], 90.0),
        ([added("serum", 90, "0m"), track("Cart Viewed", "1m", items=[])], 0.0),
        ([added("serum", 90, "0m"), track("Cart Viewed", "1m", items=[{"p": "gel", "price": "12.50"}])], 12.5),
        ([added("serum", 90, "0m"), track("Checkout Started", "1m", amount="200")], 200.0),
        ([track("Checkout Started", "1m", amount="200"), added("serum", 90, "2m")], 90.0),
        ([added("serum", 90, "0m"), ordered("o1", 10, "1m")], 0.0),
        ([added("serum", 90, "10m"), ordered("o1", 10, "20m", occurred="5m")], 90.0),
        ([ordered("o1", 10, "10m"), added("serum", 90, "20m", occurred="5m")], 0.0),
        ([track("Cart Viewed", "10m", items=[]), added("serum", 90, "20m", occurred="5m")], 0.0),
        (
            [added("serum", 90, "10m"), track("Cart Viewed", "20m", occurred="5m", items=[{"p": "gel", "price": "5"}])],
            95.0,
        ),
        ([track("Product Added", "0m", item={"p": "x", "price": "10"}, currency="EUR")], 10.8),
        ([track("Product Added", "0m", item={"p": "x", "price": "10"}, currency="CHF")], None),
        ([track("Product Added", "0m", item={"p": "x", "price": "10"})], 10.0),
    ],
)
def test_cart_value(signals: list[PersonSignal], value: object) -> None:
    assert cart_value(*signals) == value


def test_a_cart_untouched_for_thirty_days_is_empty() -> None:
    assert cart_value(added("serum", 90, "0m"), at="29d") == 90.0
    assert cart_value(added("serum", 90, "0m"), at="30d") == 0.0
    assert cart_value(added("serum", 90, "0m"), added("cream", 5, "30d"), at="31d") == 5.0


def test_the_same_order_under_another_name_does_not_empty_the_next_cart() -> None:
    history = [ordered("o1", 50, "0m"), added("serum", 30, "10m"), ordered("o1", 50, "20m", "Order Paid")]
    assert facts(*history) | {"last_cart_value": 30.0, "lifetime_orders": 1} == facts(*history)


def test_orders_count_until_cancelled_or_refunded_in_full() -> None:
    base = [ordered("o1", 100, "0m"), ordered("o2", 50, "1m")]
    assert facts(*base)["lifetime_orders"] == 2
    assert facts(*base, ordered("o1", None, "2m", "Order Cancelled"))["lifetime_orders"] == 1
    assert facts(*base, ordered("o1", None, "2m", "Order Refunded"))["lifetime_orders"] == 1
    assert facts(*base, ordered("o1", 60, "2m", "Order Refunded"))["lifetime_orders"] == 2
    twice = [ordered("o1", 60, "2m", "Order Refunded"), ordered("o1", 40, "3m", "Order Partially Refunded")]
    assert facts(*base, *twice)["lifetime_orders"] == 1
    assert facts(*base, ordered("o1", None, "2m", "Order Partially Refunded"))["lifetime_orders"] == 2


def test_a_cancel_that_comes_before_its_order_holds() -> None:
    history = [ordered("o1", None, "0m", "Order Cancelled"), ordered("o1", 100, "1m")]
    assert facts(*history)["lifetime_orders"] == 0


def test_a_partial_refund_lowers_lifetime_value() -> None:
    run = Run().play([ordered("o1", 100, "0m"), ordered("o1", 30, "1m", "Order Partially Refunded")])
    state = run.partition.state(ME)
    assert state is not None
    assert orders.lifetime_value(state.orders) == Decimal(70)


def test_a_cancelled_order_stops_everything_for_seven_days() -> None:
    history = [ordered("o1", 30, "0m"), ordered("o1", None, "10m", "Order Cancelled"), added("serum", 180, "163h")]
    assert said(*history, until="200h") == [
        (f"{165 * 60}m", "high_aov_abandoner", "withheld cancelled"),
        (f"{7 * 24 * 60 + 10}m", *ABANDONED),
        (f"{175 * 60}m", "high_aov_abandoner", "withdrawn expired"),
    ]


def test_a_conversation_withdraws_and_holds_for_twelve_hours_after_its_close() -> None:
    history: list[PersonSignal] = [
        added("serum", 180, "0m"),
        chat(True, "3h"),
        chat(False, "4h"),
        added("serum", 180, "8h"),
    ]
    assert said(*history, until="40h") == [
        ("120m", *ABANDONED),
        ("180m", "high_aov_abandoner", "withdrawn in_conversation"),
        ("600m", "high_aov_abandoner", "withheld in_conversation"),
        ("960m", "high_aov_abandoner", "withheld cap"),
    ]


def test_an_older_word_of_a_conversation_does_not_reopen_it() -> None:
    late = Conversed(conversation="c1", open=True, topic="t", **{**stamp("5h", occurred="2h"), "id": "late"})  # type: ignore[arg-type]
    run = Run().play([chat(True, "1h"), chat(False, "4h"), late])
    state = run.partition.state(ME)
    assert state is not None
    assert not state.conversations["c1"][1]


def test_unsubscribed_in_one_tool_holds_until_subscribed_in_that_tool() -> None:
    def word(tool: str, subscribed: bool, at: str) -> Consented:
        return Consented(tool=tool, subscribed=subscribed, **{**stamp(at), "id": f"{tool} {at}"})  # type: ignore[arg-type]

    history: list[PersonSignal] = [
        added("serum", 180, "0m"),
        word("intercom", False, "1h"),
        word("customerio", True, "3h"),
        word("intercom", True, "5h"),
    ]
    assert said(*history)[:2] == [
        ("120m", "high_aov_abandoner", "withheld unsubscribed"),
        ("300m", *ABANDONED),
    ]


def test_an_excluded_trait_withholds_in_any_of_its_true_spellings() -> None:
    for value in (True, "TRUE", 1, "1"):
        known = Identified(traits={"wholesale": value}, **stamp("0m"))  # type: ignore[arg-type]
        assert said(known, added("serum", 180, "0m")) == [("120m", "high_aov_abandoner", "withheld excluded")]
    known = Identified(traits={"wholesale": False}, **stamp("0m"))  # type: ignore[arg-type]
    assert said(known, added("serum", 180, "0m"))[0] == ("120m", *ABANDONED)


def test_an_erased_person_is_withdrawn_and_never_spoken_of_again() -> None:
    gone = Erased(**{**stamp("3h"), "id": "gone"})  # type: ignore[arg-type]
    run = Run().play([added("serum", 180, "0m"), gone, added("serum", 180, "4h")], until="3d")
    assert run.said() == [("120m", *ABANDONED), ("180m", "high_aov_abandoner", "withdrawn erased")]
    state = run.partition.state(ME)
    assert state is not None
    assert state.erased
    assert state.cart.lines == {}


def test_a_message_of_the_last_hour_is_pressure_and_a_vip_passes() -> None:
    assert said(added("serum", 180, "0m"), message("sent", "90m")) == [
        ("120m", "high_aov_abandoner", "withheld pressure"),
        ("150m", *ABANDONED),
        ("720m", "high_aov_abandoner", "withdrawn expired"),
    ]
    rich = ordered("old", 600, "0m", occurred="0m")
    assert said(rich, added("serum", 180, "26h"), message("sent", "27h30m"), until="28h")[-1] == (
        f"{28 * 60}m",
        *ABANDONED,
    )


def test_shipping_friction_needs_both_within_a_day_and_starts_at_the_later() -> None:
    started = track("Checkout Started", "1h", amount="90")
    assert said(page("/pages/Shipping-info", "0m"), started, until="13h") == [
        ("90m", "shipping_friction", "activated qualified"),
        ("780m", "shipping_friction", "withdrawn expired"),
    ]
    assert said(page("/pages/shipping", "0m"), track("Checkout Started", "25h", amount="90"), until="40h") == []
    assert said(page("/pages/shipping", "0m"), track("Checkout Started", "1h"), until="13h") == []


def test_the_cap_counts_per_kind_and_rolls_off() -> None:
    history = [added("serum", 180, "0m"), ordered("o1", 10, "3h"), added("serum", 180, "23h"), ordered(None, 5, "50h")]
    assert said(*history, until="40h") == [
        ("120m", *ABANDONED),
        ("180m", "high_aov_abandoner", "withdrawn purchased"),
        (f"{25 * 60}m", "high_aov_abandoner", "withheld purchased"),
        (f"{27 * 60}m", *ABANDONED),
        (f"{35 * 60}m", "high_aov_abandoner", "withdrawn expired"),
    ]


def test_a_higher_moment_takes_over_and_both_stand_side_by_side() -> None:
    history = [added("serum", 180, "0m"), track("Subscription Cancel Started", "3h"), track("Subscription Kept", "5h")]
    assert said(*history) == [
        ("120m", *ABANDONED),
        ("180m", "high_aov_abandoner", "withdrawn priority"),
        ("180m", "subscription_save", "activated qualified"),
        ("300m", "subscription_save", "withdrawn no_longer_true"),
    ]


def test_at_risk_repeat_stands_on_the_newest_email_opened_by_a_human_and_not_clicked() -> None:
    base = [ordered("o1", 40, "0m"), ordered("o2", 40, "3d")]
    opened: list[PersonSignal] = [message("sent", "50d"), message("opened", "51d")]
    assert said(*base, *opened, until="64d") == [(f"{63 * 24 * 60}m", "at_risk_repeat", "activated qualified")]
    prefetched = [message("sent", "50d"), message("opened", "51d", human=False)]
    assert said(*base, *prefetched, until="64d") == []
    clicked = [*opened, message("clicked", "64d")]
    assert said(*base, *clicked, until="65d")[-1] == (f"{64 * 24 * 60}m", "at_risk_repeat", "withdrawn no_longer_true")
    machine = [*opened, message("clicked", "64d", human=False)]
    assert len(said(*base, *machine, until="65d")) == 1


def test_the_reorder_cycle_is_a_median_of_occasions_else_the_days_of_the_category() -> None:
    days = [0, 10, 10, 40, 100]
    history = [ordered(f"o{n}", 10, f"{day}d{n}h") for n, day in enumerate(days)]
    state = Run().play(history).partition.state(ME)
    assert state is not None
    gaps = sorted([10 * DAY_MS + 3_600_000, 30 * DAY_MS + 2 * 3_600_000, 60 * DAY_MS + 3_600_000])
    assert orders.cycle_ms(state.orders, POLICY) == gaps[1]
    one = Run().play([added("serum", 50, "0m"), ordered("o1", 50, "1m")]).partition.state(ME)
    assert one is not None
    assert orders.cycle_ms(one.orders, POLICY) == 45 * DAY_MS


def test_post_purchase_risk_looks_at_the_anchor_order_and_leaves_after_a_quiet_delivery() -> None:
    late = track("Delivery Delayed", "2d", order_id="o1")
    other = track("Delivery Delayed", "2d", order_id="o9")
    assert said(ordered("o1", 40, "0m"), other, until="3d") == []
    home = track("Order Delivered", "4d", order_id="o1")
    assert said(ordered("o1", 40, "0m"), late, home, until="10d") == [
        (f"{2 * 24 * 60}m", "post_purchase_risk", "activated qualified"),
        (f"{7 * 24 * 60}m", "post_purchase_risk", "withdrawn no_longer_true"),
    ]


def test_education_follows_the_first_order_of_a_guided_category() -> None:
    first = ordered("o1", 40, "0m", items=[{"p": "a", "category": "serums", "price": "40"}])
    again = ordered("o2", 40, "10d", items=[{"p": "a", "category": "serums", "price": "40"}])
    assert said(first, again, until="20d") == [
        ("1440m", "post_purchase_education", "activated qualified"),
        (f"{7 * 24 * 60}m", "post_purchase_education", "withdrawn expired"),
    ]


def test_a_held_out_person_is_withheld_once_and_ends_in_silence() -> None:
    run = Run(arm=lambda key: "holdout").play([added("serum", 180, "0m"), ordered("o1", 10, "3h")], until="24h")
    assert run.said() == [("120m", "high_aov_abandoner", "withheld holdout")]
    assert run.commands == []


def test_an_anonymous_cart_comes_along_when_its_person_identifies() -> None:
    claim = Claimed(owner=ME, **{**stamp("10m", "anon:a"), "id": "c"})  # type: ignore[arg-type]
    assert said(added("serum", 180, "0m", key="anon:a"), claim) == [
        ("120m", *ABANDONED),
        ("720m", "high_aov_abandoner", "withdrawn expired"),
    ]


def test_a_merge_moves_the_active_episode_and_both_decisions_stand_at_the_claim() -> None:
    claim = Claimed(owner=ME, **{**stamp("3h", "email:me@x.org"), "id": "c"})  # type: ignore[arg-type]
    run = Run().play([added("serum", 180, "0m", key="email:me@x.org"), claim, ordered("o", 9, "4h")], until="24h")
    assert [(d.person, d.outcome, d.reason) for d in run.decisions] == [
        ("email:me@x.org", "activated", "qualified"),
        ("email:me@x.org", "withdrawn", "moved"),
        (ME, "activated", "qualified"),
        (ME, "withdrawn", "purchased"),
    ]
    assert len({decision.episode for decision in run.decisions}) == 1


def test_two_ids_that_claim_each_other_form_no_loop() -> None:
    def alias(weaker: str, owner: str, at: str) -> Claimed:
        return Claimed(owner=owner, **{**stamp(at, weaker), "id": f"{weaker} {at}"})  # type: ignore[arg-type]

    history: list[PersonSignal] = [
        added("serum", 180, "0m", key="id:b"),
        alias("id:b", "id:a", "1m"),
        alias("id:a", "id:b", "2m"),
        added("x", 5, "3m", key="id:b"),
    ]
    run = Run().play(history, until="24h")
    assert run.said()[0] == ("123m", *ABANDONED)


def test_a_late_line_is_judged_by_when_it_was_touched() -> None:
    basket = Cart()
    cart.add(basket, Item("a", price=Decimal(10)), "USD", (START_MS + 10, 1), POLICY)
    cart.add(basket, Item("b", price=Decimal(20)), "USD", (START_MS + 30, 2), POLICY)
    cart.order(basket, (START_MS + 20, 3), POLICY)
    assert [line.product for line in basket.lines.values()] == ["b"]


def test_the_newest_category_that_was_told_of_a_line_holds_also_where_it_came_late() -> None:
    basket = Cart()
    cart.add(basket, Item("a", category="serums", price=Decimal(10)), "USD", (START_MS + 10, 1), POLICY)
    cart.add(basket, Item("a", price=Decimal(10)), "USD", (START_MS + 30, 2), POLICY)
    cart.add(basket, Item("a", category="retinol", price=Decimal(10)), "USD", (START_MS + 20, 3), POLICY)
    assert cart.largest_category(basket, POLICY) == "retinol"
