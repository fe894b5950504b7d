"""A live run on a real Kafka, with a kill and rebalances in it: certified, archived over a crash, read back, nobody disturbed."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from agents import archivist, kafka_log
from agents.clock import WallClock
from agents.kafka_topics import apply_topics
from agents.settings import Settings
from agents.topic_plan import APP_NAME
from backtests import archive
from contracts import decisions, topics
from contracts.decisions import Decision
from contracts.instant import from_rfc3339
from contracts.received import frame
from rehearsal.broker import real_kafka
from tests.kafka.conftest import require_kafka
from tests.live.stage import COMMAND, await_until, log_time_ms, process, records, tail

POLICY = Path(__file__).parents[1] / "faults" / "policy.yaml"
PARTITIONS = 2
WAIT_SECONDS_MAX = 240  # on two cores that others use as well
STAMPED_LATER_MS_MAX = 5_000  # a call that took long from its acceptance into Kafka found a mark there before it

pytestmark = pytest.mark.kafka


class Shop(threading.Thread):
    """Somebody new leaves a large cart, twenty times a second; every other one buys a little later."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.sent = 0
        self._producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
        self._clock = WallClock()

    def run(self) -> None:
        while not self.over.wait(0.05):
            self._tell(self.sent, "Product Added", {"product_id": "serum", "price": 200, "currency": "USD"})
            if self.sent % 2 and self.sent > 100:
                order = {"order_id": f"o{self.sent - 100}", "total": 200, "currency": "USD"}
                self._tell(self.sent - 100, "Order Completed", order)
            self.sent += 1
        self._producer.flush(30)

    def _tell(self, number: int, event: str, properties: Mapping[str, Any]) -> None:
        call = {"type": "track", "userId": f"u{number}", "messageId": f"{event} {number}", "event": event}
        body = json.dumps({**call, "properties": properties}).encode()
        value = frame(body, accepted_ms=self._clock.now_ms(), source="customerio_pipelines")
        self._producer.produce(topics.SOURCE_CUSTOMERIO.name, value)
        self._producer.poll(0)


class Lived(NamedTuple):
    bootstrap: str
    settings: Settings
    environment: dict[str, str]
    folder: Path


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    require_kafka()
    folder = tmp_path_factory.mktemp("lived")
    with real_kafka(folder / "kafka") as bootstrap:
        settings = Settings(kafka_bootstrap=bootstrap, partitions=PARTITIONS, replication=1)
        apply_topics(settings)
        environment = {
            "CONCIERGE_KAFKA_BOOTSTRAP": bootstrap, "CONCIERGE_PARTITIONS": str(PARTITIONS),
            "CONCIERGE_REPLICATION": "1", "CONCIERGE_POLICY_FILE": str(POLICY), "CONCIERGE_MARK_SECONDS": "0.2",
            "CONCIERGE_COMMIT_SECONDS": "0.5", "CONCIERGE_SESSION_SECONDS": "6", "CONCIERGE_STANDBYS": "0",
        }  # fmt: skip
        _live(bootstrap, environment, folder)
        yield Lived(bootstrap, settings, environment, folder)


def _live(bootstrap: str, environment: dict[str, str], folder: Path) -> None:
    """Two workers; one is killed while it works, a third joins, the second leaves in order."""

    def decided() -> int:
        return sum(map(len, records(bootstrap, topics.DECISIONS.name, PARTITIONS).values()))

    def settings(number: int) -> dict[str, str]:
        return environment | {"CONCIERGE_DATA_DIR": str(folder / f"state-{number}")}

    shop = Shop(bootstrap)
    with ExitStack() as stack:
        first = stack.enter_context(process("work", settings(1), folder / "1.log"))
        second = stack.enter_context(process("work", settings(2), folder / "2.log"))
        shop.start()
        stack.callback(shop.over.set)
        _await_more(decided, 50, folder / "1.log")
        first.kill()
        first.wait()
        stack.enter_context(process("work", settings(3), folder / "3.log"))
        _await_more(decided, decided() + 100, folder / "3.log")
        second.send_signal(signal.SIGTERM)
        second.wait()
        _await_more(decided, decided() + 100, folder / "3.log")
        shop.over.set()
        shop.join(30)
        over_ms = WallClock().now_ms() + 3_000  # by then every cart of the policy's two seconds has begun its moment
        await_until(
            lambda: log_time_ms(bootstrap, PARTITIONS) > over_ms,
            seconds=WAIT_SECONDS_MAX,
            what="log time is past the end",
        )
        last = kafka_log.extents(Settings(kafka_bootstrap=bootstrap), topics.SIGNALS.name)

        def all_judged() -> bool:
            done = kafka_log.committed(Settings(kafka_bootstrap=bootstrap), topics.SIGNALS.name, group=APP_NAME)
            return all(done.get(number, 0) >= extent.end for number, extent in last.items())

        await_until(all_judged, seconds=WAIT_SECONDS_MAX, what="the log is judged")


def _await_more(decided: Any, count: int, log: Path) -> None:
    try:
        await_until(lambda: decided() >= count, seconds=WAIT_SECONDS_MAX, what=f"{count} decisions")
    except AssertionError as error:
        raise AssertionError(f"{error}; {tail(log)}") from None


