"""A brand adds an audience by YAML alone: its anchor, its traits and segments, its exit, and the field that Intercom shows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.conditions import TraitTest
from contracts.fields import SENTENCE_FACTS, manifest
from contracts.instant import duration_ms
from contracts.policy import Policy, parse
from contracts.signals import Identified, Scalar
from streams import traits
from tests.streams.histories import ME, START_MS, Run, added, ordered, stamp, track

SHIPPED = (Path(__file__).parents[2] / "policies" / "skincare.yaml").read_text(encoding="utf-8")
QUIZ = """
  quiz_hesitator:
    kind: rescue
    priority: 30
    anchor: {event: Quiz Completed}
    enter_after: 1h
    leave_after: 24h
    when:
      - trait: {name: skin_type, is: dry}
      - segment: {name: newsletter_readers}
    exit:
      - event: {name: Product Added, since: anchor}
    event: quiz_not_followed
    because: "Has finished the quiz and has not tried what it named."
"""
BEGINS = ("60m", "quiz_hesitator", "activated qualified")


def with_quiz(old: str = "", new: str = "") -> Policy:
    assert old in QUIZ
    return parse(SHIPPED + QUIZ.replace(old, new, 1), name="with-quiz")


def told(at: str, **traits: Scalar) -> Identified:
    return Identified(traits=traits, **{**stamp(at), "id": f"identify {at}"})  # type: ignore[arg-type]


QUIZZED = track("Quiz Completed", "0m")
READER = told("0m", skin_type="dry", newsletter_readers=True)


def said(policy: Policy, *signals: object, until: str = "48h") -> list[tuple[str, str, str]]:
    return Run(policy).play(signals, until=until).said()  # type: ignore[arg-type]


def test_the_shipped_policy_does_not_know_the_moment() -> None:
    assert said(parse(SHIPPED, name="shipped"), QUIZZED, READER) == []


def test_it_begins_after_its_hour_and_expires_after_its_day() -> None:
    assert said(with_quiz(), QUIZZED, READER) == [BEGINS, (f"{24 * 60}m", "quiz_hesitator", "withdrawn expired")]


def test_its_exit_ends_it_and_a_product_before_the_quiz_is_no_exit() -> None:
    history = [added("serum", 20, "0m"), READER, track("Quiz Completed", "10m"), added("cream", 20, "3h")]
    assert said(with_quiz(), *history) == [
        ("70m", "quiz_hesitator", "activated qualified"),
        ("180m", "quiz_hesitator", "withdrawn no_longer_true"),
    ]


def test_a_purchase_takes_it_back_as_it_does_every_rescue() -> None:
    history = [QUIZZED, READER, ordered("o1", 30, "2h")]
    assert said(with_quiz(), *history)[1] == ("120m", "quiz_hesitator", "withdrawn purchased")


def test_with_an_exit_a_condition_that_ends_does_not_withdraw_and_without_one_it_does() -> None:
    history = [QUIZZED, READER, told("2h", skin_type="oily")]
    assert said(with_quiz(), *history, until="3h") == [BEGINS]
    without = with_quiz("    exit:\n      - event: {name: Product Added, since: anchor}\n", "")
    assert said(without, *history) == [BEGINS, ("120m", "quiz_hesitator", "withdrawn no_longer_true")]


def test_a_condition_that_comes_true_inside_the_window_begins_it_then() -> None:
    history = [QUIZZED, told("0m", skin_type="oily", newsletter_readers=True), told("5h", skin_type="dry")]
    assert said(with_quiz(), *history)[0] == ("300m", "quiz_hesitator", "activated qualified")


def test_a_higher_moment_of_the_shipped_policy_takes_over() -> None:
    history = [QUIZZED, READER, track("Subscription Cancel Started", "3h")]
    assert said(with_quiz(), *history)[:3] == [
        BEGINS,
        ("180m", "quiz_hesitator", "withdrawn priority"),
        ("180m", "subscription_save", "activated qualified"),
    ]


def test_intercom_gets_a_field_of_its_own_and_the_event_that_the_policy_names() -> None:
    policy = with_quiz()
    assert "cio_segment_quiz_hesitator" in [field.name for field in manifest(tuple(policy.audiences))]
    run = Run(policy).play([QUIZZED, READER], until="2h")
    facts = run.partition.facts(ME, START_MS + duration_ms("2h"))
    assert (facts["cio_segment_quiz_hesitator"], facts["cio_moment"]) == (True, "quiz_hesitator")
    assert facts["cio_moment_reason"] == "Has finished the quiz and has not tried what it named."
    assert any("quiz_not_followed" in repr(command) for command in run.commands)


def test_a_sentence_may_name_exactly_the_facts_that_are_filled_in() -> None:
    """What `parse` takes as facts is what the thinking fills in: neither a dash for a known one nor an unknown left out."""
    policy = with_quiz('"Has finished the quiz', '"' + " ".join(f"{{{fact}}}" for fact in SENTENCE_FACTS) + " quiz")
    run = Run(policy).play([QUIZZED, READER], until="2h")
    facts = run.partition.facts(ME, START_MS + duration_ms("2h"))
    told = {name for name in facts if not name.startswith("cio_segment_") and not name.startswith("cio_moment")}
    assert told | {"currency"} == set(SENTENCE_FACTS)
    assert str(facts["cio_moment_reason"]).startswith("standard True 0.00 - - False 0 low USD quiz")


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ("is: dry", "dry", True), ("is: dry", "oily", False), ("is: dry", None, False), ("is: dry", True, False),
        ("is: true", True, True), ("is: true", "true", True), ("is: true", "TRUE", True), ("is: true", 1, True),
        ("is: true", "1", True), ("is: true", False, False), ("is: true", "false", False), ("is: true", 0, False),
        ("is: true", "yes", False), ("is: true", None, False),
        ("is: false", False, True), ("is: false", "false", True), ("is: false", 0, True), ("is: false", "0", True),
        ("is: false", True, False), ("is: false", "1", False), ("is: false", None, False),
        ("is: false", "oily", False), ("is: true", "oily", False), ("is: false", 2, False), ("is: false", "", False),
        ("is: true", 1.0, True), ("is: false", 0.0, True), ("is: true", "1.0", False),
        ("is: 3", 3, True), ("is: 3", 3.0, True), ("is: 3", "3", True), ("is: 3", "3.0", True), ("is: 3", "03", True),
        ("is: 3", 4, False), ("is: 3", "three", False), ("is: 3", "", False), ("is: 3", None, False),
        ("is: 1", True, False), ("is: 0", False, False), ("is: 1", "true", False),
        ("is: 3.0", 3, True), ("is: 0.1", 0.1, True), ("is: 0.1", "0.10", True), ("is: 1000", "1,000", False),
        ("is: 100", "1e2", False), ("is: 9007199254740993", 9007199254740993, True),
        ("is: 9007199254740993", 9007199254740992, False),
        ('is: "3"', 3, True), ('is: "3"', 3.0, True), ('is: "3"', "3", True), ('is: "3"', "3.0", False),
        ('is: "03"', "03", True), ('is: "03"', 3, False), ('is: "2.5"', 2.5, True), ('is: "2.50"', 2.5, False),
        ('is: "true"', True, True), ('is: "true"', "true", True), ('is: "true"', "TRUE", False), ('is: "true"', 1, False),
        ('is: "false"', False, True), ('is: "True"', True, False), ("is: no", "no", True), ("is: no", False, False),
        ("is: dry", "Dry", False), ("is: dry", "dry ", False),
        ("at_least: 12", "12.5", True), ("at_most: 12", "12.5", False), ("above: 12.5", "12.5", False),
        ("at_least: -1", "-.5", True), ("at_least: 1", "+1", True), ("at_least: 0", "", False), ("at_least: 0", "12,5", False),
        ("at_least: 0", "1e3", False), ("at_least: 0", "nan", False), ("at_least: 0", "Infinity", False),
        ("below: 5", False, False), ("at_least: 0", "true", False), ("at_least: 1, is: 3", 3, True),
        ("at_least: 4, is: 3", 3, False),
        ("at_least: 3", 3, True), ("at_least: 3", 2.99, False), ("at_most: 3", 3, True), ("at_most: 3", 3.01, False),
        ("above: 3", 3, False), ("above: 3", 3.01, True), ("below: 3", 3, False), ("below: 3", -5, True),
        ("above: 1, below: 3", 2, True), ("above: 1, below: 3", 3, False),
        ("above: 0.3", 0.3, False), ("at_least: 0.3", 0.3, True),  # exact: neither is the nearest binary fraction
        ("at_least: 0", True, False), ("at_least: 0", None, False), ("at_least: 0", "some", False),
    ],
)  # fmt: skip
def test_a_trait_compares_as_written(condition: str, value: Scalar, holds: bool) -> None:
    policy = with_quiz("is: dry", condition)
    history = [QUIZZED, told("0m", skin_type=value, newsletter_readers=True)]
    assert said(policy, *history, until="2h") == ([BEGINS] if holds else [])


@pytest.mark.parametrize(("value", "holds"), [("dry", True), ("", True), (0, True), (False, True), (None, False)])
def test_a_trait_without_a_comparison_asks_whether_it_is_set(value: Scalar, holds: bool) -> None:
    history = [QUIZZED, told("0m", skin_type=value, newsletter_readers=True)]
    assert said(with_quiz(", is: dry", ""), *history, until="2h") == ([BEGINS] if holds else [])


@given(st.sampled_from([{"is": "3"}, {"is": 3}, {"is": 0.5}, {"is": True}, {"is": False}, {"above": 0}, {"at_most": "9.5"}]),
       st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.from_regex(r"[+-]?[0-9]*[.]?[0-9]*"))  # fmt: skip
def test_every_value_has_an_answer(test: dict[str, Scalar], value: Scalar) -> None:
    assert traits.holds(TraitTest.model_validate({"name": "x", **test}), value) in (True, False)


@pytest.mark.parametrize(
    ("member", "holds"),
    [(True, True), ("true", True), ("True", True), (1, True), (1.0, True), ("1", True),
     (False, False), ("false", False), (0, False), ("", False), (None, False), ("yes", False), (2, False)],
)  # fmt: skip
def test_a_segment_is_a_boolean_trait_in_any_of_its_spellings(member: Scalar, holds: bool) -> None:
    history = [QUIZZED, told("0m", skin_type="dry", newsletter_readers=member)]
    assert said(with_quiz(), *history, until="2h") == ([BEGINS] if holds else [])


def test_a_segment_that_nobody_told_of_is_not_held() -> None:
    assert said(with_quiz(), QUIZZED, told("0m", skin_type="dry"), until="2h") == []


def test_the_newest_word_on_a_trait_counts_by_when_it_was_said() -> None:
    quizzed, dry = track("Quiz Completed", "20m"), told("20m", skin_type="dry", newsletter_readers=True)
    oily = stamp("50m"), stamp("50m", occurred="10m")
    newer, older = (Identified(traits={"skin_type": "oily"}, **each) for each in oily)  # type: ignore[arg-type]
    assert said(with_quiz(), quizzed, dry, newer, until="2h") == []
    assert said(with_quiz(), quizzed, dry, older, until="2h") == [("80m", *BEGINS[1:])]
