"""More laws on any history: what the order of reading, late repetition and the form of a record may not change."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.decisions import Decision
from contracts.instant import DAY_MS, HOUR_MS, from_rfc3339
from contracts.signals import Marked, PersonSignal, Tracked
from streams.partition import Partition
from streams.person import Person
from tests.oracle import histories as drawn
from tests.streams.histories import POLICY, Run
from tests.streams.test_laws import told

LAW = settings(max_examples=60, deadline=None, derandomize=True)
AFTER_MS = 200 * DAY_MS
SOURCES = ("a", "b", "c")


@st.composite
def histories(draw: st.DrawFn, *, claims: bool = True) -> list[PersonSignal]:
    return drawn.history(lambda choices: draw(st.sampled_from(choices)), None if claims else drawn.CASTS[0])


def end_of(history: list[PersonSignal]) -> int:
    return history[-1].accepted_ms + AFTER_MS


def decided(history: list[PersonSignal]) -> list[Decision]:
    run = Run()
    run.read(history)
    run.mark(end_of(history))
    return run.decisions


@LAW
@given(histories(), st.randoms(use_true_random=False))
def test_a_signal_that_is_told_again_at_any_later_time_changes_nothing(
    history: list[PersonSignal], chance: random.Random
) -> None:
    once = decided(history)
    at = chance.randrange(len(history))
    later = chance.randrange(at, len(history)) + 1
    accepted_ms = chance.choice((history[at], history[later - 1])).accepted_ms
    again = replace(history[at], accepted_ms=accepted_ms)
    repeated = [*history[:later], again, *history[later:]]
    run = Run()
    for signal in repeated:
        run.mark(signal.accepted_ms - 1)
        run.take(signal)
    run.mark(end_of(history))
    assert told(run.decisions) == told(once)


@LAW
@given(histories(claims=False), st.randoms(use_true_random=False))
def test_signals_of_different_people_may_be_read_in_any_order(
    history: list[PersonSignal], chance: random.Random
) -> None:
    lanes: dict[str, list[PersonSignal]] = {}
    for signal in history:
        lanes.setdefault(signal.person, []).append(signal)
    run = Run()
    while lanes:
        person = chance.choice(sorted(lanes))
        run.take(lanes[person].pop(0))
        if not lanes[person]:
            del lanes[person]
    run.mark(end_of(history))
    assert told(run.decisions) == told(decided(history))


@LAW
@given(histories(claims=False), st.randoms(use_true_random=False))
def test_marks_of_several_sources_may_interleave_in_any_way(history: list[PersonSignal], chance: random.Random) -> None:
    """Each source speaks when it likes, of any time up to which all that it holds was read; one may say an older time."""
    run = Run()

    def speak(upto_ms: int) -> None:
        for source in chance.sample(SOURCES, chance.randrange(len(SOURCES) + 1)):
            at_ms = upto_ms - chance.choice((0, 1, HOUR_MS, 3 * DAY_MS))
            run.take(Marked(source=source, at_ms=at_ms, of=len(SOURCES), outcomes=False))

    for signal in history:
        speak(signal.accepted_ms - 1)
        run.take(signal)
    for source in SOURCES:
        run.take(Marked(source=source, at_ms=end_of(history), of=len(SOURCES), outcomes=False))
    assert told(run.decisions) == told(decided(history))


@LAW
@given(histories())
def test_a_record_that_was_never_written_down_decides_the_same(history: list[PersonSignal]) -> None:
    run = Run()
    kept: dict[str, Person] = {}
    run.partition = Partition(POLICY, kept, arm=lambda key: "assisted")
    run.read(history)
    run.mark(end_of(history))
    assert told(run.decisions) == told(decided(history))


@LAW
@given(histories(claims=False))
def test_nobody_is_activated_after_a_purchase_that_was_told_before(history: list[PersonSignal]) -> None:
    """For audiences that a purchase stops; orders that some refund or cancel speaks of are left aside."""
    undone = {signal.order_id for signal in history if isinstance(signal, Tracked) and undoes(signal)}
    first: dict[tuple[str, str], Tracked] = {}
    for signal in history:
        if isinstance(signal, Tracked) and signal.event in POLICY.names.orders and signal.order_id not in undone:
            first.setdefault((signal.person, signal.order_id or signal.id), signal)
    ids = [(signal.person, signal.id) for signal in history]
    for decision in decided(history):
        audience = POLICY.audiences[decision.audience]
        if decision.outcome != "activated" or audience.kind != "rescue" or "purchased" in audience.not_stopped_by:
            continue
        at_ms, anchor_ms = from_rfc3339(decision.at), from_rfc3339(decision.episode.partition("@")[2])
        for (person, _), order in first.items():
            if person == decision.person and order.accepted_ms <= at_ms and ids.count((person, order.id)) == 1:
                assert order.occurred_ms <= anchor_ms
                assert order.occurred_ms <= at_ms - POLICY.stops.purchased


def undoes(signal: Tracked) -> bool:
    names = POLICY.names
    return signal.event in names.cancels + names.refunds + names.partial_refunds


@LAW
@given(histories())
def test_a_timer_never_fires_before_its_instant_and_always_makes_progress(history: list[PersonSignal]) -> None:
    run = Run()
    for signal in history:
        known, at_ms = len(run.decisions), signal.accepted_ms - 1
        run.mark(at_ms)
        assert all(from_rfc3339(decision.at) <= at_ms for decision in run.decisions[known:])
        assert_nothing_due(run, at_ms)
        known = len(run.decisions)
        run.take(signal)
        assert all(from_rfc3339(decision.at) <= signal.accepted_ms for decision in run.decisions[known:])
    run.mark(end_of(history))
    assert_nothing_due(run, end_of(history))


def assert_nothing_due(run: Run, at_ms: int) -> None:
    """What was due by then has fired, and what is due next lies ahead: so a mark never meets the same instant twice."""
    for _, person in run.people.items():
        assert all(signal.accepted_ms > at_ms for signal in person.pending)
        assert person.state is None or person.state.due_ms is None or person.state.due_ms > at_ms
