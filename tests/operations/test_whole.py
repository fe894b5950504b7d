"""Receiver and worker as processes over TLS and SASL: what they count, that they are healthy, and that no log quotes anybody."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from agents.kafka_topics import make_missing
from agents.settings import Settings
from contracts.topics import COMMANDS, SIGNALS
from tests.live.stage import COMMAND, await_until, process, tail
from tests.operations.secured import USER, Secured, free_port

POLICY = Path(__file__).parents[2] / "policies" / "skincare.yaml"
PARTITIONS, TOKEN = 2, "the-access-token"
PERSONAL = ("ada@example.com", "u-ada-17", "+44 20 7946 0018", "Lovelace", "12 St James Square", "anon-93ab")
_INTERCOM = (
    "import sys; from pathlib import Path; from contracts.fields import manifest; from contracts.policy import load; "
    "from rehearsal.intercom import run; "
    "run('127.0.0.1', int(sys.argv[1]), manifest(tuple(load(Path(sys.argv[2])).audiences)))"
)
PERSON = {
    "userId": PERSONAL[1], "anonymousId": PERSONAL[5],
    "traits": {"email": PERSONAL[0], "phone": PERSONAL[2], "name": PERSONAL[3], "address": PERSONAL[4]},
}  # fmt: skip
CALLS = (
    json.dumps({"type": "identify", "messageId": "m-1", **PERSON}).encode(),
    json.dumps({"type": "track", "messageId": "m-2", "event": "Subscription Cancel Started", **PERSON}).encode(),
    json.dumps({"type": "track", "messageId": "m-3", "event": 5, **PERSON}).encode(),
    json.dumps({"type": "nothing-known", **PERSON}).encode() + b"}",
    f'{{"type":"track","userId":["{PERSONAL[0]}"],"event":"x"}}'.encode(),
    PERSONAL[0].encode() + b"\xff",
)


class Running(NamedTuple):
    receiver: str
    receiver_probes: str
    worker_probes: str
    intercom: str
    logs: tuple[Path, ...]
    secrets: tuple[str, ...]


def environment(secured: Secured, folder: Path) -> dict[str, str]:
    return {
        "CONCIERGE_KAFKA_BOOTSTRAP": secured.secured, "CONCIERGE_KAFKA_TLS": "true",
        "CONCIERGE_KAFKA_TLS_CA_FILE": str(secured.authority), "CONCIERGE_KAFKA_SASL_MECHANISM": "PLAIN",
        "CONCIERGE_KAFKA_SASL_USERNAME": USER, "CONCIERGE_KAFKA_SASL_PASSWORD": secured.password,
        "CONCIERGE_PARTITIONS": str(PARTITIONS), "CONCIERGE_REPLICATION": "1", "CONCIERGE_POLICY_FILE": str(POLICY),
        "CONCIERGE_DATA_DIR": str(folder / "state"), "CONCIERGE_MARK_SECONDS": "0.2", "CONCIERGE_COMMIT_SECONDS": "0.2",
        "CONCIERGE_STANDBYS": "0",
    }  # fmt: skip


@contextmanager
def running(secured: Secured, folder: Path) -> Iterator[Running]:
    receiver, receiver_probes, worker_probes, intercom = (free_port() for _ in range(4))
    shared = environment(secured, folder)
    worker = shared | {
        "CONCIERGE_METRICS_PORT": str(worker_probes), "CONCIERGE_INTERCOM_TOKEN": TOKEN,
        "CONCIERGE_INTERCOM_URL": f"http://127.0.0.1:{intercom}",
    }  # fmt: skip
    receive = shared | {
        "CONCIERGE_METRICS_PORT": str(receiver_probes), "CONCIERGE_LISTEN_PORT": str(receiver),
        "CONCIERGE_CUSTOMERIO_PIPELINES_OPEN": "true", "CONCIERGE_INTERCOM_CLIENT_SECRETS": "the-client-secret",
    }  # fmt: skip
    logs = tuple(folder / f"{name}.log" for name in ("receive", "work", "intercom"))
    with ExitStack() as stack:
        output = stack.enter_context(logs[2].open("wb"))
        there = subprocess.Popen(
            [sys.executable, "-c", _INTERCOM, str(intercom), str(POLICY)], stdout=output, stderr=subprocess.STDOUT
        )
        stack.callback(there.wait, 20)
        stack.callback(there.terminate)
        stack.enter_context(process("work", worker, logs[1]))
        stack.enter_context(process("receive", receive, logs[0]))
        addresses = (f"http://127.0.0.1:{port}" for port in (receiver, receiver_probes, worker_probes, intercom))
        yield Running(
            next(addresses), next(addresses), next(addresses), next(addresses), logs[:2],
            (TOKEN, secured.password, "the-client-secret"),
        )  # fmt: skip


def counted(address: str) -> dict[tuple[str, ...], float]:
    """Sample name and label values -> value."""
    families = text_string_to_metric_families(httpx.get(f"{address}/metrics").text)
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def played(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One person cancels, others send rubbish with personal data in it, and a stranger knocks."""
    folder = tmp_path_factory.mktemp("whole")
    make_missing(Settings(kafka_bootstrap=secured.open, partitions=PARTITIONS, replication=1))
    with running(secured, folder) as found:
        for address in (
            f"{found.receiver}/ready",
            f"{found.worker_probes}/ready",
            f"{found.intercom}/_rehearsal/contacts",
        ):
            await_until(lambda address=address: answers(address), seconds=60, what=f"{address}\n{tail(found.logs[1])}")  # type: ignore[misc]
        with httpx.Client(base_url=found.receiver, timeout=10) as http:
            for call in CALLS:
                assert http.post("/customerio/pipelines", content=call).status_code == 200
            assert http.post("/intercom/webhook", content=CALLS[0]).status_code == 401
        producer = Producer({"bootstrap.servers": secured.open})
        for topic in (SIGNALS.name, COMMANDS.name):
            producer.produce(topic, PERSONAL[0].encode(), key=PERSONAL[0].encode())
        assert producer.flush(15) == 0
        await_until(
            lambda: PERSONAL[0] in httpx.get(f"{found.intercom}/_rehearsal/contacts").text, seconds=60,
            what=f"the moment in Intercom\n{tail(found.logs[1])}",
        )  # fmt: skip
        yield found


