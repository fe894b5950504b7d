"""Kafka without Docker: librdkafka's mock cluster inside a process (for the demo), or a real Kafka from its own jars (for tests).

Both listen on loopback only and end with the `with` block; what they started is ended by pid.
"""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

KAFKA_VERSION = "4.1.1"
EMBEDDED_PARTITIONS = 4  # the mock cluster gives every topic as many and cannot be told otherwise
UP_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20
HEAP = "-Xmx512m"

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>concierge</groupId><artifactId>broker</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{version}</version></dependency>
  </dependencies>
</project>
"""

_PROPERTIES = """process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={directory}
auto.create.topics.enable=false
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""


class BrokerMissing(Exception):
    """No broker can be had here; the message says what to install."""


@contextmanager
def embedded_broker(topics: Iterable[str]) -> Iterator[str]:
    """A mock cluster of one broker in this process, reachable from others on this machine; `topics` exist on it."""
    producer = Producer({"bootstrap.servers": "embedded", "test.mock.num.brokers": 1, "log_level": 2})
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            producer.poll(0.2)

    try:
        brokers = producer.list_topics(timeout=UP_SECONDS_MAX).brokers
        for topic in topics:
            producer.list_topics(topic, timeout=UP_SECONDS_MAX)
        thread = threading.Thread(target=serve, name="embedded-broker", daemon=True)
        thread.start()
        broker = next(iter(brokers.values()))
        yield f"{broker.host}:{broker.port}"
        stop.set()
        thread.join()
    finally:
        stop.set()


@contextmanager
def real_kafka(directory: Path, *, brokers: int = 1, more: str = "") -> Iterator[str]:
    """Kafka's own broker(s) with their data under `directory`; topics are never created by accident. BrokerMissing.

    more: properties that are added or replace ours, with {port} and {controller} where these ports are to stand.
    """
    libraries = kafka_libraries()
    directory.mkdir(parents=True, exist_ok=True)
    ports = [(_free_port(), _free_port()) for _ in range(brokers)]
    voters = ",".join(f"{node}@127.0.0.1:{controller}" for node, (_, controller) in enumerate(ports, 1))
    cluster = "Y29uY2llcmdlLXRlc3RzIQ"
    with ExitStack() as stack:
        started = []
        for node, (port, controller) in enumerate(ports, 1):
            home = directory / f"broker-{node}"
            home.mkdir()
            properties = home / "server.properties"
            replicas = min(brokers, 3)
            properties.write_text(
                _PROPERTIES.format(
                    node=node,
                    voters=voters,
                    port=port,
                    controller=controller,
                    directory=home / "log",
                    replicas=replicas,
                )
                + more.format(port=port, controller=controller)
            )
            java = ["java", HEAP, "-cp", f"{libraries}/*"]
            subprocess.run(
                [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", properties],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            started.append(stack.enter_context(_running([*java, "kafka.Kafka", str(properties)], home / "out")))
        bootstrap = ",".join(f"127.0.0.1:{port}" for port, _ in ports)
        _await_up(bootstrap, started, directory)
        yield bootstrap


def create_topics(bootstrap: str, topics: Mapping[str, tuple[int, Mapping[str, str]]], *, replication: int = 1) -> None:
    """Create `topics` (partitions, configuration each) and wait until they are there; an existing one is left as it is."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    made = admin.create_topics(
        [NewTopic(name, count, replication, config=dict(config)) for name, (count, config) in topics.items()]
    )
    for future in made.values():
        try:
            future.result(UP_SECONDS_MAX)
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise
    deadline = time.monotonic() + UP_SECONDS_MAX
    while not set(topics) <= set(admin.list_topics(timeout=UP_SECONDS_MAX).topics):
        if time.monotonic() > deadline:
            raise TimeoutError("the broker did not show the new topics")
        time.sleep(0.1)


def kafka_libraries() -> Path:
    """The folder of Kafka's jars, brought by Maven once and kept. BrokerMissing without Java or Maven."""
    for program, name in (("java", "Java 17"), ("mvn", "Maven")):
        if shutil.which(program) is None:
            raise BrokerMissing(f"a real Kafka needs {name}; install it, then run this again")
    cache = Path(os.environ.get("CONCIERGE_CACHE") or Path.home() / ".cache" / "concierge")
    libraries = cache / f"kafka-{KAFKA_VERSION}"
    if (libraries / ".complete").exists():
        return libraries
    work = cache / f"fetch-{os.getpid()}"
    work.mkdir(parents=True, exist_ok=True)
    (work / "pom.xml").write_text(_POM.format(version=KAFKA_VERSION))
    fetch = [
        "mvn",
        "-q",
        "-B",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        f"-DoutputDirectory={libraries}",
    ]
    done = subprocess.run(fetch, cwd=work, capture_output=True, text=True, check=False)
    shutil.rmtree(work)
    if done.returncode != 0:
        raise BrokerMissing(f"Maven could not bring Kafka {KAFKA_VERSION}: {done.stdout[-500:]}")
    (libraries / ".complete").touch()
    return libraries


@contextmanager
def _running(command: list[str], output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with output.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=_environment())
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}


def _await_up(bootstrap: str, started: list["subprocess.Popen[bytes]"], directory: Path) -> None:
    deadline = time.monotonic() + UP_SECONDS_MAX
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    while True:
        try:
            if len(admin.list_topics(timeout=2).brokers) == len(started):
                return
        except KafkaException:
            pass
        dead = [process for process in started if process.poll() is not None]
        if dead or time.monotonic() > deadline:
            tail = "\n".join(path.read_text(errors="replace")[-1500:] for path in sorted(directory.glob("*/out")))
            raise BrokerMissing(f"Kafka did not come up; its log ends:\n{tail}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
