"""The running system of one experiment: brokers, `concierge receive`, supervised workers, a rehearsal Intercom, a sender.

Everything is a process or a thread of ours on loopback; leaving the `with` block ends it by its pid.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from agents.kafka_topics import apply_topics
from agents.settings import read_settings
from agents.topic_plan import APP_NAME, TABLES, changelog
from contracts.policy import load
from contracts.topics import OURS, SIGNALS
from rehearsal.broker import Cluster
from rehearsal.demo_parts import free_port
from tests.faults.sender import Sender
from tests.faults.showing import Showing
from tests.live.stage import COMMAND, await_until, stream, tail

POLICY_FILE = Path(__file__).parent / "policy.yaml"
PARTITIONS = 4
SESSION_SECONDS = 6
UP_SECONDS_MAX = 120  # an interpreter with all its libraries, on two cores that ten others use as well
AGAIN_SECONDS = 0.5  # a supervisor's pause before it starts a worker again
STOP_SECONDS_MAX = 40


class Worker:
    """A slot for worker processes on one data directory: whoever ends unasked is started again, without its fuse."""

    def __init__(self, scene: "Scene", number: int, data: Path | None) -> None:
        self.data = data or scene.folder / f"state-{number}"
        self.log = scene.folder / f"worker-{number}.log"
        self.exits: list[int] = []
        self._scene = scene
        self._asked: dict[str, Any] = {}
        self._settings: dict[str, str] = {}
        self._limits: Callable[[], None] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def start(
        self,
        *,
        settings: Mapping[str, str] | None = None,
        limits: Callable[[], None] | None = None,
        **asked: Any,
    ) -> "Worker":
        """asked: see tests.faults.worker; limits: run in the new process before the program, the first time only."""
        self._asked, self._settings, self._limits = asked, dict(settings or {}), limits
        self._ended = threading.Event()
        self._spawn()
        threading.Thread(target=self._supervise, args=(self._process, self._ended), daemon=True).start()
        return self

    def again(self) -> None:
        """After a stop: the same once more, without fuse and limits."""
        self.start(settings=self._settings, **{name: value for name, value in self._asked.items() if name == "bug"})

    @property
    def pid(self) -> int:
        assert self._process is not None, "started before"
        return self._process.pid

    def signal(self, number: int) -> None:
        with self._lock:
            assert self._process is not None, "started before"
            self._process.send_signal(number)

    def stop(self, *, kill: bool = False) -> int:
        """An orderly stop unless `kill`, for good; the exit code."""
        self._ended.set()
        with self._lock:
            process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    @property
    def gone(self) -> bool:
        """Stopped for good by the experiment."""
        return self._ended.is_set()

    def said(self, what: str) -> int:
        """How often the log has these words."""
        return self.log.read_text(errors="replace").count(what) if self.log.exists() else 0

    def _spawn(self) -> None:
        settings = {**self._scene.settings, "CONCIERGE_DATA_DIR": str(self.data), **self._settings}
        command = [sys.executable, "-m", "tests.faults.worker", json.dumps(self._asked)]
        with self._lock, self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command, env=environment(settings), stdout=output, stderr=subprocess.STDOUT, preexec_fn=self._limits
            )

    def _supervise(self, process: "subprocess.Popen[bytes]", ended: threading.Event) -> None:
        while True:
            code = process.wait()
            if ended.is_set():
                return
            self.exits.append(code)
            if ended.wait(AGAIN_SECONDS):
                return
            self._asked = {name: value for name, value in self._asked.items() if name == "bug"}
            self._limits = None
            self._spawn()
            assert self._process is not None, "just spawned"
            process = self._process


class Scene:
    """cluster: runs already and is left running; what was on it is deleted. bug: planted in every worker (or the receiver)."""

    def __init__(self, cluster: Cluster, folder: Path, *, seed: int, bug: str | None, **sending: Any) -> None:
        folder.mkdir(parents=True)
        self.cluster, self.folder, self.seed, self.bug = cluster, folder, seed, bug
        self.policy = load(POLICY_FILE)
        self.intercom = Showing(self.policy)
        self.workers: list[Worker] = []
        self._receiver: subprocess.Popen[bytes] | None = None
        self.log_ahead_ms = 0  # by how much log time is ahead of the wall, where a clock is wrong
        self.notes: dict[str, float] = {}  # figures that an experiment measured itself
        self.instants_ms: list[int] = []  # of the wall, at which something was done to it
        self._undoing: list[Callable[[], object]] = []
        port = free_port()
        self.settings = {
            "CONCIERGE_KAFKA_BOOTSTRAP": cluster.bootstrap,
            "CONCIERGE_PARTITIONS": str(PARTITIONS),
            "CONCIERGE_REPLICATION": str(min(len(cluster.nodes), 3)),
            "CONCIERGE_POLICY_FILE": str(POLICY_FILE),
            "CONCIERGE_MARK_SECONDS": "0.3",
            "CONCIERGE_COMMIT_SECONDS": "0.5",
            "CONCIERGE_SESSION_SECONDS": str(SESSION_SECONDS),
            "CONCIERGE_STANDBYS": "0",
            "CONCIERGE_CUSTOMERIO_PIPELINES_OPEN": "true",
            "CONCIERGE_LISTEN_PORT": str(port),
            "CONCIERGE_INTERCOM_TOKEN": "rehearsal",
            "CONCIERGE_INTERCOM_URL": self.intercom.address,
        }
        self.sender = Sender(f"http://127.0.0.1:{port}", seed=seed, **sending)

    def __enter__(self) -> "Scene":
        self.await_whole()
        wipe(self.cluster.bootstrap)
        apply_topics(read_settings(self.settings))
        self.intercom.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        threads = [threading.Thread(target=worker.stop) for worker in self.workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.stop_receiver()
        self.intercom.__exit__()
        for undo in self._undoing:
            undo()

    def at_end(self, undo: Callable[[], object]) -> None:
        """Called once everything has stopped."""
        self._undoing.append(undo)

    def receive(self, settings: Mapping[str, str] | None = None) -> None:
        """Start the receiver and wait until it answers."""
        command: list[Any] = [COMMAND, "receive"]
        if self.bug == "answers_first":
            command = [sys.executable, "-m", "tests.faults.receiver"]
        log = self.folder / "receiver.log"
        with log.open("ab") as output:
            self._receiver = subprocess.Popen(
                command, env=environment({**self.settings, **(settings or {})}), stdout=output, stderr=subprocess.STDOUT
            )
        address = f"http://127.0.0.1:{self.settings['CONCIERGE_LISTEN_PORT']}/live"
        try:
            await_until(lambda: _answers(address), seconds=UP_SECONDS_MAX, what="the receiver answers")
        except AssertionError as error:
            raise AssertionError(f"{error}; {tail(log)}") from None

    @property
    def receiver_pid(self) -> int:
        assert self._receiver is not None, "started before"
        return self._receiver.pid

    def stop_receiver(self) -> None:
        if self._receiver is not None:
            self._receiver.terminate()
            try:
                self._receiver.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._receiver.kill()
                self._receiver.wait()

    def work(self, *, data: Path | None = None, **options: Any) -> Worker:
        """One more worker, not waited for; `data` is its directory where it wants one of its own."""
        worker = Worker(self, len(self.workers), data)
        self.workers.append(worker)
        bug: dict[str, Any] = {} if self.bug in (None, "answers_first") else {"bug": self.bug}
        return worker.start(**bug, **options)

    def await_working(self, count: int = 1) -> None:
        """Until the group has settled on so many members and commits of every partition of the log have moved on.

        Marks keep the log moving; a member that was killed counts as one until its session ends.
        """
        seconds = UP_SECONDS_MAX + 30 * count
        before = self.committed(SIGNALS.name)
        self.await_that(lambda: self.members() == count, f"{count} workers share the partitions", seconds=seconds)
        everywhere = [(SIGNALS.name, number) for number in range(PARTITIONS)]

        def moved() -> bool:
            now = self.committed(SIGNALS.name)
            return all(now.get(tp, 0) > before.get(tp, 0) for tp in everywhere)

        self.await_that(moved, "every partition of the log is worked on", seconds=seconds)

    def await_that(self, condition: Callable[[], bool], what: str, *, seconds: float = UP_SECONDS_MAX) -> None:
        try:
            await_until(condition, seconds=seconds, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None

    def await_tries(self, count: int) -> None:
        """Until so many more posts were begun: whatever the receiver answers to them, the fault has met them."""
        wanted = self.sender.tries + count
        self.await_that(lambda: self.sender.tries >= wanted, f"{count} posts meet the fault")

    def await_whole(self) -> None:
        """Until every partition has a leader and all its replicas in sync: a cluster that came back needs a while."""
        self.await_that(lambda: _whole(self.cluster.bootstrap), "every partition is led and in sync", seconds=180)

    def logs(self) -> str:
        return "\n".join(f"{worker.log.name}, exits {worker.exits}: {tail(worker.log)}" for worker in self.workers)

    def members(self) -> int:
        """How many members of the settled group hold partitions; 0 while it is not settled."""
        try:
            found = admin(self.cluster.bootstrap).describe_consumer_groups([APP_NAME], request_timeout=10)
            group = found[APP_NAME].result()
        except KafkaException:
            forget(self.cluster.bootstrap)
            return 0
        if group.state.name != "STABLE":
            return 0
        return sum(1 for member in group.members if member.assignment and member.assignment.topic_partitions)

    def partitions_of(self, worker: Worker) -> set[int]:
        """Of the commands, those whose local state this worker has opened; with no standbys it holds or held them."""
        return {int(path.stem.rpartition("-")[2]) for path in worker.data.glob("v*/tables/contacts-*.db")}

    def committed(self, *names: str) -> dict[tuple[str, int], int]:
        """Next offsets of the group by topic and partition; 0 where nothing is committed."""
        asked = [TopicPartition(name, number) for name in names for number in range(PARTITIONS)]
        try:
            found = _member(self.cluster.bootstrap).committed(asked, timeout=10)
        except KafkaException:
            forget(self.cluster.bootstrap)
            return {}  # the coordinator is on its way
        return {(at.topic, at.partition): max(at.offset, 0) for at in found}

    def ends(self, *names: str) -> dict[tuple[str, int], int]:
        """Of every partition of these topics that was ever written to."""
        asked = {TopicPartition(name, number): OffsetSpec.latest() for name in names for number in range(PARTITIONS)}
        found = admin(self.cluster.bootstrap).list_offsets(asked, request_timeout=10)
        return {(tp.topic, tp.partition): end.result().offset for tp, end in found.items() if end.result().offset}

    def lag(self, *names: str) -> int:
        """Records of these topics whose effects are not committed."""
        done = self.committed(*names)
        return sum(end - max(done.get(tp, 0), 0) for tp, end in self.ends(*names).items())


_admins: dict[str, AdminClient] = {}
_members: dict[str, Consumer] = {}


def admin(bootstrap: str) -> AdminClient:
    if bootstrap not in _admins:  # one for the whole run: a short-lived one loses its answers
        _admins[bootstrap] = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    return _admins[bootstrap]


def forget(bootstrap: str) -> None:
    """The next question goes through new clients: one that lived while all brokers died may time out for ever after."""
    _admins.pop(bootstrap, None)
    _members.pop(bootstrap, None)


def _whole(bootstrap: str) -> bool:
    try:
        found = admin(bootstrap).list_topics(timeout=10)
    except KafkaException:
        forget(bootstrap)
        return False
    parts = [part for topic in found.topics.values() for part in topic.partitions.values()]
    return all(part.leader != -1 and sorted(part.isrs) == sorted(part.replicas) for part in parts)


def _member(bootstrap: str) -> Consumer:
    """Asks as a member of the group would, and never joins it."""
    if bootstrap not in _members:
        options = {"bootstrap.servers": bootstrap, "group.id": APP_NAME, "enable.auto.commit": False, "log_level": 0}
        _members[bootstrap] = Consumer(options)
    return _members[bootstrap]


def wipe(bootstrap: str) -> None:
    """Deletes our topics and group, so that the next experiment begins with nothing."""
    client = admin(bootstrap)
    names = {topic.name for topic in OURS} | {changelog(table) for table in TABLES}

    def there() -> set[str]:
        return names & set(client.list_topics(timeout=10).topics)

    found = there()
    if found:
        for future in client.delete_topics(sorted(found), operation_timeout=30).values():
            future.result(30)
        await_until(lambda: not there(), seconds=30, what="the topics of the last experiment are gone")
        await_until(lambda: _group_gone(bootstrap), seconds=150, what="the group of the last experiment is gone")


def _group_gone(bootstrap: str) -> bool:
    """A killed member counts until its session ends, and a coordinator may be on its way."""
    try:
        admin(bootstrap).delete_consumer_groups([APP_NAME])[APP_NAME].result(30)
    except KafkaException as error:
        if error.args[0].name() == "_TIMED_OUT":
            forget(bootstrap)
        return bool(error.args[0].name() == "GROUP_ID_NOT_FOUND")
    except TimeoutError:
        forget(bootstrap)
        return False
    return True


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONCIERGE_")}
    return kept | dict(settings)


def clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def latest(bootstrap: str, topic: str) -> dict[bytes, bytes]:
    """A compacted topic read to its end: the newest value of each key; what was deleted is left out."""
    return {key: value for per in by_partition(bootstrap, topic).values() for key, value in per.items()}


def by_partition(bootstrap: str, topic: str) -> dict[int, dict[bytes, bytes]]:
    """As `latest`, for each partition alone."""
    found: dict[int, dict[bytes, bytes]] = {number: {} for number in range(PARTITIONS)}
    for message in stream(bootstrap, topic, PARTITIONS):
        if message.value() is None:
            found[message.partition()].pop(message.key(), None)
        else:
            found[message.partition()][message.key()] = message.value()
    return found


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
