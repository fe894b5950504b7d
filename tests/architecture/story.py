"""One person's small history as raw calls: browsing, a large cart, a moment, a purchase, a refund, a conversation."""

import json
from typing import Any

from contracts.instant import HOUR_MS, MINUTE_MS

LINE = {"product_id": "serum", "price": 90, "quantity": 2, "currency": "USD", "category": "serums"}


def calls() -> list[tuple[int, bytes]]:
    """(milliseconds after the start, body), in order."""
    told: list[tuple[int, dict[str, Any]]] = [
        (0, {"type": "page", "anonymousId": "a-1", "properties": {"path": "/pages/shipping"}}),
        (MINUTE_MS, {"type": "identify", "userId": "u-1", "anonymousId": "a-1", "traits": {"email": "ada@example.com"}}),
        (2 * MINUTE_MS, {"type": "track", "userId": "u-1", "event": "Product Added", "properties": LINE}),
        (3 * HOUR_MS, {"type": "page", "userId": "u-1", "properties": {"path": "/pages/faq"}}),
        (4 * HOUR_MS, _order("Order Completed")),
        (5 * HOUR_MS, _order("Order Refunded")),
        (6 * HOUR_MS, {"metric": "sent", "object_type": "email", "event_id": "e-1", "timestamp": 1772463600,
                       "data": {"identifiers": {"id": "u-1"}, "delivery_id": "d-1"}}),
        (7 * HOUR_MS, {"type": "track", "userId": "u-1", "event": "Product Added", "properties": LINE}),
        (10 * HOUR_MS, {"type": "nonsense"}),
    ]  # fmt: skip
    return [(at_ms, json.dumps({"messageId": f"m-{at_ms}"} | call).encode()) for at_ms, call in told]


def _order(event: str) -> dict[str, Any]:
    properties = {"order_id": "o-1", "total": 180, "currency": "USD", "products": [LINE]}
    return {"type": "track", "userId": "u-1", "event": event, "properties": properties}
