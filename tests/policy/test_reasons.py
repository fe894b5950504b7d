"""Every reason that a decision can have is shown by a persona, or, where the shipped policy cannot give it, by a test."""

from pathlib import Path
from typing import Any, get_args

import yaml

from contracts.decisions import Reason
from streams.partition import Partition
from tests.policy import test_hours
from tests.streams.histories import POLICY, Run, added

PERSONAS = Path(__file__).parents[1] / "personas"
REASONS = frozenset(get_args(Reason))
SHOWN_BY_TEST = {
    "outside_hours": test_hours.test_what_the_night_withheld_begins_at_the_opening_minute,  # the shipped hours are always
}


def told_by(documents: dict[str, Any]) -> dict[str, set[str]]:
    """reason -> personas that expect it; an activation says no reason where it is the only one that it can have."""
    found: dict[str, set[str]] = {}
    for name, document in documents.items():
        for row in document.get("expect") or ():
            reason = row.get("reason", "qualified" if row.get("outcome") == "activated" else None)
            found.setdefault(reason, set()).add(name)
    return found


def personas() -> dict[str, Any]:
    return {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(PERSONAS.glob("*.yaml"))}


def missing(documents: dict[str, Any]) -> set[str]:
    return set(REASONS - set(told_by(documents)) - set(SHOWN_BY_TEST) - {"policy_changed"})


def test_every_reason_has_a_persona() -> None:
    assert missing(personas()) == set(), "add a persona to tests/personas that ends in this reason"


def test_no_persona_expects_a_reason_that_does_not_exist() -> None:
    assert set(told_by(personas())) <= REASONS


def test_a_reason_without_its_persona_is_seen() -> None:
    documents = personas()
    for reason in REASONS - set(SHOWN_BY_TEST) - {"policy_changed"}:
        left = {name: document for name, document in documents.items() if name not in told_by(documents)[reason]}
        assert reason in missing(left)


def test_an_audience_that_the_policy_no_longer_has_ends_with_policy_changed() -> None:
    """The record outlives the policy: the next one finds an active episode of an audience that it does not know."""
    run = Run().play([added("serum", 200, "0m")], until="3h")
    assert run.said() == [("120m", "high_aov_abandoner", "activated qualified")]
    left = {name: audience for name, audience in POLICY.audiences.items() if name != "high_aov_abandoner"}
    run.partition = Partition(POLICY.model_copy(update={"audiences": left}), run.people, arm=lambda key: "assisted")
    run.play([added("cream", 5, "4h")], until="5h")
    assert run.said()[1:] == [("240m", "high_aov_abandoner", "withdrawn policy_changed")]
