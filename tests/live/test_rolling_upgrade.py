"""From this release to the next and back, worker by worker under traffic, with a policy deployed on the way: nothing is lost."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import yaml
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from agents.clock import Clock
from agents.judge import CODEC, OURS, PERSON_TAG
from agents.kafka_topics import apply_topics
from agents.settings import Settings
from agents.topic_plan import APP_NAME
from contracts import decisions, signals, topics
from contracts.decisions import Decision
from contracts.instant import HOUR_MS, from_rfc3339
from contracts.policy import load, parse
from contracts.received import frame
from contracts.signals import Tracked
from rehearsal.broker import real_kafka
from streams import person
from streams.partition import Partition
from streams.person import Person
from tests.kafka.conftest import require_kafka
from tests.live.next_release import NextPerson
from tests.live.stage import COMMAND, await_until, log_time_ms, messages, records, simulated, tail

POLICY = Path(__file__).parents[2] / "policies" / "skincare.yaml"
ORIGIN_MS = from_rfc3339("2026-03-02T09:00:00Z")
PARTITIONS, SPEED, REGULARS = 2, 1440, 8
WAIT_SECONDS_MAX = 120

pytestmark = pytest.mark.kafka


class Shop(threading.Thread):
    """People who fill a cart, one after the other; every third buys. And regulars, who come again and again."""

    def __init__(self, bootstrap: str, clock: Clock) -> None:
        super().__init__(daemon=True)
        self.sent: list[str] = []
        self.over = threading.Event()
        self._producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
        self._clock = clock

    def run(self) -> None:
        while not self.over.wait(0.1):
            number = len(self.sent)
            regular = number % 5 == 4
            person_id = f"r{number // 5 % REGULARS}" if regular else f"u{number // 10}"
            buys = number % 30 == 28
            name = "Order Completed" if buys else "Product Added"
            facts: dict[str, object] = (
                {"order_id": f"o{number}", "total": 250} if buys else {"product_id": "serum", "price": 250}
            )
            call: dict[str, object] = {
                "type": "track",
                "event": name,
                "userId": person_id,
                "messageId": f"m{number}",
            }
            call["properties"] = facts
            value = frame(json.dumps(call).encode(), accepted_ms=self._clock.now_ms(), source="customerio_pipelines")
            self._producer.produce("sources.customerio", value, key=str(number).encode())
            self.sent.append(f"m{number}")
        assert self._producer.flush(30) == 0

    def await_regulars(self) -> None:
        """Until each of them has come once more."""
        wanted = len(self.sent) + 5 * REGULARS
        await_until(lambda: len(self.sent) >= wanted, seconds=WAIT_SECONDS_MAX, what="every regular came")


class Crew:
    """Workers of one group, each with a data directory that outlives it."""

    def __init__(self, settings: Mapping[str, str], folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *words: str | Path) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("CONCIERGE_")}
        own = {"CONCIERGE_DATA_DIR": str(self._folder / name)}
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                words, env=kept | dict(self._settings) | own, stdout=log, stderr=subprocess.STDOUT
            )
        self._await_members()

    def stop(self, name: str) -> None:
        worker = self._running.pop(name)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0, tail(self._folder / f"{name}.log")
        self._await_members()

    def close(self) -> None:
        for worker in self._running.values():
            worker.kill()
            worker.wait()

    def _await_members(self) -> None:
        count = len(self._running)
        if count:
            await_until(
                lambda: self._members() == count, seconds=WAIT_SECONDS_MAX, what=f"{count} share the partitions"
            )

    def _members(self) -> int:
        for name, worker in self._running.items():
            assert worker.poll() is None, tail(self._folder / f"{name}.log")
        asked = AdminClient({"bootstrap.servers": self._settings["CONCIERGE_KAFKA_BOOTSTRAP"]})
        try:
            group = asked.describe_consumer_groups([APP_NAME], request_timeout=5)[APP_NAME].result(10)
        except (KafkaException, TimeoutError):
            return 0  # there is no coordinator yet
        held = [member for member in group.members if member.assignment and member.assignment.topic_partitions]
        return len(held) if group.state.name == "STABLE" else 0


class Rolled(NamedTuple):
    sent: list[str]
    deployed: str
    log: dict[int, list[bytes]]  # up to where it was judged
    decided: dict[int, list[Decision]]
    states: list[tuple[int, bytes, bytes | None]]


@pytest.fixture(scope="module")
def rolled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rolled]:
    require_kafka()
    folder = tmp_path_factory.mktemp("rolling")
    with real_kafka(folder / "kafka") as bootstrap:
        apply_topics(Settings(kafka_bootstrap=bootstrap, partitions=PARTITIONS, replication=1))
        yield _roll(folder, bootstrap)


def _roll(folder: Path, bootstrap: str) -> Rolled:
    setting, clock = simulated(ORIGIN_MS, speed=SPEED, starts_in_seconds=0)
    settings = {
        "CONCIERGE_KAFKA_BOOTSTRAP": bootstrap, "CONCIERGE_PARTITIONS": str(PARTITIONS), "CONCIERGE_REPLICATION": "1",
        "CONCIERGE_POLICY_FILE": str(POLICY), "CONCIERGE_CLOCK": setting, "CONCIERGE_MARK_SECONDS": "0.2",
        "CONCIERGE_COMMIT_SECONDS": "0.3", "CONCIERGE_STANDBYS": "0",
    }  # fmt: skip
    this, following = (COMMAND, "work"), (sys.executable, "-m", "tests.live.next_release")
    crew, shop = Crew(settings, folder), Shop(bootstrap, clock)
    try:
        crew.start("a", *this)
        shop.start()
        shop.await_regulars()
        crew.start("b", *following)
        crew.stop("a")
        deployed = _deploy(folder, settings)
        crew.start("a", *this)
        crew.stop("b")
        shop.await_regulars()
        shop.over.set()
        shop.join(60)
        until_ms = clock.now_ms() + 3 * HOUR_MS
        await_until(
            lambda: log_time_ms(bootstrap, PARTITIONS) > until_ms, seconds=WAIT_SECONDS_MAX, what="all was judged"
        )
        crew.stop("a")
    finally:
        shop.over.set()
        crew.close()
    decided = {
        number: [decisions.decode(value) for value in values]
        for number, values in records(bootstrap, topics.DECISIONS.name, PARTITIONS).items()
    }
    state = messages(bootstrap, topics.state_of("people", app=APP_NAME).name, PARTITIONS)
    states = [(message.partition(), message.key(), message.value()) for message in state]
    log = records(bootstrap, topics.SIGNALS.name, PARTITIONS)
    judged = {number: values[: _committed(bootstrap, number)] for number, values in log.items()}
    return Rolled(shop.sent, deployed, judged, decided, states)


def _committed(bootstrap: str, number: int) -> int:
    """Where the last worker stopped; a mark may stand behind it."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": APP_NAME})
    try:
        (found,) = reader.committed([TopicPartition(topics.SIGNALS.name, number)], timeout=20)
        return int(found.offset)
    finally:
        reader.close()


