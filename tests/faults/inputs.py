"""Experiments on what comes in: poison, a quarantine that refuses, wrong clocks, duplicates, one loud person, a burst."""

import json
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import httpx
from confluent_kafka import Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from contracts import quarantined, signals
from contracts.topics import QUARANTINE, SIGNALS, SOURCE_CUSTOMERIO
from rehearsal.demo_checks import quantile
from tests.faults.evidence import Evidence, read
from tests.faults.growth import RECORD_BYTES_MAX, sizes
from tests.faults.performance import Experiment
from tests.faults.scene import Scene, admin

RATE = 40  # calls a second
NEIGHBOURS_MIN = 20
NEIGHBOUR_MS_MAX = 1_000  # P7: one bad message costs its neighbours less
MINUTES = 10
TRACK = {"type": "track", "event": "Product Added", "userId": "poison", "properties": {"price": 1, "product_id": "p"}}

UNREADABLE = {
    "invalid UTF-8": b'{"type":"track","event":"a\xff\xfe","userId":"poison"}',
    "100,000 levels": b'{"type":"track","event":"a","userId":"poison","properties":'
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}",
    "10 MB": b'{"type":"track","event":"a","userId":"poison","note":"' + b"x" * 10_000_000 + b'"}',
    "no JSON": b"\x00\x01\x02",
}  # what no reader can make anything of: kept, byte for byte
ODD = {
    "NaN": json.dumps({**TRACK, "messageId": "odd-nan", "properties": {"price": float("nan")}}).encode(),
    "lone surrogate": b'{"type":"track","event":"a\\ud800","userId":"poison","messageId":"odd-surrogate"}',
    "NUL": b'{"type":"track","event":"a\\u0000b","userId":"poison","messageId":"odd-nul"}',
    "NUL in the key": b'{"type":"track","event":"a","userId":"poi\\u0000son","messageId":"odd-nul-key"}',
    "null key": json.dumps({**TRACK, "messageId": "odd-null", "userId": None}).encode(),
    "year 2099": json.dumps({**TRACK, "messageId": "odd-2099", "timestamp": "2099-01-01T00:00:00Z"}).encode(),
    "CRLF id": json.dumps({**TRACK, "messageId": "odd-crlf", "userId": "poison\r\n"}).encode(),
}  # what has a meaning, or is kept


