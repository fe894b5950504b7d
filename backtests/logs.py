"""Histories from records of topics: source topics hold calls, the log holds signals.

Of the log only what came from outside is taken: what the judge passed on or handed over, and what the courier reported, follows
anew from the policy that is asked about. Records that cannot be read are quarantined with their place and a reason.
"""

import base64
from collections.abc import Iterable
from typing import IO, TypeGuard

import msgspec

from backtests.history import History
from contracts import calls, signals
from contracts.logged import Logged
from contracts.received import unframe
from contracts.signals import Delivered, Marked, Moved, PersonSignal, Ruled
from contracts.topics import SIGNALS

OFFSET_BITS = 48  # beside a partition's number in one rank; a partition with more records is not of this world


class Span:
    """Acceptance, both ends included; None where it is open."""

    def __init__(self, from_ms: int | None, to_ms: int | None) -> None:
        self._from_ms, self._to_ms = from_ms, to_ms

    def holds(self, at_ms: int) -> bool:
        return (self._from_ms is None or at_ms >= self._from_ms) and (self._to_ms is None or at_ms <= self._to_ms)


ALWAYS = Span(None, None)


def holds_signals(topic: str) -> bool:
    """Whether a topic of this name holds the log; a mirror's prefix, as in `prod.signals`, does not matter."""
    return topic.rpartition(".")[2] == SIGNALS.name


def of_signals(records: Iterable[Logged], *, spool: IO[bytes], quarantine: IO[bytes], span: Span = ALWAYS) -> History:
    """The signals of a log that came from outside, in order of acceptance, ties by partition and offset.

    To count the calls, each one's id stays in memory.
    """
    history = History(spool)
    messages: set[str] = set()
    for record in records:
        history.lines += 1
        try:
            signal = signals.decode(record.value)
        except msgspec.DecodeError:
            _refuse(history, quarantine, record, "not_a_signal", record.value)
            continue
        if from_outside(signal) and span.holds(signal.accepted_ms):
            history.append(signal, rank=_rank(record))
            messages.add(signal.id)
    history.calls = len(messages)
    return history


def of_calls(records: Iterable[Logged], *, spool: IO[bytes], quarantine: IO[bytes], span: Span = ALWAYS) -> History:
    """The signals of a source topic's calls; accepted when the receiver says, else when Kafka took the record."""
    history = History(spool)
    for record in records:
        received = unframe(record.value)
        accepted_ms = record.appended_ms if received.accepted_ms is None else received.accepted_ms
        if not span.holds(accepted_ms):
            continue
        history.lines += 1
        parsed = calls.parse(received.body, accepted_ms=accepted_ms)
        for signal in parsed.signals:
            history.append(signal, rank=_rank(record))
        history.calls += len({signal.id for signal in parsed.signals})
        history.ignored.update(parsed.ignored)
        for refused in parsed.rejected:
            _refuse(history, quarantine, record, str(refused.reason), refused.value)
    return history


def from_outside(signal: signals.Signal) -> TypeGuard[PersonSignal]:
    """Whether the world told it: not the judge, not the courier, not the marking, and no policy."""
    return not isinstance(signal, Marked | Ruled | Moved | Delivered) and not signal.via


def _rank(record: Logged) -> int:
    return (record.partition << OFFSET_BITS) | record.offset


def _refuse(history: History, quarantine: IO[bytes], record: Logged, reason: str, value: bytes) -> None:
    history.rejected[reason] += 1
    place = f"{record.partition}/{record.offset}"
    entry = {"record": place, "reason": reason, "bytes": base64.b64encode(value).decode()}
    quarantine.write(msgspec.json.encode(entry) + b"\n")
