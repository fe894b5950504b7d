"""A data directory as a worker keeps it: Faust's places, RocksDB's files, our records and how far they were read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agents import courier_agent, judge, teller_agent
from agents.reliable import Codec, Output, Store, create_app
from agents.reliable.store import keep
from agents.topic_plan import APP_NAME, TABLES, TELLING_TABLE

TABLES_ALL = (*TABLES, TELLING_TABLE)
CODECS: Mapping[str, Codec] = dict(zip(TABLES_ALL, (judge.CODEC, courier_agent.CODEC, teller_agent.CODEC), strict=True))
REACHED = 41  # of each changelog
OF_THIS_MACHINE = ("LOG", "LOCK", "IDENTITY")  # RocksDB makes them anew


def nothing(store: Store | None, records: object) -> list[Output]:
    return []


@contextmanager
def table_of(folder: Path, name: str) -> Iterator[tuple[Any, Any]]:
    """Partition 0 of a table, and the table's data, as the carrier opens it; no broker is asked."""
    app = create_app(
        name=APP_NAME, bootstrap="localhost:0", datadir=folder, partitions=1, commit_seconds=1.0, replication=1,
        standbys=0, session_seconds=10.0,
    )  # fmt: skip
    app.agent("golden", partitions=1, table=name, codec=CODECS[name])(nothing)
    app.faust.finalize()
    data = app.faust.tables[name].data
    database = data._db_for_partition(0)
    try:
        yield database, data
    finally:
        database.close()


def write(folder: Path, name: str, records: Mapping[bytes, bytes | None]) -> None:
    with table_of(folder, name) as (database, data):
        keep(database, records.items(), data.offset_key, REACHED)
        database.flush()
    for path in list(folder.rglob("*")):
        if path.name in OF_THIS_MACHINE or path.suffix == ".log":
            path.unlink()


def read(folder: Path, name: str) -> tuple[dict[bytes, bytes], int]:
    """The table's records, and how far its changelog was read."""
    with table_of(folder, name) as (database, data):
        found = dict(database.items())
    return found, int(found.pop(data.offset_key))
