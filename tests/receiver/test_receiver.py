import hmac
import json
import socket
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from structlog.testing import capture_logs

from agents.log_writer import PUT_SECONDS_MAX, KafkaLog
from agents.receiver import BODY_BYTES_MAX, ONE_RECORD_BYTES_MAX, doors, receiver_app
from agents.settings import read_settings
from contracts.calls import parse
from contracts.quarantined import decode, joined
from contracts.received import unframe
from tests.receiver.doubles import FakeLog, FixedClock

AT_MS = 1_772_442_000_000
SECRETS = {
    "CONCIERGE_KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "CONCIERGE_CUSTOMERIO_WEBHOOK_SECRETS": "new-key,old-key",
    "CONCIERGE_CUSTOMERIO_PIPELINES_SECRETS": "shared",
    "CONCIERGE_INTERCOM_CLIENT_SECRETS": "client",
}
CALL = b'{"type":"track","event":"Order Completed","userId":"u1","messageId":"m1"}'
BAD_BODIES = [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"total":NaN}', b'{"type":5}', b"x" * ONE_RECORD_BYTES_MAX]


def client(log: FakeLog, environment: dict[str, str] = SECRETS) -> httpx.AsyncClient:
    settings = read_settings(environment)
    app = receiver_app(doors=doors(settings), writer=log, clock=FixedClock(AT_MS))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://receiver")


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


def hexed(key: str, signed: bytes, algorithm: str) -> str:
    return hmac.new(key.encode(), signed, algorithm).hexdigest()


def report_headers(body: bytes, key: str = "new-key", at: str = "1715784949") -> dict[str, str]:
    return {"X-CIO-Timestamp": at, "X-CIO-Signature": hexed(key, b"v0:" + at.encode() + b":" + body, "sha256")}


def headers_for(path: str, body: bytes) -> dict[str, str]:
    if path == "/customerio/webhook":
        return report_headers(body)
    if path == "/customerio/pipelines":
        return {"X-Signature": hexed("shared", body, "sha1")}
    return {"X-Hub-Signature": "sha1=" + hexed("client", body, "sha1")}


DOORS = [
    ("/customerio/webhook", "sources.customerio", "customerio_webhook"),
    ("/customerio/pipelines", "sources.customerio", "customerio_pipelines"),
    ("/intercom/webhook", "sources.intercom", "intercom_webhook"),
]


@pytest.mark.parametrize(("path", "topic", "source"), DOORS)
async def test_a_signed_body_is_in_the_log_as_it_came_before_the_answer(
    log: FakeLog, path: str, topic: str, source: str
) -> None:
    async with client(log) as http:
        answer = await http.post(path, content=CALL, headers=headers_for(path, CALL))
    assert answer.status_code == 200
    ((stored_topic, value),) = log.records
    assert stored_topic == topic
    assert unframe(value) == (AT_MS, source, CALL)


@pytest.mark.parametrize("path", [door[0] for door in DOORS])
async def test_a_wrong_signature_is_refused_and_nothing_is_stored(log: FakeLog, path: str) -> None:
    wrong = [{}, headers_for(path, CALL + b" "), {name: value[:-1] for name, value in headers_for(path, CALL).items()}]
    async with client(log) as http:
        answers = [(await http.post(path, content=CALL, headers=headers)).status_code for headers in wrong]
    assert answers == [401, 401, 401]
    assert log.records == []


async def test_an_older_secret_is_good_as_long_as_it_is_listed(log: FakeLog) -> None:
    async with client(log) as http:
        path = "/customerio/webhook"
        assert (await http.post(path, content=CALL, headers=report_headers(CALL, "old-key"))).status_code == 200
        assert (await http.post(path, content=CALL, headers=report_headers(CALL, "older"))).status_code == 401


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
@pytest.mark.parametrize("path", [door[0] for door in DOORS])
async def test_a_payload_is_never_judged(log: FakeLog, path: str, body: bytes) -> None:
    async with client(log) as http:
        answer = await http.post(path, content=body, headers=headers_for(path, body))
    assert answer.status_code == 200
    assert [unframe(value).body for _, value in log.records] == [body]


async def test_intercom_may_probe_with_head_and_stores_nothing(log: FakeLog) -> None:
    async with client(log) as http:
        assert (await http.head("/intercom/webhook")).status_code == 200
    assert log.records == []


