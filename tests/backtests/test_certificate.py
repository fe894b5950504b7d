"""A partition's log judged once more gives what was written; each way in which it might not is told, with its first input."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.certificate import Found, Span, certify, told
from contracts import decisions, signals
from contracts.decisions import Decision
from contracts.instant import HOUR_MS, from_rfc3339
from contracts.logged import Logged
from contracts.policy import Policy, parse
from contracts.signals import Marked, PersonSignal, Ruled, Signal
from streams.partition import Partition
from tests.streams.histories import POLICY, START_MS, added, histories, ordered

TEXT = (Path(__file__).parents[2] / "policies" / "skincare.yaml").read_text()
EVER = Span()
SHOP = [
    added("serum", 200, "0m"),
    added("serum", 300, "10m", key="id:u-1"),
    ordered("o1", 200, "3h"),
    ordered("o2", 300, "5h", key="id:u-1"),
]


class Production:
    """One partition as a worker leaves it: a log with marks, what was passed on, and decisions."""

    def __init__(
        self, history: Sequence[PersonSignal | Ruled], policy: Policy = POLICY, *, until_hours: int = 48
    ) -> None:
        self.log: list[Logged] = []
        self.written: list[Logged] = []
        self._thinking = Partition(policy, {})
        for signal in history:
            at_ms = signal.at_ms if isinstance(signal, Ruled) else signal.accepted_ms
            self._append(Marked(source="s/0", at_ms=at_ms - 1, of=1, outcomes=False))
            self._append(signal)
        end_ms = START_MS + until_hours * HOUR_MS
        self._append(Marked(source="s/0", at_ms=end_ms, of=1, outcomes=False))

    def _append(self, signal: Signal) -> None:
        offset = 10 + 3 * len(self.log)  # Kafka's offsets need not be close
        self.log.append(Logged(0, offset, 0, signals.encode(signal)))
        effects = self._thinking.take(signal, offset)
        for decision in effects.decisions:
            self.written.append(Logged(0, len(self.written), 0, decisions.encode(decision)))
        for passed in effects.signals:
            self._append(passed)

    def certify(self, *, policy: Policy = POLICY, span: Span = EVER, judged: int | None = 1 << 40) -> Found:
        return certify(0, lambda: iter(self.log), self.written, policy, span=span, judged=judged)

    def decision(self, number: int) -> Decision:
        return decisions.decode(self.written[number].value)

    def rewrite(self, number: int, **fields: object) -> None:
        changed = msgspec.structs.replace(self.decision(number), **fields)
        self.written[number] = self.written[number]._replace(value=decisions.encode(changed))


def test_what_was_written_is_certified_with_a_hash_that_anybody_gets() -> None:
    one, again = Production(SHOP), Production(SHOP)
    found = told([one.certify()])
    assert (found["n"], found["match_percent"], found["differences"]) == (4, 100.0, [])
    assert found["hash"] == told([again.certify()])["hash"]
    assert found["hash"] != told([Production(SHOP[:3]).certify()])["hash"]


@given(histories(), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_any_history_with_merges_and_late_events_is_certified(history: list[PersonSignal], repeats: int) -> None:
    production = Production(history)
    production.written += production.written[:repeats]
    found = production.certify()
    assert (found.differing, found.waiting) == (0, 0)
    assert found.matching == len({decisions.decode(record.value).id for record in production.written})


def test_a_decision_that_production_lacks_is_told_with_person_policy_and_input() -> None:
    production = Production(SHOP)
    lost = production.decision(0)
    del production.written[0]
    found = production.certify()
    assert (found.matching, found.differing) == (3, 1)
    (difference,) = found.differences
    assert (difference.person, difference.policy, difference.what) == (lost.person, POLICY.hash, "missing")
    place = int((difference.input or "").partition("/")[2])
    mark = signals.decode(next(record.value for record in production.log if record.offset == place))
    assert isinstance(mark, Marked) and mark.at_ms >= from_rfc3339(lost.at)


def test_a_decision_that_only_production_has_is_told_with_the_record_of_its_cause() -> None:
    production = Production(SHOP)
    end = next(number for number in range(4) if production.decision(number).outcome == "withdrawn")
    production.rewrite(end, id="made-up", reason="refunded")
    found = production.certify()
    assert sorted(difference.what for difference in found.differences) == ["extra", "missing"]
    cause = next(
        record.offset for record in production.log if b'"o1 ' in record.value or b"Order Completed 3h" in record.value
    )
    assert {difference.input for difference in found.differences} == {f"0/{cause}"}


def test_another_value_in_a_clause_is_a_difference_and_named() -> None:
    production = Production(SHOP)
    clauses = production.decision(0).clauses
    altered = tuple(
        msgspec.structs.replace(one, saw={"cart_value": 199}) if one.clause.startswith("cart_value >") else one
        for one in clauses
    )
    assert altered != clauses, "void: nothing was altered"
    production.rewrite(0, clauses=altered)
    (difference,) = production.certify().differences
    assert difference.what == "clauses, cart_value > 150"
    assert told([production.certify()])["match_percent"] == 75.0


def test_the_wrong_policy_does_not_certify() -> None:
    other = parse(TEXT.replace("cart_value: {above: 150}", "cart_value: {above: 250}"), name="other")
    found = Production(SHOP).certify(policy=other)
    assert found.differing > 0
    assert {"policy", "extra"} & {difference.what for difference in found.differences} or found.matching == 0


def test_a_policy_that_was_deployed_in_between_is_taken_from_the_log() -> None:
    text = TEXT.replace("cart_value: {above: 150}", "cart_value: {above: 250}")
    ruled = Ruled(policy=parse(text, name="next").hash, text=text, at_ms=START_MS + HOUR_MS)
    found = Production([*SHOP[:2], ruled, *SHOP[2:]]).certify()
    assert (found.matching, found.differing) == (2, 0)


def test_what_production_has_not_judged_yet_waits_and_is_no_difference() -> None:
    production = Production(SHOP)
    last = production.log[-5].offset
    judged_later = [n for n in range(4) if from_rfc3339(production.decision(n).at) > START_MS + 3 * HOUR_MS]
    assert judged_later, "void: nothing came later"
    production.written = [record for n, record in enumerate(production.written) if n not in judged_later]
    assert production.certify().differing == len(judged_later)
    found = production.certify(judged=last)
    assert (found.differing, found.waiting) == (0, len(judged_later))
    unknown = production.certify(judged=None)
    assert (unknown.differing, unknown.waiting) == (0, len(judged_later))


def test_from_and_to_bound_the_decisions_not_the_log() -> None:
    span = Span(START_MS + 3 * HOUR_MS, START_MS + 5 * HOUR_MS)
    found = Production(SHOP).certify(span=span)
    assert (found.matching, found.differing) == (1, 0), "the purchase after three hours; its beginning was before"


@pytest.mark.parametrize(("matching", "differing", "percent"), [(99_999, 1, 99.999), (9_999_999, 1, 99.999)])
def test_a_hundred_per_cent_is_said_only_of_all(matching: int, differing: int, percent: float) -> None:
    found = told([Found(0, matching, differing, [], 0, 0, b"")])
    assert found["match_percent"] == percent
