"""Where a person's trail is read from: production's topics, an archive of them, a file of decisions, a history judged anew."""

import os
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from console.inputs import opened, own_log, reader, refusals, settings_of, watched
from console.policy import shipped
from console.progress import bars

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.kafka_log import Extent
    from agents.settings import Settings
    from backtests.trail import Trail
    from console.progress import Report
    from contracts.logged import Logged

Read = TypeVar("Read")


class Found(NamedTuple):
    """as_of_ms: the instant as of which it is told where none was asked for. log: reads the partition of a key of production's
    log from its beginning, as backtests.absence asks for it; None where there is no such log, or not its beginning.
    """

    trail: "Trail"
    as_of_ms: int
    log: "Callable[[str], Iterable[Logged]] | None" = None


def wrong() -> tuple[type[Exception], ...]:
    """What reading a trail may refuse with one sentence."""
    from backtests.experiment import DecisionsError
    from contracts.policy import PolicyError
    from contracts.versions import NewerRecord

    return DecisionsError, PolicyError, NewerRecord, *refusals()


def gather(key: str, source: str | None, policy: Path | None, *, from_ms: int | None, at_ms: int | None) -> Found:
    """Without a policy, what production decided and did; with one, what that policy makes of the history. Errors: see `wrong`.

    from_ms: of Kafka, earlier records are not read; anything else is read whole. at_ms: where a replay ends.
    """
    from backtests import archive

    if source is None and policy is None:
        return _of_kafka(key, from_ms)
    path = Path(source or "")
    if source is not None and policy is None:
        if archive.is_archive(path):
            return _of_archive(key, path)
        if _holds_decisions(path):
            return _of_decisions(key, path)
    return _replayed(key, source, policy, at_ms)


def why_absent(found: Found, *, at_ms: int) -> None:
    """Notes in the trail what keeps the person out of each audience in production, or why that cannot be told."""
    from backtests.absence import Untold, absent
    from contracts.policy import load

    trail = found.trail
    if found.log is None:
        trail.untold = None if trail.from_ms is None else "with --from, the log is not read from its beginning"
        return
    person = trail.links.owner(trail.key)
    written = [decision for decision in trail.decisions if decision.person == person]
    own = load(Path(os.environ.get("CONCIERGE_POLICY_FILE") or shipped()))
    try:
        trail.absent = absent(person, found.log(person), written, own, at_ms=at_ms)
    except Untold as reason:
        trail.untold = str(reason)


def _of_kafka(key: str, from_ms: int | None) -> Found:
    from backtests.trail import Trail, follow
    from contracts import commands, decisions, signals
    from contracts.topics import COMMANDS, DECISIONS, SIGNALS

    settings = settings_of(None)
    trail = Trail(key, heard=True, from_ms=from_ms)
    with bars("reading the log", "the decisions", "the commands") as reports:
        of_log, of_decisions, of_commands = (
            _Topic(settings, topic.name, report, from_ms)
            for topic, report in zip((SIGNALS, DECISIONS, COMMANDS), reports, strict=True)
        )
        follow(
            trail,
            lambda keys: _decoded(of_log.values(keys), signals.decode),
            lambda keys: _decoded(of_decisions.values(keys), decisions.decode),
            lambda keys: _decoded(of_commands.values(keys), commands.decode),
        )
    return Found(trail, settings.clock_port().now_ms(), of_log.records if from_ms is None else None)


