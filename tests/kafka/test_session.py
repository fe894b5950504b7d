"""What the fence stands on: the broker counts a commit as a sign of life, so that after one nobody takes over for a session."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import CommitFailedError

from rehearsal.broker import create_topics

SESSION_SECONDS = 2.0
PLACE = TopicPartition("session", 0)


@pytest.mark.kafka
async def test_a_member_without_heartbeats_stays_one_for_a_session_after_each_commit(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(self: GroupCoordinator) -> bool:
        return True

    create_topics(kafka, {PLACE.topic: (1, {})})
    monkeypatch.setattr(GroupCoordinator, "_do_heartbeat", silent)
    consumer = AIOKafkaConsumer(
        PLACE.topic, bootstrap_servers=kafka, group_id="session", enable_auto_commit=False,
        session_timeout_ms=int(SESSION_SECONDS * 1000), heartbeat_interval_ms=500,
    )  # fmt: skip
    await consumer.start()
    try:
        assert consumer.assignment() == {PLACE}
        for _ in range(5):
            await asyncio.sleep(SESSION_SECONDS / 2)
            await consumer.commit({PLACE: 0})
        await asyncio.sleep(SESSION_SECONDS * 2)
        with pytest.raises(CommitFailedError):
            await consumer.commit({PLACE: 0})
    finally:
        await consumer.stop()