async def test_without_kafka_the_sender_is_told_to_try_again(log: FakeLog) -> None:
    log.away = True
    async with client(log) as http:
        answer = await http.post("/customerio/webhook", content=CALL, headers=report_headers(CALL))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert (await http.get("/ready")).status_code == 503
        assert (await http.get("/live")).status_code == 200
        log.away = False
        assert (await http.get("/ready")).status_code == 200


async def test_a_large_batch_is_split_into_records_that_are_read_alike(log: FakeLog) -> None:
    calls = [{"type": "page", "userId": f"u{n}", "messageId": f"m{n}", "name": "x" * 2_000} for n in range(1_000)]
    body = json.dumps({"batch": calls, "sentAt": "2026-03-02T09:00:00Z"}).encode()
    async with client(log) as http:
        path = "/customerio/pipelines"
        assert (await http.post(path, content=body, headers=headers_for(path, body))).status_code == 200
    assert len(log.records) > 1
    assert max(len(value) for _, value in log.records) < 1_048_588
    signals = [s for _, value in log.records for s in parse(unframe(value).body, accepted_ms=AT_MS).signals]
    assert [signal.id for signal in signals] == [f"m{n}" for n in range(1_000)]


async def test_ten_megabytes_that_are_no_batch_are_kept_whole_in_quarantine(log: FakeLog) -> None:
    body = b'{"type":"track","x":"' + b"y" * 10_000_000 + b'"}'
    async with client(log) as http:
        answer = await http.post("/customerio/webhook", content=body, headers=report_headers(body))
    assert answer.status_code == 200
    assert {topic for topic, _ in log.records} == {"quarantine"}
    assert max(len(value) for _, value in log.records) < 1_000_000
    parts = [decode(value) for _, value in log.records]
    assert joined(parts) == body
    assert {(part.stage, part.reason) for part in parts} == {("receive", "too_large")}


async def test_a_body_that_was_only_half_stored_is_not_acknowledged(log: FakeLog) -> None:
    log.room = 1
    body = b"z" * 3_000_000
    async with client(log) as http:
        answer = await http.post("/customerio/webhook", content=body, headers=report_headers(body))
    assert answer.status_code == 503


async def test_a_body_without_end_is_cut_off(log: FakeLog) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 4 * BODY_BYTES_MAX:
            sent += 1 << 20
            yield b"x" * (1 << 20)

    async with client(log) as http:
        answer = await http.post("/customerio/webhook", content=endless())
    assert answer.status_code == 413
    assert sent <= BODY_BYTES_MAX + (1 << 21)
    assert log.records == []


async def test_an_address_without_a_secret_does_not_exist_unless_it_is_opened(log: FakeLog) -> None:
    bare = {"CONCIERGE_KAFKA_BOOTSTRAP": "127.0.0.1:9092"}
    async with client(log, bare) as http:
        assert [(await http.post(path, content=CALL)).status_code for path, _, _ in DOORS] == [404, 404, 404]
    async with client(log, {**bare, "CONCIERGE_CUSTOMERIO_PIPELINES_OPEN": "true"}) as http:
        assert [(await http.post(path, content=CALL)).status_code for path, _, _ in DOORS] == [404, 200, 404]


@pytest.mark.parametrize("silent", [False, True])
async def test_a_kafka_that_is_away_or_silent_is_noticed_within_about_a_second(silent: bool) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if silent:
            listener.listen()
        port = listener.getsockname()[1]
        settings = read_settings({**SECRETS, "CONCIERGE_KAFKA_BOOTSTRAP": f"127.0.0.1:{port}"})
        writer = KafkaLog(settings)
        app = receiver_app(doors=doors(settings), writer=writer, clock=FixedClock(AT_MS))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://receiver") as http:
            began = time.monotonic()
            answer = await http.post("/customerio/webhook", content=CALL, headers=report_headers(CALL))
            assert answer.status_code == 503
            assert time.monotonic() - began < PUT_SECONDS_MAX + 1
            assert (await http.get("/ready")).status_code == 503
        await writer.close()


async def test_our_own_log_shows_nothing_of_a_refused_body(log: FakeLog) -> None:
    with capture_logs() as said:
        async with client(log) as http:
            await http.post("/customerio/webhook?user=u1", content=CALL, headers={"X-CIO-Signature": "deadbeef"})
    assert said == [{"event": "wrong_signature", "log_level": "warning", "door": "customerio_webhook"}]
