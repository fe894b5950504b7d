"""The vendors' and others' published samples, read from beside the checkout."""

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.calls import parse
from contracts.signals import Claimed, Consented, Identified, Messaged, Paged, Tracked
from tests.parsing.calls import ACCEPTED, call, one, read

SAMPLES = Path(__file__).parents[3] / "shared" / "reference" / "customerio-samples"
pytestmark = pytest.mark.shared


def lines(name: str) -> list[Any]:
    path = SAMPLES / name
    if not path.exists():
        assert "CI" not in os.environ, f"{name} is missing"
        pytest.skip(f"{name} is not beside the checkout")
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


@pytest.mark.parametrize("name", ["reporting-webhooks-rudderstack.jsonl", "reporting-webhooks-openapi-examples.jsonl"])
def test_every_reporting_webhook_is_read_as_its_metric(name: str) -> None:
    webhooks = [line["webhook"] for line in lines(name)]
    for webhook in webhooks:
        signal = one(webhook)
        assert signal.person == "id:" + webhook["data"]["identifiers"]["id"]
        assert signal.id == webhook["event_id"]
        if "subscribed" in webhook["metric"]:
            assert isinstance(signal, Consented)
            assert signal.subscribed == (webhook["metric"] == "subscribed")
        else:
            assert isinstance(signal, Messaged)
            assert (signal.channel, signal.metric) == (webhook["object_type"], webhook["metric"])
            assert signal.delivery == webhook["data"]["delivery_id"]


def test_the_translated_reports_tell_the_same() -> None:
    for line in lines("reporting-webhooks-rudderstack.jsonl"):
        raw, told = one(line["webhook"]), one(line["rudder_track"])
        assert type(raw) is type(told)
        assert raw.person == told.person
        if isinstance(raw, Messaged) and isinstance(told, Messaged):
            assert (raw.channel, raw.metric, raw.delivery) == (told.channel, told.metric, told.delivery)


def test_every_e_commerce_example_is_a_track_with_its_money_and_lines() -> None:
    seen = 0
    for line in lines("segment-ecommerce-spec-examples.jsonl"):
        properties = line["properties"]
        signal = one(call(event=line["event"], properties=properties))
        assert isinstance(signal, Tracked)
        money = next((properties[name] for name in ("total", "revenue", "value") if name in properties), None)
        assert signal.amount == (None if money is None else Decimal(repr(money)))
        assert (None if signal.items is None else len(signal.items)) == (
            len(properties["products"]) if "products" in properties else None
        )
        assert signal.order_id == properties.get("order_id")
        seen += money is not None
    assert seen > 5


def test_every_shop_call_is_read_or_names_nobody() -> None:
    kinds: dict[str, int] = {}
    for line in lines("shopify-to-segment-rudderstack.jsonl"):
        for message in line["segment_out"]:
            parsed = read(message)
            for signal in parsed.signals:
                kinds[type(signal).__name__] = kinds.get(type(signal).__name__, 0) + 1
                if isinstance(signal, Tracked) and "total" in message["properties"]:
                    assert signal.amount is not None
                if isinstance(signal, Tracked) and isinstance(message["properties"].get("products"), list):
                    assert signal.items is not None and len(signal.items) == len(message["properties"]["products"])
            assert [each.reason for each in parsed.rejected] == []
    assert kinds[Tracked.__name__] > 15 and kinds[Paged.__name__] == 1
    assert kinds[Identified.__name__] == 5 and kinds[Claimed.__name__] >= 4


def test_what_is_no_pipelines_call_is_refused_whole() -> None:
    for line in lines("customerio-api-request-examples.jsonl"):
        body = json.dumps(line["body"]).encode()
        parsed = parse(body, accepted_ms=ACCEPTED)
        assert len(parsed.rejected) == 1 and parsed.rejected[0].value == body
