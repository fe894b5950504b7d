"""Why a recovery hung now and then, and that ours does not seek before the fetcher stands still."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rocksdict
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from faust.app.base import App
from faust.types import TP

from agents.reliable.recovery import table_manager_class
from agents.reliable.work import Work
from rehearsal.broker import create_topics

TOPIC = "under-way"
COUNT = 10


@pytest.mark.kafka
async def test_a_fetch_under_way_takes_what_a_later_seek_asked_for(kafka: str) -> None:
    """Faust hands over the set of partitions itself and empties it at a rebalance; to aiokafka an empty one means all."""
    create_topics(kafka, {TOPIC: (1, {})})
    producer = Producer({"bootstrap.servers": kafka})
    for _ in range(COUNT):
        producer.produce(TOPIC, b"x")
    producer.flush(20)
    changelog = TopicPartition(TOPIC, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([changelog])
        await consumer.seek_to_end(changelog)
        assert await consumer.position(changelog) == COUNT
        asked = {TopicPartition("a-source", 0)}
        under_way = asyncio.create_task(consumer._fetcher.fetched_records(asked, timeout=20))
        await asyncio.sleep(0)
        asked.clear()
        consumer.seek(changelog, 0)
        found = await under_way
        assert len(found[changelog]) == COUNT
        assert await consumer.position(changelog) == COUNT  # whoever throws them away never sees them again
    finally:
        await consumer.stop()


class Consumer:
    """What a recovery asks of Faust's consumer, and in which order."""

    def __init__(self) -> None:
        self.parked = asyncio.Event()
        self.calls: list[str] = []

    def stop_flow(self) -> None:
        self.calls.append("stop")

    async def seek_wait(self, offsets: Any) -> None:
        self.calls.append("seek")


class Settled(Consumer):
    """Two partitions of a source, of which one was committed at 5; both hold records 3 to 9."""

    FRESH, COMMITTED = TP("in", 0), TP("in", 1)

    def __init__(self) -> None:
        super().__init__()
        self.parked.set()
        self._committed_offset = {self.COMMITTED: 5}
        self.sought: dict[TP, int] = {}

    def assignment(self) -> set[TP]:
        return {self.FRESH, self.COMMITTED}

    async def perform_seek(self) -> None:
        self.sought |= self._committed_offset

    async def earliest_offsets(self, *tps: TP) -> dict[TP, int]:
        return dict.fromkeys(tps, 3)

    async def highwaters(self, *tps: TP) -> dict[TP, int]:
        return dict.fromkeys(tps, 10)

    async def seek_wait(self, offsets: Any) -> None:
        self.sought |= offsets

    def resume_partitions(self, tps: set[TP]) -> None:
        self.calls.append("resume partitions")

    def resume_flow(self) -> None:
        self.calls.append("resume")


async def test_a_partition_without_a_commit_is_read_from_its_first_record_whatever_was_fetched_before() -> None:
    """A fetch during the recovery is thrown away, and would leave a hole where there is no commit to go back to."""
    consumer, work = Settled(), Work(print, gaps_allowed=False)
    recovery = table_manager_class(work)(App("recovery", loop=asyncio.get_running_loop())).recovery

    async def sent() -> None:
        return None

    def nothing(*_: Any) -> None:
        return None

    recovery.app = SimpleNamespace(
        consumer=consumer,
        consumer_generation_id=1,
        conf=SimpleNamespace(broker_request_timeout=5.0),
        flow_control=SimpleNamespace(resume=nothing),
        on_rebalance_complete=SimpleNamespace(send=sent),
        on_rebalance_end=nothing,
        assignor=SimpleNamespace(assigned_standbys=set),
        _fetcher=SimpleNamespace(started=True, should_stop=False, maybe_start=sent),
    )
    await recovery.on_recovery_completed(1)
    assert consumer.sought == {Settled.FRESH: 3, Settled.COMMITTED: 5}
    assert consumer.calls[-1] == "resume"
    assert work.settled


async def test_a_recovery_does_not_seek_before_the_fetcher_stands_still() -> None:
    def fail(sentence: str) -> None:
        raise AssertionError(sentence)

    consumer = Consumer()
    made: Any = table_manager_class(Work(fail, gaps_allowed=False))
    recovery = made(App("recovery", loop=asyncio.get_running_loop())).recovery
    recovery.app = SimpleNamespace(consumer=consumer, _fetcher=SimpleNamespace(started=True, should_stop=False))
    seeking = asyncio.create_task(recovery._seek_offsets(consumer, set(), {}, "active"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert consumer.calls == ["stop"]
    consumer.parked.set()
    await seeking
    assert consumer.calls == ["stop", "seek"]


class Table:
    """A table with one partition on disk, as Faust's store keeps it."""

    name, offset_key = "people", b"offset"

    def __init__(self, path: Path) -> None:
        self.data = self
        self.local = rocksdict.Rdict(str(path), rocksdict.Options(raw_mode=True))

    def _db_for_partition(self, number: int) -> Any:
        return self.local


def restoring(table: Table, fail: Any) -> Any:
    """A recovery of one active partition that was read up to offset 3, and whose changelog ends with 7."""
    made: Any = table_manager_class(Work(fail, gaps_allowed=False))
    recovery = made(App("recovery", loop=asyncio.get_running_loop())).recovery
    recovery.tp_to_table, recovery.active_tps, recovery.standby_tps = {CHANGELOG: table}, {CHANGELOG}, set()
    recovery.active_offsets, recovery.active_highwaters = {CHANGELOG: 3}, {CHANGELOG: 7}
    recovery.in_recovery = True
    return recovery


CHANGELOG = TP("people-changelog", 0)


def changed(offset: int, key: bytes, value: bytes | None) -> SimpleNamespace:
    return SimpleNamespace(offset=offset, key=key, value=value)


async def test_a_changelog_is_restored_batch_by_batch_and_the_recovery_ends_with_its_last_record(
    tmp_path: Path,
) -> None:
    table = Table(tmp_path / "people")
    recovery = restoring(table, print)
    recovery.restore(CHANGELOG, [changed(2, b"old", b"x"), changed(4, b"a", b"1"), changed(5, b"b", b"2")])
    assert dict(table.local.items()) == {b"a": b"1", b"b": b"2", b"offset": b"5"}
    assert not recovery.signal_recovery_end.is_set()
    recovery.restore(CHANGELOG, [changed(5, b"b", b"again"), changed(7, b"a", None)])
    assert dict(table.local.items()) == {b"b": b"2", b"offset": b"7"}
    assert recovery.signal_recovery_end.is_set()
    recovery._set_recovery_started()
    assert not recovery.signal_recovery_end.is_set(), "the next recovery has an end of its own"


async def test_records_of_a_former_assignment_are_not_restored(tmp_path: Path) -> None:
    table = Table(tmp_path / "people")
    recovery = restoring(table, print)
    recovery.active_tps = set()
    recovery.restore(CHANGELOG, [changed(4, b"a", b"1")])
    recovery.restore(TP("another-changelog", 0), [changed(4, b"a", b"1")])
    assert dict(table.local.items()) == {}


async def test_a_record_that_cannot_be_kept_stops_the_process(tmp_path: Path) -> None:
    table, said = Table(tmp_path / "people"), list[str]()
    recovery = restoring(table, said.append)
    table.local.close()
    with pytest.raises(Exception, match="closed"):
        recovery.restore(CHANGELOG, [changed(4, b"a", b"1")])
    assert said and "could not keep what it read" in said[0]
    assert recovery.active_offsets == {CHANGELOG: 3}