def _poison(scene: Scene) -> str | None:
    """Each between two ordinary calls, through the receiver and, as a brand's own bridge would, straight into the source."""
    scene.work()
    scene.await_working()
    traffic = scene.sender.start(15, RATE)
    producer = Producer({"bootstrap.servers": scene.cluster.bootstrap})
    for name, body in (UNREADABLE | ODD).items():
        scene.instants_ms.append(time.time_ns() // 1_000_000)
        answer = httpx.post(f"{scene.sender.address}/customerio/pipelines", content=body, timeout=20)
        assert answer.status_code == 200, f"{name}: the receiver answered {answer.status_code}"
        if len(body) < 500_000:
            producer.produce(SOURCE_CUSTOMERIO.name, body, key=None)
    producer.produce(SOURCE_CUSTOMERIO.name, None, key=b"k")
    producer.flush(20)
    for topic in (SIGNALS.name,):  # somebody writes into the log what is no signal
        producer.produce(topic, b'{"t":"nothing"}', key=b"k", partition=0)
        producer.produce(topic, b"\xff", key=None, partition=1)
    producer.flush(20)
    traffic.join()
    if scene.bug is None:
        scene.await_that(lambda: len(_quarantine(scene)) >= len(UNREADABLE) + 2, "what cannot be read is in quarantine")
    return (
        f"{len(UNREADABLE)} unreadable and {len(ODD)} odd bodies, twice each; 2 records of the log that are no signal"
    )


def _quarantine(scene: Scene) -> dict[str, bytes]:
    """Original bytes by source, of those that are complete."""
    parts = defaultdict(list)
    for message in read(scene, QUARANTINE.name):
        part = quarantined.decode(message.value())
        parts[part.source].append(part)
    whole = {}
    for source, found in parts.items():
        if len({part.part for part in found}) == found[0].parts:
            whole[source] = quarantined.joined(found)
    return whole


def _kept(scene: Scene, found: Evidence) -> list[str]:
    kept = Counter(_quarantine(scene).values())
    lines = [f"{name}: not in quarantine byte for byte" for name, body in UNREADABLE.items() if not kept[body]]
    for name, body in ODD.items():
        told = json.loads(body)["messageId"]
        if told not in found.log_ids and not kept[body]:
            lines.append(f"{name}: neither in the log nor in quarantine")
    return lines + _neighbours(scene)


def _neighbours(scene: Scene) -> list[str]:
    """How long calls that came within a second behind poison took to the log, beside all others; medians, since the machine
    has other work too."""
    acknowledged = {call["messageId"]: at_ms for call, _, at_ms in scene.sender.acknowledged}
    behind: dict[str, int] = {}
    others: dict[str, int] = {}
    for message in read(scene, SIGNALS.name):
        try:
            signal = signals.decode(message.value())
        except ValueError:
            continue
        if isinstance(signal, signals.Tracked) and signal.id in acknowledged and not signal.via:
            at_ms = acknowledged[signal.id]
            near = any(0 <= at_ms - poisoned_ms < NEIGHBOUR_MS_MAX for poisoned_ms in scene.instants_ms)
            (behind if near else others).setdefault(signal.id, message.timestamp()[1] - at_ms)
    extra = quantile(behind.values(), 0.5) - quantile(others.values(), 0.5)
    scene.notes["poison_neighbours"] = len(behind)
    scene.notes["poison_neighbour_extra_ms"] = extra
    if len(behind) < NEIGHBOURS_MIN:
        return [f"only {len(behind)} calls came behind poison"]
    return [] if extra < NEIGHBOUR_MS_MAX else [f"{len(behind)} calls behind poison took {extra} ms longer to the log"]


def _refusing(scene: Scene) -> str | None:
    """The quarantine takes nothing for a while: the worker stops rather than drop what it cannot keep."""
    worker = scene.work()
    scene.await_working()
    traffic = scene.sender.start(25, RATE)
    _limit_quarantine(scene, "64")
    try:
        for body in (UNREADABLE["invalid UTF-8"], UNREADABLE["no JSON"]):
            httpx.post(f"{scene.sender.address}/customerio/pipelines", content=body, timeout=20).raise_for_status()
        if scene.bug is None:
            scene.await_that(lambda: len(worker.exits) >= 2, "the worker stops again and again")
        else:
            traffic.join()
        lag = scene.lag(SOURCE_CUSTOMERIO.name)
    finally:
        _limit_quarantine(scene, None)
    traffic.join()
    scene.await_working()
    return f"the worker ended with {worker.exits}, {lag} records were not committed past"


def _limit_quarantine(scene: Scene, bytes_max: str | None) -> None:
    how = AlterConfigOpType.DELETE if bytes_max is None else AlterConfigOpType.SET
    entry = ConfigEntry("max.message.bytes", bytes_max or "", incremental_operation=how)
    resource = ConfigResource(ResourceType.TOPIC, QUARANTINE.name, incremental_configs=[entry])
    for future in admin(scene.cluster.bootstrap).incremental_alter_configs([resource]).values():
        future.result(20)


def _recovered(scene: Scene, found: Evidence) -> list[str]:
    kept = set(_quarantine(scene).values())
    wanted = ("invalid UTF-8", "no JSON")
    return [f"{name}: dropped while the quarantine refused" for name in wanted if UNREADABLE[name] not in kept]


def shifted(minutes: int) -> str:
    """The setting of a clock that is so many minutes ahead of the wall (behind: negative)."""
    now = datetime.now(UTC)
    ahead = now + timedelta(minutes=minutes)
    return f"sim:{ahead:%Y-%m-%dT%H:%M:%S}Z@{now:%Y-%m-%dT%H:%M:%S}Zx1"


def _worker_clock(minutes: int) -> Experiment:
    def play(scene: Scene) -> str | None:
        scene.log_ahead_ms = minutes * 60_000
        scene.work(settings={"CONCIERGE_CLOCK": shifted(minutes)})
        scene.await_working()
        scene.sender.run(12, RATE)
        return f"log time runs {minutes:+} minutes"

    name = f"clock-worker{minutes:+}"
    return Experiment(name, ("P2", "P5"), f"worker's clock {minutes:+} minutes", "reads_the_clock", play)


def _receiver_clock(minutes: int) -> Experiment:
    def play(scene: Scene) -> str | None:
        scene.stop_receiver()
        scene.receive({"CONCIERGE_CLOCK": shifted(minutes)})
        scene.work()
        scene.await_working()
        scene.sender.run(12, RATE)
        return f"acceptances are stamped {minutes:+} minutes"

    name = f"clock-receiver{minutes:+}"
    return Experiment(name, ("P2", "P5"), f"receiver's clock {minutes:+} minutes", "reads_the_clock", play)


def _duplicates(scene: Scene) -> str | None:
    """Every third record of the log is written once more: at once, and much later."""
    scene.work()
    scene.await_working()
    scene.sender.run(8, RATE)
    producer = Producer({"bootstrap.servers": scene.cluster.bootstrap})
    repeated = 0
    for distance in ("near", "far"):
        log = [m for m in read(scene, SIGNALS.name) if b'"marked"' not in m.value()]
        for message in (log[-60:] if distance == "near" else log)[::3]:
            producer.produce(SIGNALS.name, message.value(), key=message.key(), partition=message.partition())
            repeated += 1
        producer.flush(20)
        scene.sender.run(4, RATE)
    return f"{repeated} records of the log written again, {scene.sender.repeated} calls sent again"


def _favourite(scene: Scene) -> str | None:
    scene.work()
    scene.await_working()
    scene.sender.run(20, 4 * RATE)
    calls = Counter(call["userId"] for call, _, _ in scene.sender.acknowledged)
    share = calls.most_common(1)[0][1] / calls.total()
    return f"one of {len(calls)} people has {share:.0%} of {calls.total()} calls" if share > 0.4 else None


def _burst(scene: Scene) -> str | None:
    scene.work()
    scene.await_working()
    counts = []
    for seconds, rate in ((5, RATE), (5, 10 * RATE), (5, RATE)):
        begun, before = time.monotonic(), len(scene.sender.acknowledged)
        scene.sender.run(seconds, rate)
        counts.append((len(scene.sender.acknowledged) - before) / (time.monotonic() - begun))
    usual, most = counts[0], counts[1]
    return f"{usual:.0f} calls/s, then {most:.0f} for 5 s" if most > 6 * usual else None


def _grown(scene: Scene, found: Evidence) -> list[str]:
    """P8, as far as a run of seconds can see: no record of a person is above its bound."""
    largest = max(sizes(scene), default=0)
    scene.notes["largest_record_bytes"] = largest
    return [] if largest <= RECORD_BYTES_MAX else [f"a person's record has {largest} bytes"]


EXPERIMENTS = (
    Experiment("poison", ("P7",), "unreadable and odd messages among others", "no_quarantine", _poison, check=_kept),
    Experiment(
        "quarantine-refuses", ("P7",), "the quarantine takes nothing", "unheard_failures", _refusing, check=_recovered
    ),
    *(_worker_clock(minutes) for minutes in (MINUTES, -MINUTES)),
    *(_receiver_clock(minutes) for minutes in (MINUTES, -MINUTES)),
    Experiment("duplicates", ("P2", "P3"), "records of the log written again, near and far", "counts_twice", _duplicates),
    Experiment(
        "one-loud-person", ("P2", "P8"), "one person with half of the traffic", "tires_of_one", _favourite,
        sending={"favourite": 0.5}, check=_grown,
    ),
    Experiment("burst", ("P2", "P5"), "ten times the traffic for five seconds", "sheds_load", _burst),
)  # fmt: skip
