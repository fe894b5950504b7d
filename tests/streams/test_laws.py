"""Laws of the thinking, on any history: what repetition, restarts, coarse marks and late knowledge may not change."""

from collections import Counter

from hypothesis import given, settings

from contracts.decisions import Decision
from contracts.signals import PersonSignal
from streams.partition import Partition
from tests.streams.histories import POLICY, Run, histories

WHOLE = settings(max_examples=150, deadline=None, derandomize=True)


def told(decisions: list[Decision]) -> Counter[str]:
    return Counter(decision.id for decision in decisions)


@WHOLE
@given(histories(late=False))
def test_coarse_marks_give_what_fine_marks_give(history: list[PersonSignal]) -> None:
    fine = Run().play(history, until="200d")
    coarse = Run().play(history, until="200d", every_ms=3 * 3_600_000)
    assert told(fine.decisions) == told(coarse.decisions)


@WHOLE
@given(histories())
def test_repeating_every_signal_changes_nothing(history: list[PersonSignal]) -> None:
    once = Run().play(history, until="1100d")
    twice = Run().play([signal for signal in history for _ in range(2)], until="1100d")
    assert told(once.decisions) == told(twice.decisions)


@WHOLE
@given(histories())
def test_a_restart_at_any_point_changes_nothing(history: list[PersonSignal]) -> None:
    whole = Run().play(history, until="1100d")
    broken = Run()
    for signal in history:
        broken.read([signal])
        broken.partition = Partition(
            POLICY, broken.people, arm=lambda key: "assisted", control=broken.partition.control
        )
        broken.partition.restore(broken.people.items())
    broken.play([], until="1100d")
    assert told(whole.decisions) == told(broken.decisions)


@WHOLE
@given(histories())
def test_an_episode_is_activated_once_and_withdrawn_once_after_it(history: list[PersonSignal]) -> None:
    run = Run().play(history, until="200d")
    last: dict[tuple[str, str], list[str]] = {}
    for decision in run.decisions:
        last.setdefault((decision.person, decision.episode), []).append(decision.outcome)
    for outcomes in last.values():
        assert outcomes.count("activated") <= 1
        changes = [outcome for outcome in outcomes if outcome != "withheld"]
        assert changes in ([], ["activated"], ["activated", "withdrawn"])
        assert "withheld" not in outcomes[outcomes.index("activated") :] if "activated" in outcomes else True


@WHOLE
@given(histories())
def test_decision_ids_are_unique(history: list[PersonSignal]) -> None:
    run = Run().play(history, until="200d")
    assert max(told(run.decisions).values(), default=1) == 1


@WHOLE
@given(histories())
def test_nobody_is_in_two_moments(history: list[PersonSignal]) -> None:
    run = Run().play(history, until="200d")
    now: dict[str, set[str]] = {}
    for decision in run.decisions:
        here = now.setdefault(decision.person, set())
        if decision.outcome == "activated":
            here.add(decision.episode)
        elif decision.outcome == "withdrawn":
            here.discard(decision.episode)
        assert len(here) <= 1
