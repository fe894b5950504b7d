from decimal import Decimal
from typing import Any

import pytest

from contracts.product import ITEMS_MAX
from contracts.signals import Consented, Erased, Item, Messaged, Paged, Tracked
from tests.parsing.calls import ACCEPTED, NINE, call, one, read, why


def tracked(event: str = "Order Completed", **properties: Any) -> Tracked:
    signal = one(call(event=event, properties=properties))
    assert isinstance(signal, Tracked)
    return signal


def test_a_product_that_stands_flat_is_the_item() -> None:
    signal = tracked("Product Added", product_id=12, sku="s", name="Serum", variant="50 ml", category="serums",
                     price="19.90", quantity=2, currency="usd")  # fmt: skip
    assert signal.item == Item("12", "50 ml", "Serum", "serums", Decimal("19.90"), "USD", Decimal(2))
    assert (signal.items, signal.currency) == (None, "USD")


def test_the_product_is_its_id_else_its_sku_else_its_name() -> None:
    found = [tracked(products=[line]).items for line in ({"sku": "s", "name": "n"}, {"name": "n"}, {"price": 3})]
    assert [items[0].product for items in found if items] == ["s", "n", ""]


@pytest.mark.parametrize(
    ("products", "lines"),
    [
        ([{"sku": "a"}, {"sku": "b"}], ["a", "b"]), ({"sku": "a"}, ["a"]), ({"x": {"sku": "a"}, "y": {"sku": "b"}}, ["a", "b"]),
        ('[{"sku":"a"}]', ["a"]), ('{"sku":"a"}', ["a"]), ([], []), ({}, []), ("[]", []), (None, None), ("", None), (5, None),
        ("not json", None), (["a", None, 7], ["a", "", "7"]),
    ],
)  # fmt: skip
def test_products_are_read_in_every_form(products: object, lines: list[str] | None) -> None:
    items = tracked(products=products).items
    assert (None if items is None else [item.product for item in items]) == lines


def test_a_call_without_products_has_none() -> None:
    assert tracked(total=5).items is None


def test_more_lines_than_a_cart_may_have_make_its_value_unknown() -> None:
    items = tracked(products=[{"sku": str(n), "price": 1} for n in range(ITEMS_MAX + 1)]).items
    assert items is not None and len(items) == ITEMS_MAX
    assert items[-1].price is None and items[-2].price == 1


@pytest.mark.parametrize(
    ("money", "amount"),
    [
        ({"total": 5, "revenue": 4, "value": 3}, 5), ({"total": "?", "revenue": 4, "value": 3}, 4), ({"value": 3}, 3),
        ({"total": 0, "revenue": 4}, 0), ({"total": True}, None), ({}, None),
    ],
)  # fmt: skip
def test_the_amount_is_the_first_readable(money: dict[str, Any], amount: int | None) -> None:
    assert tracked(**money).amount == amount


@pytest.mark.parametrize(
    ("given", "order_id"),
    [({"order_id": "o", "orderId": "p"}, "o"), ({"orderId": 7}, "7"), ({"checkout_id": "c"}, None)],
)
def test_the_order_id_is_read(given: dict[str, Any], order_id: str | None) -> None:
    assert tracked(**given).order_id == order_id


@pytest.mark.parametrize(
    ("properties", "page", "path"),
    [
        ({"path": "/a"}, {"path": "/b"}, "/a"), ({}, {"path": "/b"}, "/b"), ({"url": "https://x.y/c?q=1#z"}, {}, "/c"),
        ({"url": "https://x.y"}, {"path": "/b"}, "/b"), ({"url": "https://x.y?q=/r"}, {}, "/"), ({}, {"url": "/d?e"}, "/d"),
        ({"path": ""}, {"url": "https://[bad/e"}, "/e"), ({"path": 5}, {"path": None}, None), ({}, {}, None),
    ],
)  # fmt: skip
def test_the_path_is_read(properties: dict[str, object], page: dict[str, object], path: str | None) -> None:
    assert one(call(properties=properties, context={"page": page})).path == path


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_a_page_falls_back_to_its_name(kind: str) -> None:
    read_path = [
        one(call(kind, **fields)).path
        for fields in (
            {"properties": {"path": "/a"}, "name": "Home"}, {"name": "Home", "category": "c"},
            {"properties": {"name": "Inner"}}, {"properties": {"category": "c"}}, {},
        )
    ]  # fmt: skip
    assert read_path == ["/a", "Home", "Inner", "c", ""]
    assert isinstance(one(call(kind)), Paged)


