from collections.abc import Iterable, Mapping

from agents.marking import mark_round
from agents.marks import Marks, Source
from contracts import signals
from contracts.signals import Marked
from tests.receiver.doubles import FixedClock

LEFT, RIGHT = Source("sources.customerio", 0), Source("sources.intercom", 1)


class FakeReading:
    """Ends that are given; positions that move on each time they are asked for, by one until the limit."""

    def __init__(self, at: dict[Source, int], ends: dict[Source, int], clock: FixedClock) -> None:
        self.at, self.ends, self.clock = at, ends, clock
        self.limit: dict[Source, int] = {}
        self.written: list[tuple[int, Marked]] = []

    def positions(self) -> Mapping[Source, int]:
        self.at = {source: min(at + 1, self.limit.get(source, 99)) for source, at in self.at.items()}
        return self.at

    async def end_offsets(self, sources: Iterable[Source]) -> Mapping[Source, int]:
        self.clock.at_ms += 50  # asking takes time, in which messages may come
        return {source: self.ends[source] for source in sources}

    async def append(self, partition: int, value: bytes) -> None:
        mark = signals.decode(value)
        assert isinstance(mark, Marked)
        self.written.append((partition, mark))


async def test_a_mark_carries_the_time_before_the_ends_were_asked_for_and_goes_everywhere() -> None:
    clock = FixedClock(1_000)
    reading = FakeReading({LEFT: 0}, {LEFT: 4}, clock)
    assert await mark_round(Marks(), reading, clock, of=3, partitions=2, seconds=0.2, outcomes=True) == 1
    mark = Marked(source="sources.customerio/0", at_ms=1_000, of=3)
    assert reading.written == [(0, mark), (1, mark)]


async def test_a_source_that_lags_is_marked_later_with_the_time_of_its_goal() -> None:
    clock, marks = FixedClock(1_000), Marks()
    reading = FakeReading({LEFT: 0, RIGHT: 0}, {LEFT: 2, RIGHT: 10}, clock)
    reading.limit[RIGHT] = 5
    await mark_round(marks, reading, clock, of=2, partitions=1, seconds=0.1, outcomes=True)
    assert [mark.source for _, mark in reading.written] == [LEFT.name()]
    reading.limit[RIGHT], clock.at_ms = 99, 2_000
    await mark_round(marks, reading, clock, of=2, partitions=1, seconds=0.3, outcomes=True)
    assert [(mark.source, mark.at_ms) for _, mark in reading.written[1:]] == [
        (LEFT.name(), 2_000), (RIGHT.name(), 1_000),
    ]  # fmt: skip


async def test_nothing_that_is_read_here_means_no_mark() -> None:
    clock = FixedClock(1_000)
    reading = FakeReading({}, {}, clock)
    assert await mark_round(Marks(), reading, clock, of=2, partitions=1, seconds=0.01, outcomes=True) == 0
    assert reading.written == []
