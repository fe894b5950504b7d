"""Broken policies, each one edit away from the shipped one: the error names the file, the line and the remedy."""

from pathlib import Path

import pytest

from contracts.policy import PolicyError, parse
from tests.policy.broken import BROKEN, CART, HOURS, Broken

SHIPPED = (Path(__file__).parents[2] / "policies" / "skincare.yaml").read_text(encoding="utf-8")
INNARDS = ("function-", "tuple[", "literal[", "validator", "pydantic", "Traceback")


def edited(old: str, new: str) -> str:
    assert old in SHIPPED, "the shipped policy no longer says so; mend the edit"
    return SHIPPED.replace(old, new, 1)


def complaint(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse(text, name="shop/policy.yaml")
    return str(caught.value).splitlines()


def line_of(text: str, near: str) -> int:
    assert near in text, "the line that the error should name is not there"
    return text[: text.index(near)].count("\n") + 1


def test_the_shipped_policy_is_sound_as_it_stands() -> None:
    assert parse(SHIPPED, name="shipped").audiences


def test_there_are_at_least_twenty_and_no_two_are_the_same() -> None:
    assert len({(one.old, one.new) for one in BROKEN}) == len(BROKEN) >= 20


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.what)
def test_a_broken_policy_is_refused_with_file_line_and_remedy(broken: Broken) -> None:
    text = edited(broken.old, broken.new)
    lines = complaint(text)
    assert all(line.startswith("shop/policy.yaml:") for line in lines), lines
    place = f"shop/policy.yaml:{line_of(text, broken.near)}: "
    assert any(line.startswith(place) and broken.sentence in line for line in lines), lines
    assert any(
        mark in line for line in lines for mark in (";", "?", "such as", "give ", "write ", "exactly one", "must be")
    )


def test_two_mistakes_are_told_at_once() -> None:
    text = edited("settle: 5s", "settle: soon").replace("share: 0.10", "share: 2")
    assert [line.split(": ")[1] for line in complaint(text)] == ["`holdout.share`", "`settle`"]


@pytest.mark.parametrize(("text", "sentence"), [
    ("", "a policy is a mapping that begins with `version: 1`"),
    ("- version: 1", "a policy is a mapping"),
    ("just words", "a policy is a mapping"),
    ("version: 1", "`audiences` is missing; add it"),
])  # fmt: skip
def test_what_is_no_policy_at_all_is_refused(text: str, sentence: str) -> None:
    assert any(sentence in line for line in complaint(text))


@pytest.mark.parametrize(("old", "new", "near"), [
    ("time_zone: UTC", "time_zone: Berlin", "time_zone"),
    ("priority: 90", "priority: 100", "priority: 100\n    anchor: {cart_touch"),
])  # fmt: skip
def test_a_mistake_seen_across_keys_names_its_line(old: str, new: str, near: str) -> None:
    text = edited(old, new)
    (line,) = complaint(text)
    assert line.startswith(f"shop/policy.yaml:{line_of(text, near)}: ")


@pytest.mark.parametrize("hours", ['[{days: [monday], from: "9:00", to: "17:00"}]', "sometimes", "[]", "{days: [mon]}"])
def test_an_error_in_hours_is_told_once(hours: str) -> None:
    (line,) = complaint(edited("    through_cap: true", HOURS + hours))
    assert "subscription_save.hours" in line


@pytest.mark.parametrize(("old", "new", "sentence"), [
    ("{last_cart_value} {currency} (", "{last_cart_valeu} {currency} (", "did you mean {last_cart_value}?"),
    ("{last_cart_value} {currency} (", "{shoe_size} (", "there is no fact {shoe_size}; write one of cio_tier, "),
    ("{last_cart_value} {currency} (", "{last_cart_value {currency} (", "a brace stands alone"),
    ("{last_cart_value} {currency} (", "{} (", "a brace stands alone"),
    ("event: subscription_at_risk", 'event: ""', "subscription_save.event` is empty; write a text that is not blank"),
    ("event: subscription_at_risk", "event: ' '", "write a text that is not blank"),
])  # fmt: skip
def test_what_an_agent_could_not_read_is_refused(old: str, new: str, sentence: str) -> None:
    (line,) = complaint(edited(old, new))
    assert sentence in line


@pytest.mark.parametrize(("old", "new", "sentence"), [
    ("currency: USD", "curency: USD", "`curency` is unknown; did you mean `currency`?"),
    (CART, "- cart_value: {abov: 150}", "did you mean `above`?"),
    (CART, "- cart_value: {abovee: 150, above: 150}", "remove it, or write one of at_least, below, at_most"),
    (CART, "- cart_value: {count: 3, above: 1}", "remove it, or write one of at_least, below, at_most, or_unknown"),
    ("    kind: care", "    kind: care\n    settle: 5s", "settle` is unknown; remove it, or write one of hours, cool"),
    ("{cart_touch: newest}", "{cart_touch: newest, orders: newest}", "did you mean `order`?"),
    ("limits:", "limits:\n    - {cuont: 1, count: 1, within: 1h}", "`pressure.limits.cuont` is unknown; remove it"),
    ("- cart: empty", "- kart: empty", "did you mean `cart`?"),
    ("subscription_save:", "event:\n    prioritty: 1", "`audiences.event.prioritty` is unknown; remove it"),
])  # fmt: skip
def test_what_is_offered_for_a_misspelt_key_fits_where_it_stands(old: str, new: str, sentence: str) -> None:
    (line,) = complaint(edited(old, new))
    assert sentence in line
