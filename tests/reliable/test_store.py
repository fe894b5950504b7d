"""The write-behind cache: what was put is read, also while it is being written, and memory has a bound in bytes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import rocksdict
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from agents.reliable import Codec, Output, Record, Store, work
from agents.reliable import store as store_module
from agents.reliable.record import Plain
from agents.reliable.work import Agent, Span, Work
from tests.reliable.memory import Local

SOURCE = TP("in", 0)
RECORD_BYTES = 100_000
KEYS = [b"a", b"b", b"c", b"d"]


class Table:
    """What the carrier asks of a Faust table."""

    offset_key = b"offset"

    def __init__(self) -> None:
        self.data = self
        self.local = Local()

    def _db_for_partition(self, partition: int) -> Local:
        return self.local


class Counted:
    """A database, how many records were read of it in order, and how many iterators are open."""

    def __init__(self, database: Any) -> None:
        self._database, self.taken, self.open = database, 0, 0

    def get(self, key: bytes) -> bytes | None:
        found: bytes | None = self._database.get(key)
        return found

    def items(self, backwards: bool, from_key: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        self.open += 1
        try:
            for item in self._database.items(backwards, from_key):
                self.taken += 1
                yield item
        finally:
            self.open -= 1

    def write(self, batch: Any) -> None:
        self._database.write(batch)


def new_store(local: Local) -> Store:
    return Store(0, local, encode=bytes, decode=bytes, hidden=frozenset())


def written(store: Store, local: Local) -> None:
    for key, data in store.snapshot().items():
        if data is None:
            local.pop(key, None)
        else:
            local[key] = data


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(KEYS), st.binary(min_size=1, max_size=3)),
        st.tuples(st.sampled_from(["delete", "get", "flush", "age"]), st.sampled_from(KEYS), st.just(b"")),
    ),
    max_size=30,
)


@given(STEPS)
def test_a_store_reads_like_a_dictionary_whatever_is_flushed_or_forgotten(
    steps: list[tuple[str, bytes, bytes]],
) -> None:
    local, model = Local(), dict[bytes, bytes]()
    store = new_store(local)
    for verb, key, value in steps:
        match verb:
            case "put":
                store.put(key, value)
                model[key] = value
            case "delete":
                store.delete(key)
                model.pop(key, None)
            case "flush":
                written(store, local)
            case "age":
                store.age()
        assert store.get(key) == model.get(key)
    assert dict(store.items()) == model
    written(store, local)
    assert local == model


def test_a_record_that_changed_while_its_bytes_were_written_outlives_the_forgetting() -> None:
    local = Local()
    store = new_store(local)
    store.put(b"a", b"1")
    taken = store.snapshot()
    store.put(b"a", b"2")
    local[b"a"] = taken[b"a"] or b""
    store.age()
    store.age()
    assert store.get(b"a") == b"2"
    assert store.snapshot() == {b"a": b"2"}


def test_all_records_are_read_from_rocksdb_a_slice_at_a_time_and_leave_no_iterator_open(tmp_path: Path) -> None:
    database = rocksdict.Rdict(str(tmp_path), rocksdict.Options(raw_mode=True))
    count = 2 * store_module.SLICE_RECORDS + 1
    for number in range(count):
        database[b"%06d" % number] = b"stored"
    database[b"000500-offset"] = b"7"
    local = Counted(database)
    store = Store(0, local, encode=bytes, decode=bytes, hidden=frozenset({b"000500-offset"}))
    store.put(b"000999", b"changed")
    store.delete(b"001000")
    store.put(b"new", b"changed")
    reading = store.items()
    next(reading)
    assert (local.taken, local.open) == (store_module.SLICE_RECORDS + 1, 0)
    rest = list(reading)
    found = dict(rest)
    assert len(rest) == len(found) == count - 1  # the first one was taken, one was deleted, one is new
    assert (found[b"000999"], found[b"new"]) == (b"changed", b"changed")
    assert b"001000" not in found and b"000500-offset" not in found
    database.close()


def test_few_large_records_ask_for_a_flush_long_before_many_would() -> None:
    held, local = _holding()
    store = held.stores[SOURCE]
    assert store is not None
    count = 0
    while not held.full():
        held.new_of(SOURCE, [Record("in", 0, count, b"k", bytes(RECORD_BYTES))])
        store.put(b"%d" % count, bytes(RECORD_BYTES))
        held.positions[SOURCE] = count = count + 1
    assert count * RECORD_BYTES <= work.DIRTY_BYTES_MAX + RECORD_BYTES
    assert store.dirty_count < work.DIRTY_RECORDS_MAX
    for _, flushed, records in held.snapshot():
        local.update({key: data for key, data in records.items() if data is not None})
        assert flushed is store
    assert not store.dirty_count
    held.trim()
    assert not held.full()


def test_what_is_only_read_is_bounded_too() -> None:
    held, local = _holding()
    local.update({b"%d" % number: bytes(RECORD_BYTES) for number in range(2000)})
    store = held.stores[SOURCE]
    assert store is not None
    most = 0
    for number in range(2000):
        store.get(b"%d" % number)
        if held.full():
            held.trim()
        most = max(most, store.young_bytes)
    assert most <= work.YOUNG_BYTES_MAX + RECORD_BYTES


def _holding() -> tuple[Work, Local]:
    def nothing(store: Store | None, found: Sequence[Record]) -> list[Output]:
        return []

    table = Table()
    held = Work(print, gaps_allowed=False)
    held.agents["in"] = Agent("in", Plain(nothing), table, Codec(encode=bytes, decode=bytes))
    held.assign({SOURCE: Span(None, 0, 0)})
    return held, table.local
