"""A mark is never a lie, whatever the order in which messages, reads and marks come."""

from hypothesis import given
from hypothesis import strategies as st

from agents.marks import Marks, Source

SOURCE, OTHER = Source("sources.customerio", 0), Source("sources.customerio", 1)


def test_a_mark_comes_once_everything_before_the_end_is_forwarded() -> None:
    marks, at = Marks(), {SOURCE: 3}
    assert marks.open_sources(at) == [SOURCE]
    marks.aim(1_000, {SOURCE: 5})
    assert marks.open_sources(at) == []
    assert marks.reached(at) == []
    at[SOURCE] = 5
    assert marks.reached(at) == [(SOURCE, 1_000)]
    assert marks.reached(at) == []


def test_a_straggler_is_stamped_after_the_mark_and_never_later_than_now() -> None:
    marks, at = Marks(), {SOURCE: 0}
    assert marks.stamp(SOURCE, 900, 1_000) == 900
    assert marks.stamp(SOURCE, 5_000, 1_000) == 1_000
    assert marks.stamp(SOURCE, None, 1_000) == 1_000
    marks.aim(1_000, {SOURCE: 0})
    assert marks.stamp(SOURCE, 900, 1_000) == 900
    marks.reached(at)
    assert marks.stamp(SOURCE, 900, 1_100) == 1_001
    assert marks.stamp(OTHER, 900, 1_100) == 900


def test_a_time_that_stands_still_or_runs_back_marks_nothing() -> None:
    marks, at = Marks(), {SOURCE: 0}
    marks.aim(1_000, {SOURCE: 0})
    assert marks.reached(at)
    for at_ms in (1_000, 999):
        marks.aim(at_ms, {SOURCE: 0})
        assert marks.reached(at) == []


def test_a_partition_that_went_to_somebody_else_gets_no_mark_from_here() -> None:
    marks, at = Marks(), {SOURCE: 0}
    marks.aim(1_000, {SOURCE: 0})
    at.clear()
    assert marks.reached(at) == []
    assert marks.open_sources(at) == []
    assert not marks.waiting()


def test_a_slow_partition_does_not_hold_back_its_neighbour() -> None:
    marks, at = Marks(), {SOURCE: 0}
    at[OTHER] = 7
    marks.aim(1_000, {SOURCE: 9, OTHER: 7})
    assert marks.reached(at) == [(OTHER, 1_000)]
    assert marks.open_sources(at) == [OTHER]


STEPS = st.lists(st.sampled_from(["stamp", "append", "read", "aim", "reached", "tick"]), max_size=80)


@given(STEPS)
def test_no_signal_behind_a_mark_is_stamped_at_or_before_it(steps: list[str]) -> None:
    marks, at, now = Marks(), {SOURCE: 0}, 1_000
    on_their_way: list[int] = []
    source_log: list[int] = []
    written: list[tuple[str, int]] = []
    for step in steps:
        if step == "tick":
            now += 10
        elif step == "stamp":
            on_their_way.append(now)
        elif step == "append" and on_their_way:
            source_log.append(on_their_way.pop())
        elif step == "read" and at[SOURCE] < len(source_log):
            written.append(("signal", marks.stamp(SOURCE, source_log[at[SOURCE]], now)))
            at[SOURCE] += 1
        elif step == "aim" and marks.open_sources(at):
            marks.aim(now, {SOURCE: len(source_log)})
        elif step == "reached":
            written += [("mark", at_ms) for _, at_ms in marks.reached(at)]
    for index, (kind, at_ms) in enumerate(written):
        if kind == "mark":
            assert all(later > at_ms for _, later in written[index + 1 :])
