"""The Intercom attributes that were ever shipped keep their names and types."""

import json
from pathlib import Path

from contracts import fields
from contracts.fields import Field, manifest
from contracts.policy import load

ROOT = Path(fields.__file__).parent.parent
SHIPPED = manifest(tuple(load(ROOT / "policies" / "skincare.yaml").audiences))
AUDIENCES = {
    "subscription_save", "high_aov_abandoner", "shipping_friction", "post_purchase_risk", "winback_vip",
    "at_risk_repeat", "ready_to_reorder", "post_purchase_education",
}  # fmt: skip


def locked() -> dict[str, str]:
    held: dict[str, str] = json.loads((ROOT / "contracts" / "fields.lock.json").read_text())
    return held


def breaches(shipped: tuple[Field, ...], lock: dict[str, str]) -> list[str]:
    """What Intercom could not follow: an attribute that left, changed its type, or was shipped without the lock."""
    now = {field.name: field.data_type for field in shipped}
    left = [f"{name} is gone; keep it, and give a new one a suffix such as _v2" for name in lock if name not in now]
    turned = [
        f"{name} was {lock[name]} and is {data_type}; give the new one a suffix such as _v2"
        for name, data_type in now.items()
        if name in lock and lock[name] != data_type
    ]
    new = [f"{name} is new; add it to contracts/fields.lock.json" for name in now if name not in lock]
    return left + turned + new


def test_shipped_attributes_are_the_locked_ones() -> None:
    assert breaches(SHIPPED, locked()) == []


def test_a_renamed_attribute_is_noticed() -> None:
    renamed = tuple(f._replace(name="cart_value") if f.name == "last_cart_value" else f for f in SHIPPED)
    assert [breach.split(" ")[0] for breach in breaches(renamed, locked())] == ["last_cart_value", "cart_value"]


def test_a_retyped_attribute_is_noticed() -> None:
    retyped = tuple(f._replace(data_type="string") if f.name == "lifetime_orders" else f for f in SHIPPED)
    assert breaches(retyped, locked()) == [
        "lifetime_orders was integer and is string; give the new one a suffix such as _v2"
    ]


def test_a_new_attribute_must_be_locked() -> None:
    assert breaches((*SHIPPED, Field("lifetime_orders_v2", "string", "")), locked()) == [
        "lifetime_orders_v2 is new; add it to contracts/fields.lock.json"
    ]


def test_every_shipped_audience_has_its_flag() -> None:
    flags = {field.name for field in SHIPPED if field.data_type == "boolean" and field.name.startswith("cio_segment_")}
    assert flags == {f"cio_segment_{audience}" for audience in AUDIENCES}


def test_no_name_stands_twice_and_intercom_has_room_for_all() -> None:
    names = [field.name for field in SHIPPED]
    assert len(set(names)) == len(names) <= fields.CUSTOM_ATTRIBUTES_MAX
