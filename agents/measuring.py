"""Looks at a running worker every few seconds and sets the gauges: what is left to read, log time, pending commands.

What cannot be asked at the moment keeps its last value; what this worker does not own any more disappears.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError
from prometheus_client import Gauge

from agents.clock import Clock
from agents.failure import told
from agents.measures import LAG, LOG_TIME_LAG, PARTITIONS, PENDING, POLICIES, TROUBLES

MEASURE_SECONDS = 5.0  # finer than any scraper asks
ANSWER_SECONDS_MAX = 5.0
log = structlog.get_logger(__name__)


class App(Protocol):
    """What is measured of the carrier."""

    def active(self, topic: str) -> frozenset[int]: ...

    def positions(self, topic: str) -> Mapping[int, int]: ...

    async def end_offsets(self, topic: str) -> Mapping[int, int]: ...


class Judge(Protocol):
    def log_times_ms(self) -> Mapping[int, int | None]:
        """Log time per partition, None before all sources have spoken."""
        ...

    def policy_counts(self) -> Mapping[str, int]: ...

    def trouble_counts(self) -> Mapping[int, int]: ...


class Courier(Protocol):
    @property
    def pending_count(self) -> int: ...


class Measuring:
    """topics: what this worker reads. courier: None where nothing is sent."""

    def __init__(self, app: App, topics: Iterable[str], judge: Judge, courier: Courier | None, clock: Clock) -> None:
        self._app, self._topics, self._judge, self._courier, self._clock = app, tuple(topics), judge, courier, clock
        self._shown: dict[Gauge, set[tuple[str, ...]]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(MEASURE_SECONDS)  # of the wall: scrapers live there

    async def look(self) -> None:
        now_ms = self._clock.now_ms()
        times = {(str(number),): at for number, at in self._judge.log_times_ms().items() if at is not None}
        self._show(LOG_TIME_LAG, {labels: max(0, now_ms - at_ms) / 1000 for labels, at_ms in times.items()})
        self._show(TROUBLES, {(str(number),): count for number, count in self._judge.trouble_counts().items()})
        self._show(POLICIES, {(policy,): count for policy, count in self._judge.policy_counts().items()})
        if self._courier is not None:
            PENDING.set(self._courier.pending_count)
        for topic in self._topics:
            PARTITIONS.labels(topic).set(len(self._app.active(topic)))
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                self._show(LAG, await self._lags())
        except (KafkaError, TimeoutError) as error:
            log.warning("not_measured", what="lag", reason=told(error))

    async def _lags(self) -> dict[tuple[str, ...], float]:
        """All topics are asked at once: a question may wait for a second behind the fetch that is under way."""
        lags: dict[tuple[str, ...], float] = {}
        found = await asyncio.gather(*(self._app.end_offsets(topic) for topic in self._topics))
        for topic, ends in zip(self._topics, found, strict=True):
            positions = self._app.positions(topic)
            for number, end in ends.items():
                if number in positions:
                    lags[topic, str(number)] = max(0, end - positions[number])
        return lags

    def _show(self, gauge: Gauge, values: Mapping[tuple[str, ...], float]) -> None:
        for labels, value in values.items():
            gauge.labels(*labels).set(value)
        for gone in self._shown.get(gauge, set()) - values.keys():
            gauge.remove(*gone)
        self._shown[gauge] = set(values)
