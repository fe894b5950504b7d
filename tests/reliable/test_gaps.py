"""Records that are gone are told, with which and what to do, and stop the process unless that is allowed."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from faust.types import TP

from agents.reliable import Output, Record, Store, gaps
from agents.reliable.record import Plain
from agents.reliable.work import Agent, Span, Work

SOURCE = TP("in", 0)


def records(*offsets: int) -> list[Record]:
    return [Record("in", 0, offset, b"k", b"v") for offset in offsets]


def nothing(store: Store | None, found: Sequence[Record]) -> list[Output]:
    return []


def work(told: list[str], *, gaps_allowed: bool) -> Work:
    made = Work(told.append, gaps_allowed=gaps_allowed)
    made.agents["in"] = Agent("in", Plain(nothing), None, None)
    return made


@pytest.mark.parametrize(
    ("offsets", "missing"),
    [((8, 9), "records 7 to 7"), ((7, 9), "records 8 to 8"), ((12,), "records 7 to 11"), ((7, 8, 9), None), ((), None)],
)
def test_each_record_follows_on_the_one_before(offsets: tuple[int, ...], missing: str | None) -> None:
    told = gaps.within("in/0", 7, records(*offsets))
    assert (told is None) == (missing is None)
    assert missing is None or missing in str(told)


@pytest.mark.parametrize(
    ("committed", "begin", "end", "said"),
    [(5, 5, 5, None), (5, 0, 9, None), (None, 4, 9, None), (5, 7, 9, "records 5 to 6"), (5, 0, 4, "made anew")],
    ids=["emptied after reading", "as usual", "first start", "retention passed", "made anew"],
)
def test_a_start_behind_or_beyond_what_the_topic_holds_is_told(
    committed: int | None, begin: int, end: int, said: str | None
) -> None:
    told = gaps.at_start("in/0", committed, begin, end)
    assert (told is None) == (said is None)
    assert said is None or (said in str(told) and gaps.REMEDY in str(told))


def test_a_gap_stops_the_process() -> None:
    told: list[str] = []
    stopped = work(told, gaps_allowed=False)
    stopped.assign({SOURCE: Span(3, 0, 9)})
    with pytest.raises(RuntimeError, match="records 3 to 4"):
        stopped.new_of(SOURCE, records(5, 6))
    assert len(told) == 1
    with pytest.raises(RuntimeError, match="records 3 to 6"):
        stopped.assign({SOURCE: Span(3, 7, 9)})


def test_partitions_that_take_long_to_open_one_by_one_are_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler reads all records of a partition before its first batch; together that may be longer than a commit may take."""
    now, asked = [1000.0], list[float]()

    class Slow(Plain):
        def assigned(self, store: Store | None, partition: int, committed: int | None) -> None:
            asked.append(now[0] - opened.committed_at)
            now[0] += 40

    monkeypatch.setattr("agents.reliable.work.time", SimpleNamespace(monotonic=lambda: now[0]))
    opened = Work(print, gaps_allowed=False)
    opened.agents["in"] = Agent("in", Slow(nothing), None, None)
    opened.assign({TP("in", number): Span(0, 0, 0) for number in range(4)})
    assert asked == [0, 0, 0, 0]
    assert opened.committed_at == now[0] == 1160


def test_an_allowed_gap_is_passed_over() -> None:
    told: list[str] = []
    allowed = work(told, gaps_allowed=True)
    allowed.assign({SOURCE: Span(3, 7, 9)})
    assert allowed.positions == {SOURCE: 7}
    assert [record.offset for record in allowed.new_of(SOURCE, records(6, 8))] == [8]
    assert told == []
