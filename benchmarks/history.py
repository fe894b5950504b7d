"""A recorded day to replay: records of the `signals` topic in order of acceptance, and the same day as a Parquet file.

The day is the rehearsal shop's. Where more is asked for than one shop sends, each signal stands there as often as needed, of
another person each time: as several such shops would send it.
"""

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow
from pyarrow import parquet

from contracts import signals
from contracts.calls import parse
from contracts.instant import from_rfc3339
from contracts.policy import Policy
from contracts.signals import Claimed, Item, PersonSignal, Tracked
from rehearsal import shop

START_MS = from_rfc3339("2026-03-02T00:00:00Z")
DAY_HOURS = 24.0
SIGNALS_A_PERSON = 15  # about, of that shop
SHOPS_STEP = 2  # so that two cores get the same number of shops, whose people never meet
SHOP_PEOPLE_MAX = 20_000  # of one shop; to simulate more takes longer than to replay them
ROW_GROUP = 100_000
SCHEMA = pyarrow.schema(
    [
        ("person", pyarrow.string()), ("at_ms", pyarrow.int64()), ("event", pyarrow.string()),
        ("added", pyarrow.float64()), ("ordered", pyarrow.bool_()),
    ]
)  # fmt: skip


def day(signals_count: int, seed: int) -> Iterator[tuple[int, PersonSignal]]:
    """(number of the shop, signal), at least about as many, in order of acceptance; an even number of shops."""
    people = max(signals_count // SIGNALS_A_PERSON, SHOPS_STEP)
    copies = SHOPS_STEP * -(-people // (SHOPS_STEP * SHOP_PEOPLE_MAX))
    chance = random.Random(seed)  # noqa: S311  # a benchmark's data needs no secrecy
    for sent in shop.day(chance, start_ms=START_MS, hours=DAY_HOURS, people=people // copies):
        told = parse(sent.body, accepted_ms=sent.at_ms).signals
        for copy in range(copies):
            for signal in told:
                yield copy, _of_another(signal, f"-{copy}")


def _of_another(signal: PersonSignal, suffix: str) -> PersonSignal:
    changed: dict[str, Any] = {"person": signal.person + suffix, "id": signal.id + suffix}
    if isinstance(signal, Claimed):
        changed["owner"] = signal.owner + suffix
    return msgspec.structs.replace(signal, **changed)


def write(told: Iterator[tuple[int, PersonSignal]], folder: Path, policy: Policy) -> int:
    """Into `folder`: all.jsonl; 0.jsonl and 1.jsonl, which each have half of the shops; all.parquet. How many signals."""
    count = 0
    rows: list[dict[str, Any]] = []
    paths = (folder / "all.jsonl", folder / "0.jsonl", folder / "1.jsonl")
    whole, *halves = (path.open("wb") for path in paths)
    with parquet.ParquetWriter(folder / "all.parquet", SCHEMA, compression="zstd") as table:
        for number, signal in told:
            count += 1
            line = signals.encode(signal) + b"\n"
            whole.write(line)
            halves[number % len(halves)].write(line)
            rows.append(_row(signal, policy))
            if len(rows) == ROW_GROUP:
                table.write_table(pyarrow.Table.from_pylist(rows, SCHEMA))
                rows.clear()
        table.write_table(pyarrow.Table.from_pylist(rows, SCHEMA))
    for file in (whole, *halves):
        file.close()
    return count


def _row(signal: PersonSignal, policy: Policy) -> dict[str, Any]:
    event = signal.event if isinstance(signal, Tracked) else type(signal).__name__
    added = 0.0
    if isinstance(signal, Tracked) and event == "Product Added":
        added = float(sum(_value(item) for item in _items(signal)))
    ordered = event in policy.names.orders
    return {"person": signal.person, "at_ms": signal.occurred_ms, "event": event, "added": added, "ordered": ordered}


def _items(signal: Tracked) -> Sequence[Item]:
    return signal.items or ((signal.item,) if signal.item is not None else ())


def _value(item: Item) -> Decimal:
    return (item.price or Decimal(0)) * (Decimal(1) if item.quantity is None else item.quantity)
