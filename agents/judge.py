"""The judge: the thinking, carried by Faust. Signals in; decisions, commands and passed-on signals out.

A partition's log time belongs to a position of its log: with each commit the control state as of that position is kept, so that
a worker that starts again at a committed offset thinks with the time that was known there, not with a later one.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import msgspec
import structlog

from agents.measures import DECIDED, QUARANTINED, TAKEN
from agents.reliable import Codec, Output, Record, Store
from contracts import commands, decisions, quarantined, signals, topics, versions
from contracts.policy import Policy
from contracts.signals import Ruled
from streams import control, person
from streams.control import Control
from streams.drift import Trouble
from streams.inputs import Watch
from streams.partition import Effects, Partition
from streams.person import Person

OURS = b"\x00"  # no person's key begins with a control character
CONTROL_KEY, POLICIES_KEY = OURS + b"control", OURS + b"policies"
CONTROLS_KEPT = 4  # a commit that failed is tried again from the one before; more is for safety
POLICIES_KEPT = 64  # texts; more than all rulings of all kept controls
PERSON_TAG, CONTROL_TAG, POLICIES_TAG = b"P1", b"C1", b"R1"  # kind and version of a stored record
log = structlog.get_logger(__name__)


class ControlLog(msgspec.Struct, array_like=True):
    """(next offset, Control as of it in msgpack), oldest first."""

    entries: list[tuple[int, bytes]] = []

    def at(self, offset: int | None) -> Control:
        """As of the newest kept position that is not after `offset`; nothing known where there is none."""
        known = [entry for position, entry in self.entries if offset is not None and position <= offset]
        return control.decode(known[-1]) if known else Control()


class Policies(msgspec.Struct, array_like=True):
    """Texts of policies that the log has brought, by their hashes, oldest first."""

    texts: dict[str, str] = {}


Stored = Person | ControlLog | Policies
READERS: Mapping[bytes, Callable[[bytes], Stored]] = {
    PERSON_TAG: person.decode,
    CONTROL_TAG: msgspec.msgpack.Decoder(ControlLog).decode,
    POLICIES_TAG: msgspec.msgpack.Decoder(Policies).decode,
}


def encode(record: Stored) -> bytes:
    if isinstance(record, Person):
        return PERSON_TAG + person.encode(record)
    return (CONTROL_TAG if isinstance(record, ControlLog) else POLICIES_TAG) + msgspec.msgpack.encode(record)


def decode(data: bytes) -> Stored:
    """NewerRecord where the record's kind or version is unknown, so that an older release never misreads a newer state."""
    return versions.upcast(data, READERS, word="people")


CODEC = Codec(encode=encode, decode=decode)


