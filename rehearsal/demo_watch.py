"""Watches while the demo runs: reads the topics with a plain consumer and asks the rehearsal Intercom what it shows."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import COMMANDS, DECISIONS, QUARANTINE, SIGNALS
from rehearsal.demo_evidence import Evidence, read_contact
from rehearsal.demo_kafka import PARTITIONS

WATCHED = (SIGNALS, DECISIONS, COMMANDS, QUARANTINE)
ASK_SECONDS = 0.05  # between two looks at Intercom: the resolution of every measured time
ASK_SECONDS_MAX = 5.0
READ_MS = 50  # the embedded broker answers a waiting fetch at its end only, whatever comes meanwhile
_RECORDS_MAX = 2_000


async def read_topics(bootstrap: str, evidence: Evidence) -> None:
    """Record everything from the beginning of each topic, until cancelled."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=READ_MS)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic.name, number) for topic in WATCHED for number in range(PARTITIONS)])
        await consumer.seek_to_beginning()
        while True:
            batches = await consumer.getmany(timeout_ms=READ_MS, max_records=_RECORDS_MAX)
            wall_ms = _wall_ms()
            for place, records in batches.items():
                for record in records:
                    evidence.record(place.topic, record.value or b"", wall_ms)
    finally:
        await consumer.stop()


async def ask_intercom(url: str, evidence: Evidence) -> None:
    """Look at every contact, again and again, until cancelled."""
    async with httpx.AsyncClient(base_url=url, timeout=ASK_SECONDS_MAX, trust_env=False) as client:
        while True:
            evidence.shows(await contacts(client), _wall_ms())
            await asyncio.sleep(ASK_SECONDS)


async def contacts(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """Attributes by person of all contacts that Intercom holds."""
    response = await client.get("/_rehearsal/contacts")
    response.raise_for_status()
    return dict(read_contact(contact) for contact in _listed(response.json()))


def _listed(answer: Any) -> list[Mapping[str, Any]]:
    return list(answer["data"]) if isinstance(answer, dict) else list(answer)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
