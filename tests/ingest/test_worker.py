"""A whole worker as a process on the embedded broker: calls and rubbish in; signals, marks and quarantine out."""

import json
from pathlib import Path

from confluent_kafka import Producer

from agents.topic_plan import TABLES, changelog
from contracts import quarantined, signals
from contracts.signals import Marked, Tracked
from contracts.topics import OURS, QUARANTINE, SIGNALS
from rehearsal.broker import EMBEDDED_PARTITIONS, embedded_broker
from tests.live.stage import await_until, process, records

POLICY = Path(__file__).parents[2] / "policies" / "skincare.yaml"
PEOPLE = 50


def settings_for(bootstrap: str, folder: Path) -> dict[str, str]:
    return {
        "CONCIERGE_KAFKA_BOOTSTRAP": bootstrap, "CONCIERGE_PARTITIONS": str(EMBEDDED_PARTITIONS),
        "CONCIERGE_POLICY_FILE": str(POLICY), "CONCIERGE_DATA_DIR": str(folder / "state"),
        "CONCIERGE_MARK_SECONDS": "0.2", "CONCIERGE_COMMIT_SECONDS": "0.5",
    }  # fmt: skip


def test_a_worker_forwards_every_message_and_marks_every_source_behind_it(tmp_path: Path) -> None:
    with embedded_broker([*(topic.name for topic in OURS), *map(changelog, TABLES)]) as bootstrap:
        producer = Producer({"bootstrap.servers": bootstrap})
        for number in range(PEOPLE):
            call = {"type": "track", "event": "Product Added", "userId": f"u{number}", "messageId": f"m{number}"}
            producer.produce("sources.customerio", json.dumps(call).encode())
        producer.produce("sources.intercom", b"{rubbish")
        assert producer.flush(20) == 0

        def log() -> dict[int, list[signals.Signal]]:
            found = records(bootstrap, SIGNALS.name, EMBEDDED_PARTITIONS)
            return {number: [signals.decode(value) for value in values] for number, values in found.items()}

        def all_is_there() -> bool:
            read = log()
            tracked = {s.id for values in read.values() for s in values if isinstance(s, Tracked)}
            marked = {(number, s.source) for number, values in read.items() for s in values if isinstance(s, Marked)}
            return len(tracked) == PEOPLE and len(marked) == EMBEDDED_PARTITIONS * 2 * EMBEDDED_PARTITIONS

        with process("work", settings_for(bootstrap, tmp_path), tmp_path / "worker.log") as worker:
            await_until(all_is_there, seconds=60, what="every signal and the marks of every source in every partition")
            assert worker.poll() is None
        for values in log().values():
            newest_ms: dict[str, int] = {}
            for signal in values:
                if isinstance(signal, Marked):
                    assert signal.at_ms > newest_ms.get(signal.source, 0)
                    assert (signal.of, signal.outcomes) == (2 * EMBEDDED_PARTITIONS, False)
                    newest_ms[signal.source] = signal.at_ms
        kept = [
            quarantined.decode(value)
            for values in records(bootstrap, QUARANTINE.name, EMBEDDED_PARTITIONS).values()
            for value in values
        ]
        assert [(one.stage, one.reason, one.value) for one in kept] == [("ingest", "not_json", b"{rubbish")]