class People(MutableMapping[str, Person]):
    """The people of one store, by their keys as text."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, key: str) -> Person:
        found = self._store.get(key.encode())
        if found is None:
            raise KeyError(key)
        assert isinstance(found, Person), "the marks have a key of their own"
        return found

    def get(self, key: str, default: Any = None) -> Any:
        found = self._store.get(key.encode())
        return default if found is None else found

    def __setitem__(self, key: str, value: Person) -> None:
        self._store.put(key.encode(), value)

    def __delitem__(self, key: str) -> None:
        self._store.delete(key.encode())

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.items_now())

    def __len__(self) -> int:
        return sum(1 for _ in self.items_now())

    def items_now(self) -> Iterator[tuple[str, Person]]:
        return ((key.decode(), record) for key, record in self._store.items() if not key.startswith(OURS))


class Judge:
    """Handler of the `signals` topic; one Partition of the thinking per partition that this worker owns."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._partitions: dict[int, Partition] = {}

    def assigned(self, store: Store | None, partition: int, committed: int | None) -> None:
        assert store is not None, "the judge has a table"
        people = People(store)
        kept = store.get(CONTROL_KEY)
        log_of_control = kept if isinstance(kept, ControlLog) else ControlLog()
        thinking = Partition(self.policy, people, control=log_of_control.at(committed), policies=texts_of(store))
        thinking.restore(people.items_now())
        self._partitions[partition] = thinking
        ruling = thinking.rulings.newest.policy.hash
        if ruling != self.policy.hash:
            log.info("policy_of_the_log", policy=ruling, file=self.policy.hash, partition=partition)

    def revoked(self, partition: int) -> None:
        self._partitions.pop(partition, None)

    def batch(self, store: Store | None, records: Sequence[Record]) -> Iterable[Output]:
        outputs: list[Output] = []
        for record in records:
            thinking = self._partitions[record.partition]
            outputs += self._one(thinking, record, store)
        TAKEN.inc(len(records))
        return outputs

    def before_flush(self, store: Store | None, next_offset: int) -> None:
        assert store is not None, "the judge has a table"
        thinking = self._partitions[store.number]
        kept = store.get(CONTROL_KEY)
        entries = kept.entries if isinstance(kept, ControlLog) else []
        now = control.encode(thinking.control)
        entries = [entry for entry in entries if entry[0] < next_offset][1 - CONTROLS_KEPT :]
        store.put(CONTROL_KEY, ControlLog([*entries, (next_offset, now)]))

    def log_times_ms(self) -> dict[int, int | None]:
        """Log time per partition that is judged here, None before all sources have spoken."""
        return {number: thinking.control.marks.time_ms for number, thinking in self._partitions.items()}

    def erased(self, partition: int, person: str) -> bool:
        """Whether a person of a partition that is judged here is erased; False of one that is judged elsewhere."""
        thinking = self._partitions.get(partition)
        return thinking is not None and thinking.erased(person)

    def mends(self, partition: int) -> bool:
        """Whether the policy in force has contacts written right that somebody edited; the file's says so elsewhere."""
        thinking = self._partitions.get(partition)
        return (thinking.rulings.oldest.policy if thinking is not None else self.policy).mend

    def trouble_counts(self) -> dict[int, int]:
        """Inputs per partition that are not to be trusted now."""
        return {
            number: sum(trouble.until_ms is None for trouble in thinking.control.drift.troubles)
            for number, thinking in self._partitions.items()
        }

    def policy_counts(self) -> Mapping[str, int]:
        """How many partitions are judged by each policy in force, by its hash."""
        return Tally(thinking.rulings.oldest.policy.hash for thinking in self._partitions.values())

    def _one(self, thinking: Partition, record: Record, store: Store | None) -> list[Output]:
        try:
            signal = signals.decode(record.value or b"")
        except msgspec.DecodeError:
            return [unreadable(record)]
        effects = thinking.take(signal, record.offset)
        for decision in effects.decisions:
            DECIDED.labels(decision.audience, decision.outcome, decision.reason).inc()
        if isinstance(signal, Ruled):
            assert store is not None, "the judge has a table"
            keep_texts(store, thinking.rulings.texts())
            log.info("policy_deployed", policy=signal.policy, partition=record.partition)
        for trouble in effects.troubles:
            tell(trouble, thinking.rulings.newest.watch, record.partition)
        return outputs_of(effects)


def tell(trouble: Trouble, watch: Watch, partition: int) -> None:
    """An operator hears of it at once; names of fields and events only, nobody's data."""
    if trouble.until_ms is not None:
        log.info("input_sound_again", input=trouble.input, partition=partition)
        return
    concerned = [name for name, needs in watch.needs.items() if trouble.input in needs]
    log.warning("input_in_trouble", input=trouble.input, what=trouble.what, partition=partition, withholding=concerned)


def texts_of(store: Store) -> dict[str, str]:
    kept = store.get(POLICIES_KEY)
    return dict(kept.texts) if isinstance(kept, Policies) else {}


def keep_texts(store: Store, texts: Mapping[str, str]) -> None:
    """Beside the control, which is kept several times at every commit and names them by their hashes only."""
    kept = [*((name, text) for name, text in texts_of(store).items() if name not in texts), *texts.items()]
    store.put(POLICIES_KEY, Policies(dict(kept[-POLICIES_KEPT:])))


def outputs_of(effects: Effects) -> list[Output]:
    """Decisions first, so that nothing is ordered whose decision is not written; passed-on signals go back to the log."""
    if not (effects.decisions or effects.commands or effects.signals or effects.stranded):
        return []  # nearly always
    return [
        *(Output(topics.DECISIONS.name, d.person.encode(), decisions.encode(d)) for d in effects.decisions),
        *(Output(topics.COMMANDS.name, c.person.encode(), commands.encode(c)) for c in effects.commands),
        *(Output(topics.SIGNALS.name, s.person.encode(), signals.encode(s)) for s in effects.signals),
        *(part for signal in effects.stranded for part in stranded(signal)),
    ]


def stranded(signal: signals.PersonSignal) -> list[Output]:
    """A signal that was passed on from forward to forward too often goes to quarantine, with the way that it went."""
    value = signals.encode(signal)
    parts = quarantined.in_parts(stage="judge", reason="passed_too_often", source=signal.id, value=value)
    return [Output(topics.QUARANTINE.name, signal.id.encode(), quarantined.encode(part)) for part in parts]


def unreadable(record: Record) -> Output:
    """A record of the log that is no signal goes to quarantine with its original bytes."""
    place = f"{record.topic}/{record.partition}/{record.offset}"
    QUARANTINED.labels("judge", "not_a_signal").inc()
    body = {"stage": "judge", "reason": "not_a_signal", "source": place, "value": record.value or b""}
    return Output(topics.QUARANTINE.name, place.encode(), msgspec.json.encode(body))
