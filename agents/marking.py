"""Writes the marks: round by round, for every source partition that this process reads, into every partition of the log."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Protocol

from agents.clock import Clock
from agents.marks import Marks, Source
from contracts import signals
from contracts.signals import Marked

POLL_SECONDS = 0.02  # ingest forwards what stood in Kafka within milliseconds; a mark should not wait longer than that


class Reading(Protocol):
    """What marking needs of the carrier."""

    def positions(self) -> Mapping[Source, int]:
        """The next offset of every source partition that is read here; everything before it was given to the producer."""
        ...

    async def end_offsets(self, sources: Iterable[Source]) -> Mapping[Source, int]:
        """The offset that the next message of each will get, asked of the broker now."""
        ...

    async def append(self, partition: int, value: bytes) -> None:
        """Puts a record into a partition of the signals topic, behind all that was given to the producer before."""
        ...


async def mark_round(
    marks: Marks, reading: Reading, clock: Clock, *, of: int, partitions: int, seconds: float, outcomes: bool
) -> int:
    """One round of `seconds` (on the wall): aims at the present ends and writes each mark as soon as its goal is reached.

    of: number of source partitions of the whole system; outcomes: a courier writes its outcomes to this log. Returns how
    many sources were marked. What is not reached in this round stays a goal for the next.
    """
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    at_ms = clock.now_ms()  # before the ends are asked for: what is appended later may be stamped after it only
    wanted = marks.open_sources(reading.positions())
    if wanted:
        marks.aim(at_ms, await reading.end_offsets(wanted))
    marked = 0
    while True:
        for source, reached_ms in marks.reached(reading.positions()):
            value = signals.encode(Marked(source=source.name(), at_ms=reached_ms, of=of, outcomes=outcomes))
            for partition in range(partitions):
                await reading.append(partition, value)
            marked += 1
        if loop.time() >= ends_at:
            return marked
        await asyncio.sleep(min(POLL_SECONDS if marks.waiting() else seconds, max(0.0, ends_at - loop.time())))
