"""The demo itself, shortened: on the embedded broker, on a real Kafka, and broken off."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from contracts.topics import OURS, SIGNALS
from rehearsal.broker import create_topics, real_kafka
from rehearsal.demo_kafka import PARTITIONS, Unsuitable, prepare, restore

COMMAND = [sys.executable, "-c", "from console.cli import app; app()", "demo", "--plain"]
SECONDS = 15  # six simulated hours: long enough for carts to be left, flagged and bought
RUN_SECONDS_MAX = 150
CHECKS = 9


def start(tmp_path: Path, *options: str) -> "subprocess.Popen[str]":
    """The demo in a process; what it puts into temporary files lies under `tmp_path`, which marks its processes."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    return subprocess.Popen(
        [*COMMAND, *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=interruptible,
    )  # fmt: skip


def interruptible() -> None:
    """A shell lets what it runs in the background ignore SIGINT, and so would all that these tests start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def played(tmp_path: Path, *options: str) -> tuple[int, str]:
    demo = start(tmp_path, "--seconds", str(SECONDS), *options)
    try:
        output, _ = demo.communicate(timeout=RUN_SECONDS_MAX)
    finally:
        demo.kill()
        demo.wait()
    return demo.returncode, output


def left_behind(tmp_path: Path) -> list[int]:
    """Processes whose environment names the directory."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and int(place.name) != os.getpid():
            try:
                if str(tmp_path).encode() in (place / "environ").read_bytes():
                    found.append(int(place.name))
            except OSError:
                continue  # it ended meanwhile, or is another user's
    return found


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def test_a_short_day_on_the_embedded_broker_holds_and_leaves_nothing(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    code, output = played(tmp_path, "--seed", "7", "--picture", str(picture))
    assert code == 0, output
    assert output.count(" ok ") == CHECKS and "FAIL" not in output
    assert "Concierge" in picture.read_text() and "</svg>" in picture.read_text()
    assert left_behind(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["demo.svg"]


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_broken_off_ends_everything_that_it_started(tmp_path: Path, told: signal.Signals) -> None:
    demo = start(tmp_path)
    try:
        wait_until(lambda: len(left_behind(tmp_path)) >= 4, 60)  # itself, Intercom, worker, receiver
        demo.send_signal(told)
        output, _ = demo.communicate(timeout=40)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 130, output
    assert "Traceback" not in output
    assert left_behind(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_broker_that_does_not_answer_is_told_in_a_sentence(tmp_path: Path) -> None:
    code, output = played(tmp_path, "--broker", "127.0.0.1:1")
    assert code == 2
    assert "no Kafka answers at 127.0.0.1:1" in output and "Traceback" not in output


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real_kafka(tmp_path_factory.mktemp("kafka") / "broker") as address:
        yield address


def topics(bootstrap: str) -> set[str]:
    return {
        name for name in AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=15).topics if name[0] != "_"
    }


@pytest.mark.kafka
def test_topics_that_hold_records_are_refused_and_left_alone(bootstrap: str) -> None:
    create_topics(bootstrap, {SIGNALS.name: (PARTITIONS, {})})
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(SIGNALS.name, b"somebody's")
    assert producer.flush(15) == 0
    with pytest.raises(Unsuitable, match="holds records in signals"):
        prepare(bootstrap)
    assert SIGNALS.name in topics(bootstrap)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.delete_topics([SIGNALS.name])[SIGNALS.name].result(15)
    wait_until(lambda: SIGNALS.name not in topics(bootstrap), 15)


@pytest.mark.kafka
def test_what_was_there_before_stays_and_what_was_made_goes(bootstrap: str) -> None:
    create_topics(bootstrap, {SIGNALS.name: (PARTITIONS, {}), "theirs": (1, {})})
    before = prepare(bootstrap)
    assert {topic.name for topic in OURS} <= topics(bootstrap)
    restore(bootstrap, before)
    wait_until(lambda: topics(bootstrap) == {SIGNALS.name, "theirs"}, 15)


@pytest.mark.kafka
def test_a_short_day_on_a_real_kafka_holds(tmp_path: Path, bootstrap: str) -> None:
    before = topics(bootstrap)
    code, output = played(tmp_path, "--seed", "7", "--broker", bootstrap)
    assert code == 0, output
    assert output.count(" ok ") == CHECKS
    wait_until(lambda: topics(bootstrap) == before, 15)
    assert left_behind(tmp_path) == []
