"""Faust's private pieces that the carrier leans on: when one changes, the carrier must be read again before it is trusted.

Regenerate after that reading: `.venv/bin/python -m tests.kafka.test_pinned`.
"""

import hashlib
import inspect
import json
from importlib.metadata import version
from pathlib import Path

from faust.app.base import App
from faust.stores.rocksdb import Store
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer, Fetcher
from faust.transport.drivers import aiokafka as driver

PINNED = Path(__file__).with_name("pinned.json")
PACKAGES = ("faust-streaming", "mode-streaming", "aiokafka", "rocksdict")
PIECES = (
    Consumer._reset_state,
    Consumer._wait_next_records,
    Consumer._filter_tps_with_pending_acks,
    Consumer._new_offset,
    Consumer.commit,
    Consumer.force_commit,
    Consumer._commit_offsets,
    Consumer.getmany,
    Consumer.on_partitions_revoked,
    Consumer.perform_seek,
    Consumer._drain_messages,
    Consumer.wait_empty,
    Fetcher,
    Recovery._restart_recovery.fun,
    Recovery._resume_streams,
    Recovery.on_recovery_completed,
    Recovery._set_recovery_ended,
    TableManager.recovery.fget,
    App._new_transport,
    App._on_partitions_revoked,
    Store.apply_changelog_batch,
    Store._db_for_partition,
    Store.persisted_offset,
    driver.AIOKafkaConsumerThread._commit,
    driver.AIOKafkaConsumerThread._highwaters,
    driver.Producer.send,
)


def found() -> dict[str, str]:
    pieces = {f"{piece.__module__}.{piece.__qualname__}": _digest(piece) for piece in PIECES}
    return {package: version(package) for package in PACKAGES} | pieces


def _digest(piece: object) -> str:
    return hashlib.sha256(inspect.getsource(piece).encode()).hexdigest()[:16]  # type: ignore[arg-type]


def test_the_pieces_are_those_that_were_read() -> None:
    assert found() == json.loads(PINNED.read_text())


def test_a_changed_piece_would_be_seen() -> None:
    def perform_seek() -> None: ...

    assert _digest(perform_seek) != _digest(Consumer.perform_seek)


if __name__ == "__main__":
    PINNED.write_text(json.dumps(found(), indent=1) + "\n")
