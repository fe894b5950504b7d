"""The gauges of a worker: what it owns is shown, what it gave away disappears, and a broker that is away stops nothing."""

import asyncio
from collections.abc import Mapping

import pytest
from aiokafka.errors import KafkaConnectionError
from prometheus_client import Gauge
from structlog.testing import capture_logs

from agents.measures import LAG, LOG_TIME_LAG, PARTITIONS, PENDING, POLICIES, TROUBLES
from agents.measuring import Measuring
from tests.receiver.doubles import FixedClock

AT_MS = 1_772_442_000_000


class FakeApp:
    def __init__(self) -> None:
        self.reached = {0: 90, 1: 100}
        self.ends = {0: 100, 1: 100}
        self.away = False

    def active(self, topic: str) -> frozenset[int]:
        return frozenset(self.reached)

    def positions(self, topic: str) -> Mapping[int, int]:
        return self.reached

    async def end_offsets(self, topic: str) -> Mapping[int, int]:
        if self.away:
            raise KafkaConnectionError("to a broker")
        return self.ends


class FakeJudge:
    def __init__(self) -> None:
        self.times: dict[int, int | None] = {0: AT_MS - 2500, 1: None}

    def log_times_ms(self) -> Mapping[int, int | None]:
        return self.times

    def policy_counts(self) -> Mapping[str, int]:
        return {"0123abcd": len(self.times)} if self.times else {}

    def trouble_counts(self) -> Mapping[int, int]:
        return dict.fromkeys(self.times, 1)


class FakeCourier:
    pending_count = 7


@pytest.fixture(autouse=True)
def nothing_shown() -> None:
    for gauge in (LAG, LOG_TIME_LAG, POLICIES, TROUBLES, PARTITIONS):
        gauge.clear()


def shown(gauge: Gauge) -> dict[tuple[str, ...], float]:
    (family,) = gauge.collect()
    return {tuple(sample.labels.values()): sample.value for sample in family.samples}


async def test_what_is_owned_is_shown_and_what_is_given_away_disappears() -> None:
    app, judge = FakeApp(), FakeJudge()
    measuring = Measuring(app, ["signals"], judge, FakeCourier(), FixedClock(AT_MS))
    await measuring.look()
    assert shown(LAG) == {("signals", "0"): 10, ("signals", "1"): 0}
    assert shown(LOG_TIME_LAG) == {("0",): 2.5}, "a partition whose sources have not all spoken has no log time"
    assert shown(TROUBLES) == {("0",): 1, ("1",): 1} and shown(POLICIES) == {("0123abcd",): 2}
    assert shown(PARTITIONS)["signals",] == 2 and shown(PENDING) == {(): 7}
    del app.reached[1], app.ends[1], judge.times[1]
    await measuring.look()
    assert shown(LAG) == {("signals", "0"): 10} and shown(TROUBLES) == {("0",): 1}
    assert shown(PARTITIONS)["signals",] == 1
    app.reached, judge.times = {}, {}
    await measuring.look()
    assert shown(LAG) == shown(LOG_TIME_LAG) == shown(TROUBLES) == shown(POLICIES) == {}


async def test_a_broker_that_is_away_leaves_the_last_lag_and_is_told() -> None:
    app = FakeApp()
    measuring = Measuring(app, ["signals"], FakeJudge(), None, FixedClock(AT_MS))
    await measuring.look()
    app.away = True
    app.reached = {0: 95}
    with capture_logs() as told:
        await measuring.look()
    assert shown(LAG)["signals", "0"] == 10
    assert [(line["event"], line["what"]) for line in told] == [("not_measured", "lag")]
    assert "KafkaConnectionError" in told[0]["reason"] and "to a broker" not in told[0]["reason"]


async def test_an_end_without_a_position_is_no_lag() -> None:
    """Between two questions a partition may come or go."""
    app = FakeApp()
    app.reached = {0: 90}
    await Measuring(app, ["signals"], FakeJudge(), None, FixedClock(AT_MS)).look()
    assert shown(LAG) == {("signals", "0"): 10}


class SlowApp(FakeApp):
    """Answers nobody before everybody has asked."""

    def __init__(self, questions: int) -> None:
        super().__init__()
        self._all = asyncio.Barrier(questions)

    async def end_offsets(self, topic: str) -> Mapping[int, int]:
        await self._all.wait()
        return await super().end_offsets(topic)


async def test_all_topics_are_asked_at_once_since_an_answer_may_take_a_second() -> None:
    topics = ["sources.customerio", "signals", "commands"]
    async with asyncio.timeout(5):
        await Measuring(SlowApp(len(topics)), topics, FakeJudge(), None, FixedClock(AT_MS)).look()
    assert {topic for topic, _ in shown(LAG)} == set(topics)