@pytest.mark.kafka
def test_worker_counts_what_it_did_and_is_healthy(played: Running) -> None:
    def seen() -> dict[tuple[str, ...], float]:
        return counted(played.worker_probes)

    await_until(lambda: seen().get(("concierge_deliveries_total", "shown"), 0) >= 1, seconds=20, what="a delivery")
    await_until(
        lambda: seen().get(("concierge_lag_records", "0", "sources.customerio")) == 0,
        seconds=20,
        what="the lag is known",
    )
    found = seen()
    assert found["concierge_decisions_total", "subscription_save", "activated", "qualified"] == 1
    assert found["concierge_signals_total", "tracked"] == 1 and found["concierge_taken_total",] > 4
    quarantined = {labels[1:]: value for labels, value in found.items() if labels[0] == "concierge_quarantined_total"}
    assert quarantined == {
        ("not_json", "ingest"): 1, ("not_utf8", "ingest"): 1, ("wrong_type", "ingest"): 1, ("bad_key", "ingest"): 1,
        ("not_a_signal", "judge"): 1, ("not_a_command", "courier"): 1,
    }  # fmt: skip
    assert found["concierge_live",] == found["concierge_ready",] == 1
    assert found["concierge_partitions", "signals"] == PARTITIONS
    assert found["concierge_commits_total",] > 0 and found["concierge_flushed_records_total",] > 0
    assert found["concierge_flush_seconds_count",] >= found["concierge_commits_total",]
    assert found["concierge_intercom_requests_total", "200"] > 0 and found["concierge_intercom_rate_left",] > 0
    lag = [found["concierge_log_time_lag_seconds", str(number)] for number in range(PARTITIONS)]
    assert all(0 <= seconds < 30 for seconds in lag)
    assert ("concierge_commands_pending",) in found


@pytest.mark.kafka
def test_receiver_counts_what_it_took_and_what_it_refused(played: Running) -> None:
    found = counted(played.receiver_probes)
    assert found["concierge_received_total", "200", "customerio_pipelines"] == len(CALLS)
    assert found["concierge_received_total", "401", "intercom_webhook"] == 1
    assert found["concierge_receive_seconds_count", "customerio_pipelines"] == len(CALLS)
    assert answers(f"{played.receiver_probes}/live") and answers(f"{played.receiver_probes}/ready")


@pytest.mark.kafka
def test_no_label_and_no_log_quotes_a_person_or_a_secret(played: Running) -> None:
    told = [path.read_text() for path in played.logs]
    assert '"wrong_signature"' in told[0] and '"attributes_registered"' in told[1], "both have logged something"
    metrics = [httpx.get(f"{address}/metrics").text for address in (played.receiver_probes, played.worker_probes)]
    for text in told + metrics:
        for value in (*PERSONAL, *played.secrets, "example.com"):
            assert value not in text
    for text in told:
        assert all(json.loads(line)["event"] for line in text.splitlines())


@pytest.mark.kafka
def test_nothing_but_the_probes_listens_in_a_worker(played: Running) -> None:
    """Faust's own web server would show state to whoever asks; it is off."""
    assert {httpx.get(f"{played.worker_probes}{path}").status_code for path in ("/", "/table", "/router")} == {404}
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=False)
    if listening.returncode == 0 and listening.stdout:
        ours = [
            line for line in listening.stdout.splitlines() if f":{played.worker_probes.rpartition(':')[2]} " in line
        ]
        (number,) = set(re.findall(r"pid=(\d+)", ours[0]))
        assert sum(f"pid={number}," in line for line in listening.stdout.splitlines()) == 1


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"CONCIERGE_KAFKA_SASL_PASSWORD": "not-the-password"}, "user or password refused"),
        (
            {"CONCIERGE_KAFKA_TLS_CA_FILE": ""},
            "is its certificate trusted?",
        ),  # the system's authorities do not know ours
    ],
)
def test_a_wrong_password_or_a_stranger_s_certificate_is_no_way_in(
    secured: Secured, tmp_path: Path, wrong: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.run(
        [COMMAND, "topics"], env=environment(secured, tmp_path) | wrong, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2, done.stdout
    assert "Kafka cannot be used at CONCIERGE_KAFKA_BOOTSTRAP" in done.stderr and said in done.stderr
    assert "not-the-password" not in done.stderr and "Traceback" not in done.stderr