def _concierge(lived: Lived, *arguments: str) -> tuple[int, dict[str, Any]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONCIERGE_")}
    done = subprocess.run(
        [COMMAND, *arguments, "--json"], env=kept | lived.environment, capture_output=True, check=False
    )
    assert done.stdout, done.stderr.decode()
    return done.returncode, json.loads(done.stdout)


def _offsets(lived: Lived) -> dict[int, int]:
    return kafka_log.committed(lived.settings, topics.SIGNALS.name, group=APP_NAME)


def _groups(lived: Lived) -> set[str]:
    admin = AdminClient({"bootstrap.servers": lived.bootstrap})
    return {group.group_id for group in admin.list_consumer_groups().result(30).valid}


def test_a_run_with_a_kill_and_rebalances_certifies_at_100_per_cent(lived: Lived) -> None:
    groups, offsets = _groups(lived), _offsets(lived)
    code, told = _concierge(lived, "certify")
    assert told["n"] > 200, "void: too little happened"
    assert (code, told["match_percent"], told["differences"], told["waiting"]) == (0, 100.0, [], 0)
    assert told == _concierge(lived, "certify")[1], "anybody gets the same hash"
    assert (_groups(lived), _offsets(lived)) == (groups, offsets), "nobody was disturbed"


def test_another_policy_is_not_certified(lived: Lived, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(POLICY.read_text().replace("enter_after: 2s", "enter_after: 3s"))
    code, told = _concierge(lived, "certify", "--policy", str(other))
    assert code == 1 and told["match_percent"] < 100
    assert all(one["person"] and one["policy"] and one["what"] for one in told["differences"])


def test_the_archive_holds_every_record_once_though_a_run_was_cut(
    lived: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archivist, "ROWS_MAX", 150)
    folder = tmp_path / "archive"
    whole, written = archivist._whole, 0

    def cut(path: Path, write: Any) -> None:
        nonlocal written
        written += 1
        if written == 3:
            write(path.with_suffix(".unfinished"))  # the bytes are there, and the machine is gone
            raise KeyboardInterrupt
        whole(path, write)

    monkeypatch.setattr(archivist, "_whole", cut)
    with pytest.raises(KeyboardInterrupt):
        archivist.archive(lived.settings, folder)
    assert len(list(folder.rglob("*.unfinished"))) == 1, "void: nothing was cut"
    archivist.archive(lived.settings, folder)
    assert list(folder.rglob("*.unfinished")) == []
    again = archivist.archive(lived.settings, folder)
    assert set(again.rows.values()) == {0}
    for topic in (topics.SIGNALS.name, topics.DECISIONS.name):
        held = [(one.partition, one.value) for one in archive.records(folder / topic)]
        kafka = records(lived.bootstrap, topic, PARTITIONS)
        assert held == [(number, value) for number in sorted(kafka) for value in kafka[number]]
    count = duckdb.sql(
        f"select count(*), count(distinct id), min(\"at\") > '2020-01-01' from '{folder}/decisions/*/*.parquet'"
    ).fetchall()[0]
    assert count[0] >= count[1] > 200 and count[2]
    code, told = _concierge(lived, "certify", str(folder))
    assert (code, told["match_percent"]) == (0, 100.0)
    assert told["hash"] == _concierge(lived, "certify")[1]["hash"], "archive and Kafka say the same"


def test_a_backtest_of_kafka_and_of_the_archive_gives_what_was_decided_live(lived: Lived, tmp_path: Path) -> None:
    archivist.archive(lived.settings, tmp_path / "archive")
    policy = ("--policy", str(POLICY))
    address = f"kafka://{lived.bootstrap}"
    sources = {
        "log": f"{address}/signals",
        "calls": f"{address}/sources.customerio",
        "archive": str(tmp_path / "archive"),
    }
    found = {}
    for name, source in sources.items():
        code, told = _concierge(lived, "backtest", source, *policy, "--out", str(tmp_path / name))
        assert code == 0 and not told["rejected"]
        found[name] = (tmp_path / name / "decisions.jsonl").read_bytes()
    assert found["log"] == found["archive"]
    log, calls = (_by_person(found[name]) for name in ("log", "calls"))
    assert [_what(one) for one in log] == [_what(one) for one in calls]
    late_ms = [from_rfc3339(one.at) - from_rfc3339(other.at) for one, other in zip(log, calls, strict=True)]
    assert min(late_ms) >= 0 and max(late_ms) <= STAMPED_LATER_MS_MAX, (
        "a call is stamped behind the last mark, not before it"
    )
    live = {
        (one.person, one.episode, one.outcome, one.reason)
        for values in records(lived.bootstrap, topics.DECISIONS.name, PARTITIONS).values()
        for one in map(decisions.decode, values)
    }
    offline = {
        (one.person, one.episode, one.outcome, one.reason) for one in map(decisions.decode, found["log"].splitlines())
    }
    assert offline <= live, "live time went on after the last call"
    assert len(live - offline) <= 60, "of the last two seconds"


def _by_person(decided: bytes) -> list[Decision]:
    read: list[Decision] = [decisions.decode(line) for line in decided.splitlines()]
    return sorted(read, key=lambda one: (one.person, one.audience, one.at, one.outcome))


def _what(one: Decision) -> tuple[str, ...]:
    return one.person, one.audience, one.outcome, one.reason, one.arm, one.tier


def test_a_span_of_kafka_leaves_out_what_was_accepted_outside_it(lived: Lived, tmp_path: Path) -> None:
    _, told = _concierge(lived, "backtest", f"kafka://{lived.bootstrap}/signals", "--out", str(tmp_path / "all"))
    address = f"kafka://{lived.bootstrap}/signals?from={told['first']}&to={told['first']}"
    _, first = _concierge(lived, "backtest", address, "--out", str(tmp_path / "first"))
    assert 0 < first["calls"] < told["calls"]
    assert (first["first"], first["last"]) == (told["first"], told["first"])
