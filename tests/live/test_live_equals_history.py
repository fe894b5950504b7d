"""The REES46 morning played live (receiver, real Kafka, worker, simulated clock) and as a history: the same decisions.

And the log that the live run leaves, replayed, gives its decisions record for record.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from agents.kafka_topics import apply_topics
from agents.settings import Settings
from backtests import backtest, importing
from backtests.mapping import PRESETS
from contracts import decisions, signals, topics
from contracts.decisions import Decision
from contracts.instant import from_rfc3339
from contracts.policy import load
from rehearsal.broker import real_kafka
from streams.partition import Partition
from tests.live.stage import await_until, log_time_ms, process, records, simulated, tail

SLICE = "rees46-2019-10-01.csv.gz"
POLICY = Path(__file__).parents[2] / "policies" / "skincare.yaml"
ORIGIN, UNTIL = "2019-10-01T00:00:00Z", "2019-10-02T00:00:00Z"
PARTITIONS, SPEED, BATCH = 4, 1440, 200

pytestmark = [pytest.mark.kafka, pytest.mark.shared]


class Played(NamedTuple):
    history: list[Decision]
    live: dict[int, list[Decision]]
    log: dict[int, list[bytes]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("morning")
    calls = folder / "events.jsonl"
    importing.write(shared_data / SLICE, PRESETS["rees46"], out=calls, rejects=folder / "rejects.jsonl")
    backtest.run(calls, load(POLICY), out=folder / "result", until_ms=from_rfc3339(UNTIL))
    history = [decisions.decode(line) for line in (folder / "result" / "decisions.jsonl").read_bytes().splitlines()]
    with real_kafka(folder / "kafka") as bootstrap:
        apply_topics(Settings(kafka_bootstrap=bootstrap, partitions=PARTITIONS, replication=1))
        yield _play(folder, bootstrap, calls, history)


def _play(folder: Path, bootstrap: str, calls: Path, history: list[Decision]) -> Played:
    setting, clock = simulated(from_rfc3339(ORIGIN) - 60_000, speed=SPEED, starts_in_seconds=25)
    port = _free_port()
    settings = {
        "CONCIERGE_KAFKA_BOOTSTRAP": bootstrap,
        "CONCIERGE_PARTITIONS": str(PARTITIONS),
        "CONCIERGE_POLICY_FILE": str(POLICY),
        "CONCIERGE_DATA_DIR": str(folder / "state"),
        "CONCIERGE_CLOCK": setting,
        "CONCIERGE_MARK_SECONDS": "0.2",
        "CONCIERGE_COMMIT_SECONDS": "0.5",
        "CONCIERGE_CUSTOMERIO_PIPELINES_OPEN": "true",
        "CONCIERGE_LISTEN_PORT": str(port),
    }
    receiver_log, worker_log = folder / "receiver.log", folder / "worker.log"
    with process("receive", settings, receiver_log), process("work", settings, worker_log) as worker:
        address = f"http://127.0.0.1:{port}"
        await_until(lambda: _ready(address), seconds=20, what="the receiver is ready")
        lines = [json.loads(line) for line in calls.read_text().splitlines()]
        with httpx.Client(base_url=address, timeout=10) as client:
            while lines:
                now_ms = clock.now_ms()
                due = next((i for i, call in enumerate(lines) if from_rfc3339(call["timestamp"]) > now_ms), len(lines))
                for start in range(0, due, BATCH):
                    body = {"batch": lines[start : min(start + BATCH, due)], "sentAt": None}
                    client.post("/customerio/pipelines", json=body).raise_for_status()
                lines = lines[due:]
                time.sleep(0.02)
        until_ms = from_rfc3339(UNTIL)

        def over() -> bool:
            assert worker.poll() is None, f"the worker stopped; {tail(worker_log)}"
            return clock.now_ms() > until_ms and log_time_ms(bootstrap, PARTITIONS) > until_ms

        await_until(over, seconds=90, what="the day is over")
        live = {
            number: [decisions.decode(value) for value in values]
            for number, values in records(bootstrap, topics.DECISIONS.name, PARTITIONS).items()
        }
    return Played(history, live, records(bootstrap, topics.SIGNALS.name, PARTITIONS))


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/ready", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _kind(decision: Decision) -> tuple[str, str, str, str]:
    return decision.person, decision.audience, decision.outcome, decision.reason


def test_live_gives_the_same_people_outcomes_and_reasons(played: Played) -> None:
    live = [decision for values in played.live.values() for decision in values]
    assert len(played.history) > 20, "void: nothing happened in this slice"
    assert sorted(map(_kind, live)) == sorted(map(_kind, played.history))


def test_what_time_alone_brings_has_the_same_instant(played: Played) -> None:
    live = {(*_kind(d), d.at) for values in played.live.values() for d in values if d.cause == "time"}
    history = {(*_kind(d), d.at) for d in played.history if d.cause == "time"}
    assert len(history) > 20, "void: time brought nothing"
    assert live == history


def test_the_log_replayed_gives_its_decisions_record_for_record(played: Played) -> None:
    policy = load(POLICY)
    for number, log in played.log.items():
        partition = Partition(policy, {})
        again = [
            decision
            for position, value in enumerate(log)
            for decision in partition.take(signals.decode(value), position).decisions
        ]
        written = list({decision.id: decision for decision in played.live.get(number, [])}.values())
        assert again[: len(written)] == written
        assert len(again) >= len(written)
    assert sum(len(values) for values in played.live.values()) > 20
