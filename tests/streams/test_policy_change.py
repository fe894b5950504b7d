"""A policy deployed while people are in moments: one instant for everybody, however the log is read, and again in a replay."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.replay import replay
from contracts.commands import Command
from contracts.decisions import Decision
from contracts.instant import HOUR_MS, MINUTE_MS, duration_ms
from contracts.policy import parse
from contracts.signals import Marked, PersonSignal, Ruled
from contracts.versions import NewerRecord
from streams import control, rulings
from streams.partition import Partition
from tests.streams.histories import POLICY, START_MS, People, Run, added, histories, ordered

SHIPPED = yaml.safe_load((Path(__file__).parents[2] / "policies" / "skincare.yaml").read_text())
WHOLE = settings(max_examples=80, deadline=None, derandomize=True)
CART = "high_aov_abandoner"


def changed(at: str, *, without: str | None = None, cart: dict[str, object] | None = None, **keys: object) -> Ruled:
    """A deployment of the shipped policy with some keys changed."""
    audiences = {name: rules for name, rules in SHIPPED["audiences"].items() if name != without}
    if cart is not None:
        audiences[CART] = audiences[CART] | cart
    text = yaml.safe_dump({**SHIPPED, "audiences": audiences, **keys}, sort_keys=False)
    return Ruled(policy=parse(text, name="changed").hash, text=text, at_ms=START_MS + duration_ms(at))


@pytest.fixture(scope="module", autouse=True)
def _each_text_is_parsed_once() -> Iterator[None]:
    """A tenth of a second each, which thousands of histories would make minutes."""
    parsed = {change.text: parse(change.text, name="changed") for change in (WITHOUT_CART, *CHANGES)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rulings, "parse", lambda text, name: parsed.get(text) or parse(text, name=name))
        yield


WITHOUT_CART = changed("3h", without=CART)


def in_a_moment() -> Run:
    run = Run().play([added("serum", 200, "0m")], until="150m")
    assert run.said() == [("120m", CART, "activated qualified")]
    return run


def test_a_moment_whose_audience_is_gone_ends_at_the_instant_of_the_change() -> None:
    run = in_a_moment()
    run.play([WITHOUT_CART], until="181m")
    assert run.said()[1:] == [("180m", CART, "withdrawn policy_changed")]
    assert [run.decisions[0].policy, run.decisions[1].policy] == [POLICY.hash, WITHOUT_CART.policy]
    told = run.commands[-1]
    assert isinstance(told, Command)
    assert (told.attributes[f"cio_segment_{CART}"], told.attributes["cio_moment"]) == (False, None)


def test_a_moment_goes_on_by_the_new_rules_unless_the_policy_says_end() -> None:
    longer = in_a_moment().play([changed("3h", cart={"leave_after": "20h"})], until="2d")
    assert longer.said()[1:] == [("1200m", CART, "withdrawn expired")]
    shorter = in_a_moment().play([changed("3h", cart={"leave_after": "150m"})], until="2d")
    assert shorter.said()[1:] == [("180m", CART, "withdrawn expired")]
    ended = in_a_moment().play([changed("3h", on_change="end")], until="2d")
    assert ended.said()[1:] == [("180m", CART, "withdrawn policy_changed")]


def test_what_begins_later_begins_by_the_new_policy() -> None:
    run = Run().play([added("serum", 200, "0m"), changed("1h", cart={"enter_after": "4h"})], until="5h")
    assert run.said() == [("240m", CART, "activated qualified")]


def test_a_change_that_waits_for_its_instant_judges_nothing_before_it() -> None:
    run = Run()
    run.take(added("serum", 200, "0m"))
    run.take(WITHOUT_CART)
    run.play([], until="1d")
    assert run.said() == [("120m", CART, "activated qualified"), ("180m", CART, "withdrawn policy_changed")]


def test_a_change_that_comes_late_rules_from_the_next_instant_of_log_time() -> None:
    run = in_a_moment()
    run.take(changed("1h", without=CART))
    run.play([], until="3h")
    assert run.said()[1:] == [(f"{150 + 1 / MINUTE_MS:g}m", CART, "withdrawn policy_changed")]


def test_a_purchase_after_the_change_takes_the_moment_back_before_any_mark() -> None:
    run = in_a_moment()
    run.take(WITHOUT_CART)
    run.take(ordered("o1", 200, "181m"))
    assert run.said()[1:] == [("180m", CART, "withdrawn policy_changed")]
    run.play([], until="2d")
    assert len(run.decisions) == 2


def test_a_purchase_before_the_change_is_what_ended_the_moment() -> None:
    run = in_a_moment()
    run.take(WITHOUT_CART)
    run.take(ordered("o1", 200, "170m"))
    run.play([], until="2d")
    assert run.said()[1:] == [("170m", CART, "withdrawn purchased")]


def test_deploying_the_same_policy_again_changes_nothing() -> None:
    again = Ruled(policy=WITHOUT_CART.policy, text=WITHOUT_CART.text, at_ms=WITHOUT_CART.at_ms + HOUR_MS)
    run = in_a_moment().play([WITHOUT_CART, again], until="2d")
    assert len(run.partition.control.rulings) == 1
    assert len(run.decisions) == 2


def test_a_policy_that_this_release_cannot_read_stops_it_with_a_sentence() -> None:
    with pytest.raises(NewerRecord, match="policy 0123456789ab, which this release cannot read; upgrade"):
        Run().take(Ruled(policy="0123456789ab", text="version: 2", at_ms=START_MS))


CHANGES = (
    changed("0m", without=CART),
    changed("0m", on_change="end"),
    changed("0m", cart={"enter_after": "1h", "leave_after": "30h"}),
    changed("0m", caps=[{"count": 3, "within": "1d"}]),
)


@st.composite
def changing(draw: st.DrawFn) -> list[PersonSignal | Ruled]:
    """A history in order of acceptance with one to three changes of the policy at instants of its signals or between."""
    history: list[PersonSignal | Ruled] = list(draw(histories(late=False)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(history) - 1))
        at_ms = instant(history[at]) + draw(st.sampled_from([0, 0, 1, MINUTE_MS, 3 * HOUR_MS]))
        change = draw(st.sampled_from(CHANGES))
        history.append(Ruled(policy=change.policy, text=change.text, at_ms=at_ms))
    return sorted(history, key=lambda record: (instant(record), not isinstance(record, Ruled)))


def instant(record: PersonSignal | Ruled) -> int:
    return record.at_ms if isinstance(record, Ruled) else record.accepted_ms


def told(decisions: list[Decision]) -> Counter[tuple[str, str]]:
    return Counter((decision.id, decision.policy) for decision in decisions)


@WHOLE
@given(changing())
def test_coarse_marks_give_what_fine_marks_give_across_changes(history: list[PersonSignal | Ruled]) -> None:
    fine = Run().play(history, until="200d")
    coarse = Run().play(history, until="200d", every_ms=3 * HOUR_MS)
    assert told(fine.decisions) == told(coarse.decisions)


@WHOLE
@given(changing())
def test_a_restart_at_any_point_thinks_with_the_policy_of_that_point(history: list[PersonSignal | Ruled]) -> None:
    whole = Run().play(history, until="1100d")
    broken = Run()
    texts: dict[str, str] = {}
    for record in history:
        broken.read([record], every_ms=HOUR_MS)
        texts |= broken.partition.rulings.texts()
        kept = control.decode(control.encode(broken.partition.control))
        broken.partition = Partition(POLICY, broken.people, arm=lambda key: "assisted", control=kept, policies=texts)
        broken.partition.restore(broken.people.items())
    broken.play([], until="1100d")
    assert told(whole.decisions) == told(broken.decisions)


@WHOLE
@given(changing())
def test_the_log_replayed_gives_the_same_decisions_at_the_same_positions(history: list[PersonSignal | Ruled]) -> None:
    log: list[PersonSignal | Marked | Ruled] = []

    class Recorded(Run):
        def take(self, signal: PersonSignal | Marked | Ruled) -> None:
            log.append(signal)
            super().take(signal)

    live = Recorded().play(history, until="200d", every_ms=HOUR_MS)
    again = Partition(POLICY, People(), arm=lambda key: "assisted")
    replayed = [decision for at, record in enumerate(log, 1) for decision in again.take(record, at).decisions]
    assert replayed == live.decisions


def test_a_raw_history_replays_a_change_at_its_instant() -> None:
    history: list[PersonSignal | Ruled] = [added("serum", 200, "0m"), WITHOUT_CART, added("cream", 300, "4h")]
    effects = list(replay(history, Partition(POLICY, {}, arm=lambda key: "assisted"), until_ms=START_MS + 48 * HOUR_MS))
    said = [(d.at[11:16], d.outcome, d.reason) for effect in effects for d in effect.decisions]
    assert said == [("11:00", "activated", "qualified"), ("12:00", "withdrawn", "policy_changed")]
