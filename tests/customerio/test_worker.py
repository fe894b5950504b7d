"""A whole worker as a process tells a rehearsed Customer.io what was decided, once a write key is set, and not before."""

import json
import threading
import time
from pathlib import Path

from confluent_kafka import Producer

from agents.settings import Settings
from agents.topic_plan import TABLES, TELLING_TABLE, changelog, wanted
from contracts import decisions, told_back
from contracts.topics import DECISIONS, OURS, SOURCE_CUSTOMERIO
from rehearsal.broker import EMBEDDED_PARTITIONS, embedded_broker
from rehearsal.customerio import Journeys, customerio_app
from tests.customerio.world import KEY, decided, ended
from tests.ingest.test_worker import settings_for
from tests.intercom.serving import served
from tests.live.stage import await_until, messages, process, records


def test_without_a_write_key_there_is_no_table_and_with_one_there_is() -> None:
    name = changelog(TELLING_TABLE)
    plain = Settings(kafka_bootstrap="localhost:1")
    assert name not in {topic.name for topic in wanted(plain)}
    assert name in {topic.name for topic in wanted(plain.model_copy(update={"customerio_write_key": KEY}))}


def judged(bootstrap: str) -> set[bytes | str | None]:
    """Keys of the people that the judge has kept."""
    return {message.key() for message in messages(bootstrap, changelog("people"), EMBEDDED_PARTITIONS)}


def test_decisions_reach_customerio_and_nothing_is_left_waiting(tmp_path: Path) -> None:
    journeys, now_ms = Journeys(), time.time_ns() // 1_000_000
    away = threading.Event()
    state = changelog(TELLING_TABLE)
    names = [*(topic.name for topic in OURS), *map(changelog, TABLES), state]
    with (
        embedded_broker(names) as bootstrap,
        served(customerio_app(journeys, write_key=KEY, faults=lambda _: 503 if away.is_set() else None)) as address,
    ):
        producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2"})
        for made in (decided(at_ms=now_ms), ended(at_ms=now_ms + 1), decided(person="id:7", at_ms=now_ms)):
            producer.produce(DECISIONS.name, decisions.encode(made), made.person.encode())
        assert producer.flush(20) == 0
        environment = settings_for(bootstrap, tmp_path) | {
            "CONCIERGE_CUSTOMERIO_WRITE_KEY": KEY, "CONCIERGE_CUSTOMERIO_URL": f"{address}/v1",
        }  # fmt: skip

        def nothing_waits() -> bool:
            """Every record of the table was taken away again."""
            kept = [values for values in records(bootstrap, state, EMBEDDED_PARTITIONS).values() if values]
            return bool(kept) and all(values[-1] is None for values in kept)

        with process("work", environment, tmp_path / "worker.log") as worker:
            await_until(lambda: len(journeys.attributes) == 2, seconds=60, what="both people told of")
            await_until(nothing_waits, seconds=30, what="an empty table")
            away.set()
            late = decided("withheld", "holdout", arm="holdout", person="id:gone", at_ms=now_ms)
            producer.produce(DECISIONS.name, decisions.encode(late), b"id:gone")
            assert producer.flush(20) == 0
            await_until(lambda: 503 in journeys.answers, seconds=60, what="a call of somebody who is to be erased")
            gone = {"type": "track", "event": "User Deleted", "userId": "gone", "messageId": "gone"}
            producer.produce(SOURCE_CUSTOMERIO.name, json.dumps(gone).encode())
            assert producer.flush(20) == 0
            await_until(lambda: b"id:gone" in judged(bootstrap), seconds=60, what="the erasure judged")
            away.clear()
            await_until(nothing_waits, seconds=60, what="an empty table")
            assert worker.poll() is None
    assert journeys.attributes.keys() == {"42", "7"}, "of somebody erased meanwhile nothing is told"
    assert journeys.attributes["42"]["concierge_in_moment"] is False
    assert journeys.attributes["7"]["concierge_in_moment"] is True
    assert [call["event"] for call in journeys.events["42"]] == [told_back.BEGAN, told_back.ENDED]
    assert set(journeys.answers) == {200, 503} and journeys.repeats == 0
    assert KEY not in (tmp_path / "worker.log").read_text(encoding="utf-8")
