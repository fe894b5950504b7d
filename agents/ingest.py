"""Ingest: raw messages of a source in, signals out, keyed by person. What cannot be read goes to quarantine, byte for byte.

Every message of the source leads to at least one signal, one quarantined record or one count, so nothing vanishes.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from prometheus_client import Counter

from agents.clock import Clock
from agents.marks import Marks, Source
from agents.measures import IGNORED, QUARANTINED, SIGNALLED
from agents.reliable import Output, Record, Store
from contracts import quarantined, signals
from contracts.calls import parse
from contracts.received import unframe
from contracts.signals import PersonSignal
from contracts.topics import QUARANTINE, SIGNALS


class Ingest:
    """Handler of one source topic. It holds no state but the marks, which the marking shares."""

    def __init__(self, clock: Clock, marks: Marks) -> None:
        self._clock = clock
        self._marks = marks

    def assigned(self, store: Store | None, partition: int, committed: int | None) -> None:
        """Nothing to prepare."""

    def revoked(self, partition: int) -> None:
        """Nothing to give up; the marks notice by themselves."""

    def before_flush(self, store: Store | None, next_offset: int) -> None:
        """Nothing to keep."""

    def batch(self, store: Store | None, records: Sequence[Record]) -> Iterable[Output]:
        now_ms = self._clock.now_ms()
        counts: Tally[tuple[Counter, tuple[str, ...]]] = Tally()
        told: Tally[type[PersonSignal]] = Tally()
        outputs: list[Output] = []
        for record in records:
            outputs += self._one(record, now_ms, counts, told)
        for kind, count in told.items():
            SIGNALLED.labels(kind.__name__.lower()).inc(count)
        for (counter, label), count in counts.items():
            counter.labels(*label).inc(count)
        return outputs

    def _one(
        self,
        record: Record,
        now_ms: int,
        counts: Tally[tuple[Counter, tuple[str, ...]]],
        told: Tally[type[PersonSignal]],
    ) -> list[Output]:
        received = unframe(record.value or b"")
        source = Source(record.topic, record.partition)
        parsed = parse(received.body, accepted_ms=self._marks.stamp(source, received.accepted_ms, now_ms))
        outputs = []
        for signal in parsed.signals:
            told[type(signal)] += 1
            outputs.append(Output(SIGNALS.name, signal.person.encode(), signals.encode(signal)))
        for index, (reason, value) in enumerate(parsed.rejected):
            counts[QUARANTINED, ("ingest", reason)] += 1
            place = f"{source.name()}/{record.offset}/{index}"
            for part in quarantined.in_parts(stage="ingest", reason=reason, source=place, value=value):
                outputs.append(Output(QUARANTINE.name, place.encode(), quarantined.encode(part)))
        for name in parsed.ignored:
            counts[IGNORED, (name,)] += 1
        return outputs
