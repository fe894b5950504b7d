"""The policy's published schema describes every key that a marketer writes, and agrees with the reader on what is refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from contracts import conditions, policy_sections, staffed_hours
from contracts.conditions import Rule
from contracts.policy import Policy, PolicyError, parse

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "policies" / "policy.schema.json").read_text(encoding="utf-8"))
SHIPPED = (ROOT / "policies" / "skincare.yaml").read_text(encoding="utf-8")
CHARS_MAX = 300  # of a description: an editor shows it beside the key
INNER = {"Edge", "Range"}  # never written by themselves: one text, and what other rules have in common


def properties(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of every mapping of a schema, with what is said of it."""
    if isinstance(node, list):
        node = dict(enumerate(node))
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            yield from ((f"{place}.{name}", said) for name, said in node["properties"].items())
        for name, inner in node.items():
            yield from properties(inner, f"{place}.{name}")


def undescribed(schema: dict[str, Any]) -> list[str]:
    """Keys without one sentence of description that ends in a full stop."""
    described = ((place, str(said.get("description", ""))) for place, said in properties(schema))
    return [place for place, text in described if not (text.endswith(".") and 10 < len(text) <= CHARS_MAX)]


def rules(model: type[BaseModel] = Rule) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from rules(each)


def test_every_key_has_a_sentence() -> None:
    assert undescribed(SCHEMA) == []


def test_a_key_without_a_sentence_is_noticed() -> None:
    planted = json.loads(json.dumps(SCHEMA))
    del planted["$defs"]["Audience"]["properties"]["exit"]["description"]
    planted["properties"]["settle"]["description"] = "settle"
    assert undescribed(planted) == [".settle", ".$defs.Audience.exit"]


def test_every_key_that_the_reader_takes_is_in_the_schema() -> None:
    assert conditions and policy_sections and staffed_hours, "the rules of all rooms are loaded"
    taken = {
        model.__name__: {field.alias or name for name, field in model.model_fields.items()}
        for model in rules()
        if model.__module__.startswith("contracts.") and model.__name__ not in INNER
    }
    offered = {name: set(shape["properties"]) for name, shape in SCHEMA["$defs"].items()}
    assert taken == {**offered, "Policy": set(SCHEMA["properties"])} and len(taken) > 20


def test_the_schema_says_that_an_exit_needs_all_of_its_conditions() -> None:
    assert "all of these conditions" in SCHEMA["$defs"]["Audience"]["properties"]["exit"]["description"]


@pytest.mark.parametrize("name", ["skincare.yaml", "wholesale.yaml"])
def test_an_editor_finds_the_schema_of_a_shipped_policy(name: str) -> None:
    text = (ROOT / "policies" / name).read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=policy.schema.json\n")
    Draft202012Validator(SCHEMA).validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("settle: 5s", "settle: 5"), ("settle: 5s", "settle: soon"), ("currency: USD", "currency: usd"),
        ("EUR: 1.08", "EUR: 0"), ("share: 0.10", "share: true"), ("count: 1, within: 24h", "count: 17, within: 24h"),
        ("enter_after: cycle - 5d", "enter_after: cycle * 5d"), ("event: subscription_at_risk", 'event: ""'),
        ("guides: [serums, retinol]", "guides: serums"), ("refunds: [Order Refunded]", "refunds: []"),
        ("through_cap: true", "hours: sometimes"), ("through_cap: true", "hours: []"), ("through_cap: true", "cap: true"),
        ("through_cap: true", 'hours: [{days: [mon], from: "9 am", to: "17:00"}]'),
        ("version: 1", "version: 2"), ("- cart: empty", "- cart: full"), ("serums: 45", "serums: 0"),
    ],
)  # fmt: skip
def test_an_editor_marks_what_the_reader_refuses(old: str, new: str) -> None:
    assert old in SHIPPED
    text = SHIPPED.replace(old, new, 1)
    assert not Draft202012Validator(SCHEMA).is_valid(yaml.safe_load(text))
    with pytest.raises(PolicyError):
        parse(text, name="edited")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("settle: 5s", "settle: 0"), ("EUR: 1.08", 'EUR: "1.08"'), ("refunds: [Order Refunded]", "refunds: Order Refunded"),
        ("through_cap: true", "hours: always"), ("enter_after: cycle - 5d", "enter_after: cycle"),
        ("through_cap: true", 'hours: [{days: [mon, tue], from: "9:00", to: "24:00"}]'),
        ("- cart: empty", "- trait: {name: plan, is: 3}"), ("- cart: empty", "- trait: {name: plan, is: true}"),
        ("- cart: empty", "- trait: {name: plan, is: gold}"), ("- cart: empty", "- trait: {name: points, at_least: 12.5}"),
    ],
)  # fmt: skip
def test_an_editor_lets_pass_what_the_reader_takes(old: str, new: str) -> None:
    assert old in SHIPPED
    text = SHIPPED.replace(old, new, 1)
    Draft202012Validator(SCHEMA).validate(yaml.safe_load(text))
    assert isinstance(parse(text, name="edited"), Policy)
