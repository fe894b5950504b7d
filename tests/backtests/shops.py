"""A small shop whose answer is known: everybody leaves a cart, and who is assisted buys more often."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from contracts import policy
from contracts.instant import DAY_MS, HOUR_MS, from_rfc3339, to_rfc3339
from contracts.policy import Policy
from streams.arms import arm_by_hash

START_MS = from_rfc3339("2026-03-02T00:00:00Z")
POLICY_TEXT = (
    (Path(__file__).resolve().parents[2] / "policies" / "skincare.yaml")
    .read_text(encoding="utf-8")
    .replace("share: 0.10", "share: 0.30")
)
POLICY: Policy = policy.parse(POLICY_TEXT, name="shop.yaml")


def call(kind: str, at_ms: int, user: str | None, **more: Any) -> dict[str, Any]:
    named = {} if user is None else {"userId": user}
    return {"type": kind, **named, "timestamp": to_rfc3339(at_ms), **more}


def track(at_ms: int, user: str, event: str, **properties: Any) -> dict[str, Any]:
    return call("track", at_ms, user, event=event, properties={"currency": "USD", **properties})


def cart(at_ms: int, user: str) -> dict[str, Any]:
    return track(at_ms, user, "Product Added", product_id="serum", price=200, quantity=1)


def order(at_ms: int, user: str, total: float, **properties: Any) -> dict[str, Any]:
    return track(at_ms, user, "Order Completed", order_id=f"o-{user}-{at_ms}", total=total, **properties)


def shop(
    people: int, *, held_out_buys: float, assisted_buys: float, weeks: int = 4, seed: int = 8
) -> list[dict[str, Any]]:
    """Calls in order; a cart each, spread over the weeks, then an order five hours later by the arm's chance."""
    chance = np.random.default_rng(seed)
    calls = []
    for number in range(people):
        user = f"u-{number}"
        at_ms = START_MS + int(chance.integers(weeks * 7 * DAY_MS))
        buys = held_out_buys if arm_by_hash(f"id:{user}", POLICY) == "holdout" else assisted_buys
        calls.append(cart(at_ms, user))
        if chance.random() < buys:
            total = round(float(chance.gamma(9, 20)), 2)
            calls.append(order(at_ms + 5 * HOUR_MS, user, total, discount=10, cost=round(total * 0.4, 2)))
    calls.append(track(START_MS + (weeks * 7 + 30) * DAY_MS, "u-last", "Product Viewed", product_id="serum"))
    return sorted(calls, key=lambda told: str(told["timestamp"]))


def lines(calls: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(told) + "\n" for told in calls)
