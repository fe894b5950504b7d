"""Money from the call to the decision: read as shops write it, exact to the last digit, unknown where it cannot be known."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from contracts.calls import parse
from contracts.instant import duration_ms, to_rfc3339
from contracts.product import ITEMS_MAX
from contracts.signals import PersonSignal, Scalar, Tracked
from streams import cart, orders
from streams.person import ORDERS_MAX, Orders, State
from tests.streams.histories import POLICY, START_MS, Run

ME = "id:u1"


def call(event: str, at: str = "0m", name: str = "", **properties: Any) -> PersonSignal:
    """What the parser makes of a Customer.io track call that came at that instant."""
    at_ms = START_MS + duration_ms(at)
    message = {"type": "track", "userId": "u1", "event": event, "messageId": name or f"{event} {at}"}
    body = {**message, "timestamp": to_rfc3339(at_ms), "properties": properties}
    parsed = parse(json.dumps(body).encode(), accepted_ms=at_ms)
    assert not parsed.rejected and len(parsed.signals) == 1, parsed
    return parsed.signals[0]


def state(*signals: PersonSignal, until: str = "1h") -> State:
    found = Run().play(signals, until=until).people.get(ME)
    assert found is not None and found.state is not None
    return found.state


def cart_value(*signals: PersonSignal, until: str = "1h") -> Decimal | None:
    return cart.view(state(*signals, until=until).cart, START_MS + duration_ms(until), POLICY).value


def spent(*signals: PersonSignal, until: str = "1h") -> Decimal:
    return orders.lifetime_value(state(*signals, until=until).orders)


def facts(*signals: PersonSignal, until: str = "1h") -> dict[str, Scalar]:
    run = Run().play(signals, until=until)
    return dict(run.partition.facts(ME, START_MS + duration_ms(until)))


@pytest.mark.parametrize(
    ("price", "value"),
    [
        ("19.99", "19.99"), (19.99, "19.99"), ("$19.99", "19.99"), ("19.99 USD", "19.99"), ("1,299.00", "1299.00"),
        (" 19.99 ", "19.99"), (20, "20"), ("0", "0"), (".5", "0.5"),
        ("19,99", None), ("free", None), ("", None), (None, None), (True, None), ("1e2", None), ([19.99], None),
    ],
)  # fmt: skip
def test_a_price_is_read_as_written_or_makes_the_cart_unknown(price: Any, value: str | None) -> None:
    found = cart_value(call("Product Added", product_id="a", price=price))
    assert found == (None if value is None else Decimal(value))


LINES = [
    {"product_id": "a", "price": "10.10", "quantity": 3},
    {"sku": "b", "price": 0.2, "quantity": "2"},
    {"name": "c", "price": "$1.05"},
]


@pytest.mark.parametrize(
    "products",
    [
        LINES,
        json.dumps(LINES),
        {"first": LINES[0], "second": LINES[1], "third": LINES[2]},
        json.dumps({"0": LINES[0], "1": LINES[1], "2": LINES[2]}),
    ],
    ids=["a list", "a list in a text", "an object", "an object in a text"],
)
@pytest.mark.parametrize("event", ["Cart Viewed", "Checkout Started", "Checkout Updated"])
def test_products_are_the_same_in_any_shape(products: Any, event: str) -> None:
    assert cart_value(call(event, products=products)) == Decimal("31.75")
    assert spent(call("Order Completed", order_id="o", products=products)) == Decimal("31.75")


def test_one_product_may_stand_alone_as_an_object_or_as_its_text() -> None:
    for products in (LINES[0], json.dumps(LINES[0])):
        assert cart_value(call("Cart Viewed", products=products)) == Decimal("30.30")


def test_a_list_that_is_empty_empties_and_a_text_that_is_no_json_says_nothing() -> None:
    full = call("Cart Viewed", products=LINES)
    assert cart_value(full, call("Cart Viewed", "1m", products=[])) == 0
    assert cart_value(full, call("Cart Viewed", "1m", products="three things")) == Decimal("31.75")


@pytest.mark.parametrize(
    ("properties", "value"),
    [
        ({"total": "50.05", "revenue": 40, "value": 30, "products": LINES}, "50.05"),
        ({"revenue": "40.40", "value": 30, "products": LINES}, "40.40"),
        ({"value": 30.3, "products": LINES}, "30.3"),
        ({"total": "unknown", "revenue": "40.40"}, "40.40"),
        ({"total": None, "products": LINES}, "31.75"),
        ({"products": [{"product_id": "a"}]}, "0"),
        ({"products": []}, "0"),
        ({}, "0"),
        ({"total": 0, "products": LINES}, "0"),
    ],
)
def test_an_orders_value_is_its_total_else_revenue_else_value_else_its_products_else_nothing(
    properties: dict[str, Any], value: str
) -> None:
    assert spent(call("Order Completed", order_id="o", **properties)) == Decimal(value)


def test_an_order_that_comes_again_with_a_total_gets_it_and_keeps_it() -> None:
    history = [
        call("Order Created", order_id="o"),
        call("Order Paid", "1m", order_id="o", total="80.10"),
        call("Order Completed", "2m", order_id="o", total="99.99"),
    ]
    assert spent(*history) == Decimal("80.10")


@pytest.mark.parametrize(
    ("currency", "value"),
    [("USD", "100.10"), ("usd", "100.10"), (None, "100.10"), ("", "100.10"), ("EUR", "108.1080"), ("gbp", "127.1270")],
)
def test_currencies_go_by_the_policys_table(currency: str | None, value: str) -> None:
    named = {} if currency is None else {"currency": currency}
    assert cart_value(call("Product Added", product_id="a", price="100.10", **named)) == Decimal(value)
    assert spent(call("Order Completed", order_id="o", total="100.10", **named)) == Decimal(value)


def test_an_unlisted_currency_makes_a_cart_unknown_and_nobodys_moment() -> None:
    yen = call("Product Added", product_id="a", price=90000, currency="JPY")
    assert facts(yen)["last_cart_value"] is None
    assert Run().play([yen], until="24h").decisions == []
    both = [yen, call("Product Added", "1m", product_id="b", price=500, currency="USD")]
    assert facts(*both)["last_cart_value"] is None
    without = [*both, call("Product Removed", "2m", product_id="a")]
    assert facts(*without)["last_cart_value"] == 500


def test_an_unlisted_currency_makes_an_order_count_for_nothing() -> None:
    order = call("Order Completed", order_id="o", total=90000, currency="JPY")
    assert spent(order) == 0
    assert facts(order)["lifetime_orders"] == 1


def test_a_lines_own_currency_comes_before_the_calls() -> None:
    lines = [{"product_id": "a", "price": 10, "currency": "EUR"}, {"product_id": "b", "price": 10}]
    assert cart_value(call("Cart Viewed", products=lines, currency="GBP")) == Decimal("10.8") + Decimal("12.7")


@pytest.mark.parametrize(
    ("refunds", "left", "count"),
    [
        ([("Order Partially Refunded", "0.1"), ("Order Partially Refunded", "0.2")], "0.70", 1),
        ([("Order Partially Refunded", "0.3333"), ("Order Partially Refunded", "0.3333")], "0.3334", 1),
        ([("Order Partially Refunded", 0.9), ("Order Partially Refunded", 0.1)], "0", 0),
        ([("Order Partially Refunded", "0.99")], "0.01", 1),
        ([("Order Partially Refunded", None)], "1.00", 1),
        ([("Order Refunded", None)], "0", 0),
        ([("Order Refunded", "0.40")], "0.60", 1),
        ([("Order Refunded", "5.00")], "0", 0),
        ([("Order Partially Refunded", "-0.50")], "1.00", 1),
    ],
)
def test_refunds_add_up_to_the_cent(refunds: list[tuple[str, Any]], left: str, count: int) -> None:
    history = [call("Order Completed", order_id="o", total="1.00")]
    for index, (event, amount) in enumerate(refunds, start=1):
        told = {} if amount is None else {"total": amount}
        history.append(call(event, f"{index}m", order_id="o", **told))
    assert (spent(*history), facts(*history)["lifetime_orders"]) == (Decimal(left), count)


def test_a_refund_in_another_currency_is_converted_before_it_lowers() -> None:
    history = [
        call("Order Completed", order_id="o", total="108.00"),
        call("Order Partially Refunded", "1m", order_id="o", total="50", currency="EUR"),
    ]
    assert spent(*history) == Decimal("54.00")
    assert spent(*history, call("Order Refunded", "2m", order_id="o", total="50", currency="EUR")) == 0


def test_a_tenth_and_two_tenths_are_three_tenths() -> None:
    assert 0.1 + 0.2 != 0.3, "the plant: floats drift here"
    tenths = [{"product_id": "a", "price": 0.1}, {"product_id": "b", "price": 0.2}]
    assert cart_value(call("Cart Viewed", products=tenths)) == Decimal("0.3")


def test_the_threshold_is_met_by_the_exact_sum_only() -> None:
    """Fifteen hundred times ten cents are 150 dollars, which is not above 150; a cent more is."""
    dimes = call("Product Added", product_id="a", price=0.1, quantity=1500)
    assert Run().play([dimes], until="3h").said() == []
    cent = call("Product Added", product_id="b", price=0.01, name="cent")
    assert Run().play([dimes, cent], until="3h").said() == [("120m", "high_aov_abandoner", "activated qualified")]


def test_a_million_lines_are_summed_without_drift() -> None:
    """Two thousand orders of five hundred lines of ten cents, summed one by one; all but the newest live on as a sum."""
    assert sum([0.1] * 1_000_000) != 100_000, "the plant: floats drift here"
    lines = [{"product_id": f"p{index}", "price": 0.1} for index in range(ITEMS_MAX)]
    read = call("Order Completed", products=lines)
    assert isinstance(read, Tracked)
    history = Orders()
    for number in range(1_000_000 // ITEMS_MAX):
        order = msgspec.structs.replace(read, order_id=f"o{number}")
        orders.place(history, order, (order.occurred_ms, number), POLICY)
    assert orders.lifetime_value(history) == 100_000
    assert len(history.recent) == ORDERS_MAX


def test_orders_that_live_on_as_a_sum_keep_their_dimes() -> None:
    count = ORDERS_MAX * 5
    history = [call("Order Completed", f"{n}m", order_id=f"o{n}", total=0.1, name=f"m{n}") for n in range(count)]
    assert spent(*history, until="6h") == Decimal("0.1") * count
    assert facts(*history, until="6h")["lifetime_orders"] == count
