"""`concierge erase`: the call it sends, and what a running worker makes of it."""

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from agents.erasure import NotAKey, call_for
from agents.topic_plan import TABLES, changelog
from console.cli import app
from contracts import decisions
from contracts.calls import parse
from contracts.decisions import Decision
from contracts.signals import Erased
from contracts.topics import DECISIONS, OURS
from rehearsal.broker import EMBEDDED_PARTITIONS, embedded_broker
from tests.ingest.test_worker import settings_for
from tests.live.stage import await_until, process, records


@pytest.mark.parametrize("key", ["id:u-1", "cio:c2f004", "email:ada@example.com", "anon:b-1", "id:email:odd"])
def test_the_call_is_read_as_the_erasure_of_exactly_that_key(key: str) -> None:
    (signal,) = parse(json.dumps(call_for(key)).encode(), accepted_ms=1).signals
    assert isinstance(signal, Erased) and signal.person == key


@pytest.mark.parametrize("key", ["ada@example.com", "u-1", "id:", "id: ", "email:ada", "phone:1", "id:a\nb", ""])
def test_what_is_no_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(NotAKey) as refused:
        call_for(key)
    assert str(refused.value) == "a person is named as id:..., cio:..., email:... or anon:..., as in decisions"


def test_a_person_in_a_moment_is_forgotten_under_any_of_their_keys(tmp_path: Path) -> None:
    with embedded_broker([*(topic.name for topic in OURS), *map(changelog, TABLES)]) as bootstrap:
        producer = Producer({"bootstrap.servers": bootstrap})
        for call in (
            {"type": "identify", "userId": "u-1", "messageId": "m-1", "traits": {"email": "ada@example.com"}},
            {"type": "track", "userId": "u-1", "messageId": "m-2", "event": "Subscription Cancel Started"},
        ):
            producer.produce("sources.customerio", json.dumps(call).encode(), partition=0)
        assert producer.flush(20) == 0
        settings = settings_for(bootstrap, tmp_path)

        def said() -> list[tuple[str, str, str]]:
            found = records(bootstrap, DECISIONS.name, EMBEDDED_PARTITIONS).values()
            read: list[Decision] = [decisions.decode(value) for values in found for value in values]
            return [(one.person, one.outcome, one.reason) for one in read]

        with process("work", settings, tmp_path / "worker.log"):
            await_until(lambda: len(said()) == 1, seconds=60, what="the moment")
            result = CliRunner(env=settings).invoke(app, ["erase", "email:ada@example.com"])
            assert (result.exit_code, "ada" in result.output) == (0, False), result.output
            await_until(lambda: len(said()) == 2, seconds=30, what="the end of the moment")
        assert said() == [("id:u-1", "activated", "qualified"), ("id:u-1", "withdrawn", "erased")]
