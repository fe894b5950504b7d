"""Kafka without Docker: librdkafka's mock cluster inside a process (for the demo), or a real Kafka from its own jars (for tests).

Both listen on loopback only and end with the `with` block; what they started is ended by pid.
"""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

KAFKA_VERSION = "4.1.1"
EMBEDDED_PARTITIONS = 4  # the mock cluster gives every topic as many and cannot be told otherwise
UP_SECONDS_MAX = 60
HEAP = "-Xmx512m"
SOON_UP = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # half the processor time of a start; slower at full load
CLUSTER_ID = "Y29uY2llcmdlLXRlc3RzIQ"

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
default.replication.factor={replicas}
min.insync.replicas={in_sync}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
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


class Cluster:
    """Kafka's own brokers under a directory, each broker a process that may be killed, paused and started again.

    soon_up: for runs that start many brokers and measure no speed.
    brokers: from three on, every topic has three replicas and takes a record once two of them have it. BrokerMissing.
    more: properties that are added or replace ours, with {port} and {controller} where these ports are to stand.
    """

    def __init__(self, directory: Path, *, brokers: int, soon_up: bool = False, more: str = "") -> None:
        self._more = more
        self._classes = ["-cp", f"{kafka_libraries()}/*"]
        self._java = ["java", HEAP, *(SOON_UP if soon_up else ()), *self._classes]
        self._directory = directory
        self._ports = {node: (_free_port(), _free_port()) for node in range(1, brokers + 1)}
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self.bootstrap = ",".join(f"127.0.0.1:{port}" for port, _ in self._ports.values())
        directory.mkdir(parents=True, exist_ok=True)
        formatting = [self._format(node) for node in self._ports]
        for process in formatting:
            if process.wait(UP_SECONDS_MAX) != 0:
                raise BrokerMissing("Kafka could not format its storage")

    @property
    def nodes(self) -> tuple[int, ...]:
        return tuple(self._ports)

    def start(self, *nodes: int) -> None:
        """Start the nodes (all that do not run, where none is named) and wait until the whole cluster answers."""
        for node in nodes or [node for node in self._ports if node not in self._running]:
            home = self._directory / f"broker-{node}"
            command = [*self._java, "kafka.Kafka", str(home / "server.properties")]
            with (home / "out").open("ab") as log:
                self._running[node] = subprocess.Popen(
                    command, stdout=log, stderr=subprocess.STDOUT, env=_environment()
                )
        _await_up(self.bootstrap, list(self._running.values()), self._directory)
        for node in nodes:
            _await_listening(self._ports[node][0])  # the cluster may not have missed it yet

    def kill(self, node: int) -> None:
        process = self._running.pop(node)
        process.kill()
        process.wait()

    def signal(self, node: int, number: int) -> None:
        """SIGSTOP makes a broker that hangs; SIGCONT wakes it."""
        self._running[node].send_signal(number)

    def close(self) -> None:
        """End what runs, at once: the data is not wanted any more."""
        for node in list(self._running):
            self.kill(node)

    def _format(self, node: int) -> "subprocess.Popen[bytes]":
        home = self._directory / f"broker-{node}"
        home.mkdir()
        port, controller = self._ports[node]
        replicas = min(len(self._ports), 3)
        (home / "server.properties").write_text(
            _PROPERTIES.format(
                node=node,
                voters=",".join(f"{number}@127.0.0.1:{at}" for number, (_, at) in self._ports.items()),
                port=port,
                controller=controller,
                directory=home / "log",
                replicas=replicas,
                in_sync=max(1, replicas - 1),
            )
            + self._more.format(port=port, controller=controller)
        )
        command = ["java", *SOON_UP, *self._classes, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID]
        quiet = subprocess.DEVNULL
        return subprocess.Popen([*command, "-c", home / "server.properties"], stdout=quiet, stderr=quiet)


@contextmanager
def real_kafka(directory: Path, *, brokers: int = 1, more: str = "") -> Iterator[str]:
    """The bootstrap address of a running Cluster; topics are never created by accident. more: see there. BrokerMissing."""
    cluster = Cluster(directory, brokers=brokers, more=more)
    try:
        cluster.start()
        yield cluster.bootstrap
    finally:
        cluster.close()


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


def _await_listening(port: int) -> None:
    deadline = time.monotonic() + UP_SECONDS_MAX
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            raise TimeoutError("a broker did not listen in time")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
