"""The shipped policy, and policies like it that a brand might have: hours, cool-downs, exclusions, caps, own audiences.

`drawn(number)` is the same on any machine; number 0 is the shipped policy, held-out people left out.
"""

import random
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from contracts.policy import Policy

SHIPPED = Path(__file__).parents[2] / "policies" / "skincare.yaml"
POLICIES = 40

HOURS: tuple[Any, ...] = (
    [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}],
    [{"days": ["mon", "wed", "sat", "sun"], "from": "00:00", "to": "02:30"}],
    [{"days": ["sun", "mon"], "from": "02:30", "to": "12:00"}, {"days": ["sun"], "from": "13:30", "to": "24:00"}],
)
ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe")
OWN: dict[str, Any] = {
    "kind": "rescue",
    "priority": 55,
    "anchor": {"cart_touch": "newest"},
    "enter_after": "30m",
    "leave_after": "24h",
    "when": [{"segment": {"name": "vip_at_risk"}}],
    "event": "vip_at_risk",
    "because": "A good customer who hesitates.",
}
GOLD: dict[str, Any] = {
    "kind": "care",
    "priority": 75,
    "anchor": {"order": "newest"},
    "enter_after": "0",
    "leave_after": "7d",
    "when": [{"trait": {"name": "plan", "is": "gold"}}, {"trait": {"name": "score", "at_least": 3}}],
    "exit": [{"trait": {"name": "plan", "is": "basic"}}],
    "event": "gold_order",
    "because": "A gold member has ordered.",
}


@cache
def drawn(number: int) -> Policy:
    policy = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    source = random.Random(f"policy {number}")
    policy["holdout"] = {"share": source.choice((0, 0, 0.5, 1)) if number else 0, "salt": f"salt {number}"}
    if number:
        _vary(policy, source)
    return Policy.model_validate(policy)


def _vary(policy: dict[str, Any], source: random.Random) -> None:
    audiences = policy["audiences"]
    if source.random() < 0.6:
        audiences["vip_at_risk"] = OWN
        audiences["gold_order"] = GOLD
    policy["time_zone"] = source.choice(ZONES)
    named = list(audiences)
    for name, key, value in (
        *((name, "hours", source.choice(HOURS)) for name in source.sample(named, source.choice((0, 1, 3)))),
        *(
            (name, "cool_down", source.choice(("1h", "3d", "30d")))
            for name in source.sample(named, source.choice((0, 2)))
        ),
        *((name, "through_cap", True) for name in source.sample(named, source.choice((0, 1)))),
        *((name, "through_pressure", True) for name in source.sample(named, source.choice((0, 1)))),
        *(
            (name, "not_stopped_by", ["in_conversation", "refunded"])
            for name in source.sample(named, source.choice((0, 1)))
        ),
    ):
        audiences[name] = {**audiences[name], key: value}
    policy["exclude"] = {
        "traits": source.choice((["internal", "wholesale"], [])),
        "domains": source.choice(([], ["staff.org"], ["Staff.org", "x.org"])),
    }
    policy["caps"] = source.choice(
        (
            policy["caps"],
            [{"count": 1, "within": "1h"}, {"count": 2, "within": "7d"}],
            [{"count": 2, "within": "48h"}],
            [],
        )
    )
    policy["pressure"]["limits"] = source.choice((policy["pressure"]["limits"], [{"count": 2, "within": "24h"}], []))
