"""Where a person's trail is read from: production's topics, an archive of them, a file of decisions, a history judged anew."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

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

Found = tuple["Trail", int]
Read = TypeVar("Read")


def wrong() -> tuple[type[Exception], ...]:
    """What reading a trail may refuse with one sentence."""
    from backtests.experiment import DecisionsError
    from contracts.policy import PolicyError
    from contracts.versions import NewerRecord

    return DecisionsError, PolicyError, NewerRecord, *refusals()


def gather(key: str, source: str | None, policy: Path | None, at_ms: int | None) -> Found:
    """The trail, and the instant as of which it is told where none was asked for (`at_ms`).

    Without a policy, what production decided and did; with one, what that policy makes of the history. Errors: see `wrong`.
    """
    from backtests import archive

    if source is None and policy is None:
        return _of_kafka(key)
    path = Path(source or "")
    if source is not None and policy is None:
        if archive.is_archive(path):
            return _of_archive(key, path)
        if _holds_decisions(path):
            return _of_decisions(key, path)
    return _replayed(key, source, policy, at_ms)


def _of_kafka(key: str) -> Found:
    from backtests.trail import Trail, follow
    from contracts import commands, decisions, signals
    from contracts.topics import COMMANDS, DECISIONS, SIGNALS

    settings = settings_of(None)
    trail = Trail(key, heard=True)
    with bars("reading the log", "the decisions", "the commands") as reports:
        of_log, of_decisions, of_commands = (
            _Topic(settings, topic.name, report)
            for topic, report in zip((SIGNALS, DECISIONS, COMMANDS), reports, strict=True)
        )
        follow(
            trail,
            lambda keys: _decoded(of_log.values(keys), signals.decode),
            lambda keys: _decoded(of_decisions.values(keys), decisions.decode),
            lambda keys: _decoded(of_commands.values(keys), commands.decode),
        )
    return trail, settings.clock_port().now_ms()


class _Topic:
    """One of the topics that are keyed by person."""

    def __init__(self, settings: "Settings", name: str, report: "Report") -> None:
        self._settings = settings
        self._name = name
        self._report = report
        self._extents: dict[int, Extent] | None = None

    def values(self, keys: Collection[str]) -> Iterator[bytes]:
        """Records that name one of the people, out of their own partitions alone."""
        from agents import kafka_log

        if self._extents is None:
            self._extents = kafka_log.extents(self._settings, self._name)
        homes = {kafka_log.home(key, len(self._extents)) for key in keys}
        wanted = {number: self._extents[number] for number in homes}
        names = [msgspec.json.encode(key) for key in sorted(keys)]
        total = sum(extent.end - extent.begin for extent in wanted.values())
        for record in watched(kafka_log.read(self._settings, self._name, partitions=wanted), total, self._report):
            if any(name in record.value for name in names):
                yield record.value


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
    return trail, max((signal.at_ms for signal in newest if isinstance(signal, Marked)), default=0)


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
    return trail, from_rfc3339(last) if last else 0


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
    return trail, last_ms or 0


def _decoded(values: Iterable[bytes], decode: "Callable[[bytes], Read]") -> Iterator[Read]:
    """What cannot be read is in quarantine, and nobody's."""
    for value in values:
        try:
            yield decode(value)
        except msgspec.DecodeError:
            continue
