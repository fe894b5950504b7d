import json
from typing import Any

from agents.ingest import Ingest
from agents.marks import Marks, Source
from agents.reliable import Output, Record
from contracts import quarantined, signals
from contracts.received import frame
from contracts.signals import Claimed, Identified, Tracked
from tests.receiver.doubles import FixedClock

NOW_MS = 1_772_452_800_000
SOURCE = Source("sources.customerio", 3)


def record(value: bytes | None, offset: int = 7) -> Record:
    return Record(topic=SOURCE.topic, partition=SOURCE.partition, offset=offset, key=None, value=value)


def call(**fields: Any) -> bytes:
    return json.dumps({"type": "track", "event": "Product Added", "userId": "u1", "messageId": "m", **fields}).encode()


def ingest(*values: bytes | None, marks: Marks | None = None) -> list[Output]:
    handler = Ingest(FixedClock(NOW_MS), marks or Marks())
    return list(handler.batch(None, [record(value, offset) for offset, value in enumerate(values)]))


def told(output: Output) -> Any:
    return signals.decode(output.value or b"")


def test_a_framed_call_becomes_a_signal_of_its_person_stamped_by_its_receiver() -> None:
    (output,) = ingest(frame(call(), accepted_ms=NOW_MS - 500, source="customerio_pipelines"))
    assert (output.topic, output.key, output.partition) == ("signals", b"id:u1", None)
    assert isinstance(told(output), Tracked)
    assert told(output).accepted_ms == NOW_MS - 500


def test_a_record_of_a_brands_own_bridge_is_stamped_by_ingest() -> None:
    (output,) = ingest(call())
    assert told(output).accepted_ms == NOW_MS


def test_a_claim_goes_to_the_weaker_key() -> None:
    outputs = ingest(call(type="identify", anonymousId="a"))
    assert [(output.key, type(told(output))) for output in outputs] == [(b"id:u1", Identified), (b"anon:a", Claimed)]


def test_what_cannot_be_read_is_quarantined_with_its_place_and_bytes_and_stops_no_neighbour() -> None:
    outputs = ingest(call(), b"\xff{", None, call(messageId="m2"))
    assert [output.topic for output in outputs] == ["signals", "quarantine", "quarantine", "signals"]
    kept = quarantined.decode(outputs[1].value or b"")
    assert (kept.stage, kept.reason, kept.source, kept.value) == (
        "ingest", "not_utf8", "sources.customerio/3/1/0", b"\xff{",
    )  # fmt: skip
    assert outputs[1].key == b"sources.customerio/3/1/0"


def test_one_bad_call_of_a_batch_is_quarantined_alone() -> None:
    outputs = ingest(b'{"batch":[' + call() + b', {"type":"track","event":"X"}, ' + call(messageId="m2") + b"]}")
    assert [output.topic for output in outputs] == ["signals", "signals", "quarantine"]
    assert quarantined.decode(outputs[2].value or b"").value == b'{"type":"track","event":"X"}'


def test_a_body_beyond_one_record_is_quarantined_in_parts() -> None:
    body = b"x" * 3_000_000
    outputs = ingest(body)
    assert max(len(output.value or b"") for output in outputs) < 1_000_000
    assert quarantined.joined(quarantined.decode(output.value or b"") for output in outputs) == body


def test_a_straggler_is_stamped_after_the_mark_that_was_sent() -> None:
    marks = Marks()
    marks.aim(NOW_MS - 100, {SOURCE: 0})
    assert marks.reached({SOURCE: 0})
    (output,) = ingest(frame(call(), accepted_ms=NOW_MS - 200, source="customerio_webhook"), marks=marks)
    assert told(output).accepted_ms == NOW_MS - 99