def _deploy(folder: Path, settings: Mapping[str, str]) -> str:
    document = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    document["audiences"]["high_aov_abandoner"]["enter_after"] = "1h"
    file = folder / "changed.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    done = subprocess.run(
        [COMMAND, "policy", "deploy", str(file), "--accept", "--json"],
        env=dict(settings),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["policy"], told["partitions"]) == (load(file).hash, PARTITIONS)
    return str(told["policy"])


def _replayed(rolled: Rolled, number: int) -> tuple[dict[str, Person], list[Decision]]:
    people: dict[str, Person] = {}
    partition = Partition(parse(POLICY.read_text(encoding="utf-8"), name="shipped"), people)
    taken = (partition.take(signals.decode(value), at) for at, value in enumerate(rolled.log[number]))
    return people, [decision for effects in taken for decision in effects.decisions]


def _newest(rolled: Rolled, number: int) -> dict[str, bytes]:
    held = {key: value for partition, key, value in rolled.states if partition == number}
    return {key.decode(): value for key, value in held.items() if value is not None and not key.startswith(OURS)}


def test_no_message_is_lost_and_every_partition_got_the_policy(rolled: Rolled) -> None:
    read = [signals.decode(value) for values in rolled.log.values() for value in values]
    assert len(rolled.sent) > 100, "void: the shop was hardly open"
    assert {one.id for one in read if isinstance(one, Tracked)} == set(rolled.sent)
    assert [one.policy for one in read if isinstance(one, signals.Ruled)] == [rolled.deployed] * PARTITIONS


def test_the_decisions_are_those_of_a_calm_replay_of_the_log(rolled: Rolled) -> None:
    policies = set()
    for number in rolled.log:
        written = list({decision.id: decision for decision in rolled.decided[number]}.values())
        assert written == _replayed(rolled, number)[1]
        policies |= {decision.policy for decision in written}
    assert policies == {load(POLICY).hash, rolled.deployed}, "void: only one policy has decided"


def test_the_state_is_that_of_the_log_after_both_releases_wrote_it(rolled: Rolled) -> None:
    for number in rolled.log:
        held = {key: CODEC.decode(data) for key, data in _newest(rolled, number).items()}
        people = _replayed(rolled, number)[0]
        assert held.keys() == people.keys()
        assert all(
            isinstance(one, Person) and person.encode(one) == person.encode(people[key]) for key, one in held.items()
        )


def test_the_next_release_wrote_people_and_this_one_went_on_from_them(rolled: Rolled) -> None:
    """Void else: per person, a record with the new field and, later, one without it."""
    fields = len(NextPerson.__struct_fields__)
    wrote: dict[bytes, list[bool]] = {}
    for _, key, value in rolled.states:
        if value is not None and value.startswith(PERSON_TAG):
            wrote.setdefault(key, []).append(len(msgspec.msgpack.decode(value[2:])) == fields)
    both = [turns for turns in wrote.values() if True in turns and not turns[-1] and not turns[0]]
    assert len(both) > 5