class _Topic:
    """One of the topics that are keyed by person."""

    def __init__(self, settings: "Settings", name: str, report: "Report", from_ms: int | None) -> None:
        self._settings = settings
        self._name = name
        self._report = report
        self._from_ms = from_ms
        self._extents: dict[int, Extent] | None = None

    def values(self, keys: Collection[str]) -> Iterator[bytes]:
        """Records that name one of the people, out of their own partitions alone."""
        wanted = self._homes(keys)
        names = [msgspec.json.encode(key) for key in sorted(keys)]
        total = sum(extent.end - extent.begin for extent in wanted.values())
        for record in watched(self._read(wanted), total, self._report):
            if any(name in record.value for name in names):
                yield record.value

    def records(self, key: str) -> "Iterator[Logged]":
        """All of a person's own partition. Untold where its beginning is gone."""
        from backtests.absence import Untold

        wanted = self._homes([key])
        if any(extent.begin > 0 for extent in wanted.values()):
            raise Untold("the beginning of the log is gone")
        yield from self._read(wanted)

    def _homes(self, keys: Collection[str]) -> "dict[int, Extent]":
        from agents import kafka_log

        if self._extents is None:
            self._extents = kafka_log.extents(self._settings, self._name)
        return {number: self._extents[number] for number in {kafka_log.home(key, len(self._extents)) for key in keys}}

    def _read(self, wanted: "dict[int, Extent]") -> "Iterator[Logged]":
        from agents import kafka_log

        return kafka_log.read(self._settings, self._name, partitions=wanted, from_ms=self._from_ms)


def _of_archive(key: str, folder: Path) -> Found:
    from backtests import archive
    from backtests.trail import Trail, follow
    from contracts import decisions, signals
    from contracts.signals import Marked
    from contracts.topics import DECISIONS, SIGNALS

    def values(topic: str, keys: Collection[str]) -> Iterator[bytes]:
        return (record.value for record in archive.records(folder / topic, people=keys))

    trail = Trail(key, heard=True)
    follow(
        trail,
        lambda keys: _decoded(values(SIGNALS.name, keys), signals.decode),
        lambda keys: _decoded(values(DECISIONS.name, keys), decisions.decode),
        lambda _: (),
    )
    newest = _decoded((record.value for record in archive.newest(folder / SIGNALS.name)), signals.decode)
    as_of_ms = max((signal.at_ms for signal in newest if isinstance(signal, Marked)), default=0)
    return Found(trail, as_of_ms, partial(_partition_of, folder / SIGNALS.name))


def _partition_of(folder: Path, key: str) -> "Iterator[Logged]":
    from backtests import archive
    from backtests.absence import Untold

    for number in sorted({record.partition for record in archive.records(folder, people=[key])}):
        if archive.pieces(folder)[number][0].first > 0:
            raise Untold("the archive does not hold the beginning of the log")
        yield from archive.records(folder, partition=number)


def _of_decisions(key: str, path: Path) -> Found:
    """Who was merged with whom, decisions do not tell."""
    from backtests.experiment import read_decisions
    from backtests.trail import Trail
    from contracts.instant import from_rfc3339

    trail = Trail(key, heard=False)
    last = ""
    for decision in read_decisions(path):
        last = max(last, decision.at)
        if decision.person == key:
            trail.decide([decision])
    return Found(trail, from_rfc3339(last) if last else 0)


def _holds_decisions(path: Path) -> bool:
    from contracts import decisions

    if path.is_dir():
        return True
    try:
        with path.open("rb") as file:
            decisions.decode(file.readline())
    except (OSError, msgspec.DecodeError):
        return False
    return True


def _replayed(key: str, source: str | None, policy: Path | None, at_ms: int | None) -> Found:
    from backtests.trail import Trail, replayed
    from contracts.policy import load

    rules = load(policy or shipped())
    read = reader(source or own_log(settings_of(None)))
    trail = Trail(key, heard=False)
    with bars("reading", "judging") as (reading, judging), opened(read, reading) as history:
        last_ms = replayed(
            trail,
            history.signals,
            rules,
            until_ms=at_ms,
            judging=lambda signals: watched(signals, len(history), judging),
        )
    return Found(trail, last_ms or 0)


def _decoded(values: Iterable[bytes], decode: "Callable[[bytes], Read]") -> Iterator[Read]:
    """What cannot be read is in quarantine, and nobody's."""
    for value in values:
        try:
            yield decode(value)
        except msgspec.DecodeError:
            continue
