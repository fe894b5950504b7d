"""Faust's private pieces that the carrier leans on: when one changes, the carrier must be read again before it is trusted.

Regenerate after that reading: `.venv/bin/python -m tests.kafka.test_pinned`.
"""

import ast
import hashlib
import inspect
import json
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher as Fetches
from aiokafka.partitioner import DefaultPartitioner, murmur2
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator, MessageBatch
from aiokafka.producer.sender import SendProduceReqHandler
from aiokafka.protocol.produce import ProduceRequest
from faust.app.base import App
from faust.stores.rocksdb import RocksDBOptions, Store
from faust.tables.base import Collection
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer, Fetcher, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from faust.worker import Worker

from agents.reliable.consumer import consumer_class
from agents.reliable.recovery import table_manager_class
from agents.reliable.work import Work
from tests.architecture.rooms import ROOT

PINNED = Path(__file__).with_name("pinned.json")
PACKAGES = ("faust-streaming", "mode-streaming", "aiokafka", "rocksdict")
PIECES = (
    Consumer._reset_state,
    Consumer._wait_next_records,
    Consumer._get_active_partitions,
    Consumer.pause_partitions,
    Consumer.resume_partitions,
    Consumer.stop_flow,
    Consumer.resume_flow,
    Consumer._filter_tps_with_pending_acks,
    Consumer._new_offset,
    Consumer.commit,
    Consumer.maybe_wait_for_commit_to_finish,
    Consumer.force_commit,
    Consumer._commit_offsets,
    Consumer._commit_handler.fun,
    Consumer.getmany,
    Consumer.on_partitions_revoked,
    Consumer.perform_seek,
    Consumer._drain_messages,
    Consumer.wait_empty,
    Consumer.on_stop,
    ThreadDelegateConsumer._getmany,
    ThreadDelegateConsumer._commit,
    Fetcher,
    Recovery.on_rebalance,
    Recovery._restart_recovery.fun,
    Recovery._slurp_changelogs.fun,
    Recovery._build_highwaters,
    Recovery._build_offsets,
    Recovery._seek_offsets,
    Recovery._resume_streams,
    Recovery.on_recovery_completed,
    Recovery._set_recovery_started,
    Recovery._set_recovery_ended,
    Recovery._wait,
    Recovery.need_recovery,
    Recovery.active_remaining,
    Recovery._is_changelog_tp,
    TableManager.recovery.fget,
    Collection._new_store,
    App._new_transport,
    App._on_partitions_revoked,
    App._on_partitions_assigned,
    App.on_rebalance_start,
    App.on_rebalance_end,
    Worker._setup_spinner_handler,
    RocksDBOptions,
    Store._db_for_partition,
    Store._open_for_partition,
    Store.partition_path,
    Store.persisted_offset,
    Store.revoke_partitions,
    Store.stop,
    driver.AIOKafkaConsumerThread._commit,
    driver.AIOKafkaConsumerThread._highwaters,
    driver.AIOKafkaConsumerThread._seek_wait,
    driver.AIOKafkaConsumerThread._fetch_records,
    driver.AIOKafkaConsumerThread.seek_to_committed,
    driver.AIOKafkaConsumerThread.earliest_offsets,
    driver.Producer._ensure_producer,
    AIOKafkaClient._wait_on_metadata,
    AIOKafkaClient.send,
    AIOKafkaConnection.send,
    SendProduceReqHandler,
    ProduceRequest,
    DefaultPartitioner.__call__,
    murmur2,
    BatchBuilder,
    MessageBatch,
    MessageAccumulator,
    AIOKafkaProducer.send,
    AIOKafkaProducer._partition,
    Fetches.fetched_records,
)


def found() -> dict[str, str]:
    pieces = {f"{piece.__module__}.{piece.__qualname__}": _digest(piece) for piece in PIECES}
    return {package: version(package) for package in PACKAGES} | pieces


def _digest(piece: object) -> str:
    return hashlib.sha256(inspect.getsource(piece).encode()).hexdigest()[:16]  # type: ignore[arg-type]


def test_the_pieces_are_those_that_were_read() -> None:
    assert found() == json.loads(PINNED.read_text())


def test_whatever_is_overridden_is_among_them() -> None:
    work = Work(print, gaps_allowed=False)
    tables: type = table_manager_class(work)
    manager = tables(App("pinned", loop=object()))
    pinned = {piece.__qualname__.split(".")[-1] for piece in PIECES}
    for made in (consumer_class(work), type(manager.recovery), tables):
        methods = {
            name for name, thing in vars(made).items() if inspect.isfunction(thing) or isinstance(thing, property)
        }
        overridden = {name for name in methods if hasattr(made.__mro__[1], name)}
        assert overridden, made
        assert overridden <= pinned, made


def private_names(sources: Iterable[str]) -> set[str]:
    """Private attributes that the sources ask of others: none that they define or set themselves."""
    asked, own = set[str](), set[str]()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                own.add(node.name)
            elif isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr):
                (own if isinstance(node.ctx, ast.Store) and _is_self(node.value) else asked).add(node.attr)
    return asked - own - {"_exit"}  # of os


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def test_whatever_private_is_asked_of_others_is_among_them_or_in_their_source() -> None:
    carrier = [path.read_text() for path in (ROOT / "agents/reliable").glob("*.py")]
    asked = private_names(carrier)
    assert {"_wait_on_metadata", "_batches", "_recovery_started_at"} <= asked
    pinned = "\n".join(inspect.getsource(piece) for piece in PIECES)
    assert [name for name in sorted(asked) if not re.search(rf"\b{name}\b", pinned)] == []
    assert private_names([*carrier, "producer._sender._muted"]) - asked == {"_sender", "_muted"}


def test_a_changed_piece_would_be_seen() -> None:
    def perform_seek() -> None: ...

    assert _digest(perform_seek) != _digest(Consumer.perform_seek)


if __name__ == "__main__":
    PINNED.write_text(json.dumps(found(), indent=1) + "\n")
