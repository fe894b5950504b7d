"""`concierge lift` of what production wrote: its own log, a mirror of it, an archive; all tell what the calls tell."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from agents.archivist import archive
from agents.settings import read_settings
from backtests import backtest
from backtests.experiment import read_decisions
from backtests.history import of_file
from backtests.replay import replay
from console.cli import app
from contracts import decisions, signals
from contracts.signals import Marked, Ruled
from contracts.topics import DECISIONS, SIGNALS
from rehearsal.broker import embedded_broker
from tests.backtests.shops import POLICY, POLICY_TEXT, lines, shop
from tests.backtests.test_lift_of_history import Recorder

MIRROR = "prod."


class Production(NamedTuple):
    folder: Path
    bootstrap: str

    def lift(self, *words: str) -> tuple[int, str, str]:
        settings = {
            "CONCIERGE_KAFKA_BOOTSTRAP": self.bootstrap,
            "CONCIERGE_POLICY_FILE": str(self.folder / "shop.yaml"),
        }
        span = ("--from", "2026-03-02T00:00:00Z", "--to", "2026-03-30T00:00:00Z", "--json")
        result = CliRunner(env=settings).invoke(app, ["lift", *words, *span])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    def told(self, *words: str) -> dict[str, Any]:
        code, told, complaint = self.lift(*words)
        assert code == 0, complaint
        return dict(json.loads(told))


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    folder = tmp_path_factory.mktemp("production")
    (folder / "shop.yaml").write_text(POLICY_TEXT, encoding="utf-8")
    (folder / "events.jsonl").write_text(lines(shop(500, held_out_buys=0.2, assisted_buys=0.6)), encoding="utf-8")
    backtest.run(folder / "events.jsonl", POLICY, out=folder / "out")
    recorder = Recorder()
    with (folder / "spool").open("w+b") as spool, (folder / "unread").open("w+b") as unread:
        read = of_file(folder / "events.jsonl")(spool=spool, quarantine=unread, progress=lambda _done, _total: None)
        for _ in replay(read.signals(), recorder):
            pass
    with embedded_broker(
        [prefix + topic.name for prefix in ("", MIRROR) for topic in (SIGNALS, DECISIONS)]
    ) as bootstrap:
        producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2"})
        for prefix in ("", MIRROR):
            for signal in recorder.log:
                if isinstance(signal, Marked | Ruled):
                    producer.produce(prefix + SIGNALS.name, signals.encode(signal), partition=0)
                else:
                    producer.produce(prefix + SIGNALS.name, signals.encode(signal), signal.person.encode())
            for decision in read_decisions(folder / "out"):
                producer.produce(prefix + DECISIONS.name, decisions.encode(decision), decision.person.encode())
            producer.produce(prefix + DECISIONS.name, b"no decision", b"id:somebody")
        assert producer.flush(30) == 0
        archive(read_settings({"CONCIERGE_KAFKA_BOOTSTRAP": bootstrap}), folder / "archive")
        yield Production(folder, bootstrap)


def test_log_mirror_and_archive_tell_what_the_calls_tell(production: Production) -> None:
    policy = ("--policy", str(production.folder / "shop.yaml"))
    of_calls = production.told(
        str(production.folder / "events.jsonl"), "--decisions", str(production.folder / "out"), *policy
    )
    assert of_calls["answer"] == "paid" and of_calls.pop("rejected") == {}
    kafka = f"kafka://{production.bootstrap}"
    sources: list[tuple[str, ...]] = [
        (),
        (f"{kafka}/signals", *policy),
        (f"{kafka}/{MIRROR}signals", *policy),
        (str(production.folder / "archive"), *policy),
    ]
    for words in sources:
        told = production.told(*words)
        assert told.pop("rejected") == {"not_a_decision": 1}, words
        assert told == of_calls, words


def test_decisions_that_stand_nowhere_are_asked_for(production: Production) -> None:
    code, _, complaint = production.lift(str(production.folder / "events.jsonl"))
    assert code == 2 and "tells no decisions; name them with --decisions" in complaint
    code, _, complaint = production.lift(f"kafka://{production.bootstrap}/sources.customerio")
    assert code == 2 and "has no decisions beside it" in complaint
    code, _, complaint = production.lift("kafka://nowhere")
    assert code == 2 and "write kafka://HOST:PORT/TOPIC" in complaint