@pytest.mark.parametrize("event", ["User Deleted", "User Suppressed", "Delete Person", "Suppress Person"])
def test_reserved_names_erase(event: str) -> None:
    assert isinstance(one(call(event=event)), Erased)


@pytest.mark.parametrize(
    ("event", "channel", "metric"),
    [
        ("Email Sent", "email", "sent"), ("email_opened", "email", "opened"), ("Email Link Clicked", "email", "clicked"),
        ("Push Sent", "push", "sent"), ("SMS Delivered", "sms", "delivered"), ("In-App Message Opened", "in_app", "opened"),
        ("in_app_link_clicked", "in_app", "clicked"), ("WhatsApp Replied", "whatsapp", "replied"),
        ("Email Marked as Spam", "email", "spammed"), ("Email Bounced", "email", "bounced"),
    ],
)  # fmt: skip
def test_message_metrics_that_come_as_events_are_metrics(event: str, channel: str, metric: str) -> None:
    signal = one(call(event=event, properties={"delivery_id": "d", "prefetched": True, "machine": "true"}))
    assert isinstance(signal, Messaged)
    assert (signal.channel, signal.metric, signal.delivery) == (channel, metric, "d")
    assert signal.human is (metric not in ("opened", "clicked"))


@pytest.mark.parametrize(
    ("event", "subscribed"),
    [("Subscribed", True), ("Unsubscribed", False), ("Email Unsubscribed", False), ("email_unsubscribed", False)],
)
def test_consent_that_comes_as_an_event_is_consent(event: str, subscribed: bool) -> None:
    signal = one(call(event=event))
    assert isinstance(signal, Consented)
    assert (signal.tool, signal.subscribed) == ("customerio", subscribed)


@pytest.mark.parametrize(
    "event", ["Subscription Preferences Changed", "Email Captured", "Newsletter Signup", "made up"]
)
def test_any_other_name_is_the_brands_own_event(event: str) -> None:
    assert tracked(event).event == event


def test_a_track_without_a_name_is_refused_and_a_group_is_passed_over() -> None:
    assert why(call(event=None)) == "wrong_type"
    assert why(call(event=["x"])) == "wrong_type"
    assert read(call("group")).ignored == ("group",)
    assert read(call(event="Report Delivery Event", userId=None)).ignored == ("housekeeping",)


@pytest.mark.parametrize(
    ("times", "occurred_ms"),
    [
        ({"timestamp": "2026-03-02T10:00:00+01:00"}, NINE),
        ({"timestamp": "2026-03-02T09:00:00.5Z"}, NINE + 500),
        ({"timestamp": NINE}, NINE),
        ({"timestamp": NINE // 1000}, NINE),
        ({"timestamp": "soon", "originalTimestamp": "2026-03-02T09:00:00Z"}, NINE),
        ({"originalTimestamp": "2026-03-02T09:00:10Z", "sentAt": "2026-03-02T09:00:20Z",
          "receivedAt": "2026-03-02T09:00:10Z"}, NINE),
        ({"originalTimestamp": "2026-03-02T09:00:00Z", "receivedAt": "2026-03-02T09:30:00Z"}, NINE),
        ({"receivedAt": "2026-03-02T09:00:00Z"}, NINE),
        ({"timestamp": "2999-01-01T00:00:00Z"}, ACCEPTED),
        ({"timestamp": "2026-02-30T00:00:00Z"}, ACCEPTED),
        ({"timestamp": [], "originalTimestamp": {}, "receivedAt": True}, ACCEPTED),
        ({}, ACCEPTED),
    ],
)  # fmt: skip
def test_the_time_of_a_call_is_the_first_that_can_be_believed(times: dict[str, Any], occurred_ms: int) -> None:
    signal = one(call(**{"timestamp": ..., **times}))
    assert (signal.occurred_ms, signal.accepted_ms) == (occurred_ms, ACCEPTED)


@pytest.mark.parametrize("stamp", ["1999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", 0])
def test_a_time_before_any_shop_is_refused(stamp: object) -> None:
    assert why(call(timestamp=stamp)) == "ancient"
