"""Importing: a table of a shop's past becomes Customer.io calls, one JSON object a line.

Rows stream through; only the lines of orders that are still open are held. A message id comes from the content of its
rows, so an identical row counts once. What cannot be told goes to the rejects file with its line number and reason.
The output appears under its name only when it is whole.
"""

import gzip
import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import msgspec

from backtests.mapping import LINE_PROPERTIES, NUMBERS, Mapping
from backtests.tables import Progress, Reject, Row, TableError, quiet, rows
from contracts.instant import INSTANT_MS_MAX, to_rfc3339
from contracts.occurrence import OLDEST_MS, read_instant

OPEN_ORDER_ROWS_MAX = 1_000  # an order whose lines are farther apart than this becomes two calls
NUMBER_CHARS_MAX = 40  # longer digits are no amount of money

_encode = msgspec.json.Encoder(decimal_format="number").encode
Call = dict[str, Any]


class Imported(NamedTuple):
    """What became of the rows. first, last: RFC 3339, None where no call was written."""

    rows: int
    calls: int
    rejected: int
    skipped: dict[str, int]
    first: str | None
    last: str | None


class _Told(NamedTuple):
    """One row, understood: which event, of whom, when, and with which properties."""

    row: Row
    event: str
    person: dict[str, Any]
    at_ms: int
    properties: dict[str, Any]
    order: str


class _Refused(ValueError):
    """A row that cannot be told; `str()` is the reason."""


class _Skipped(ValueError):
    """A row that the mapping leaves out; `str()` is the reason."""


def write(source: Path, mapping: Mapping, *, out: Path, rejects: Path, progress: Progress = quiet) -> Imported:
    """Tell `source` as calls in `out` (gzip where the name ends in .gz); `rejects` exists afterwards where any row was.

    TableError when it is no readable table.
    """
    partial, refused = out.with_name(f"{out.name}.partial"), rejects.with_name(f"{rejects.name}.partial")
    try:
        with ExitStack() as stack:
            lines = stack.enter_context(_opened(partial, compressed=out.suffix == ".gz"))
            count = _Count(stack.enter_context(refused.open("wb")))
            table = count.rows(rows(source, separator=mapping.separator, progress=progress))
            for at_ms, call in _calls(table, mapping, source, count):
                lines.write(_encode(call) + b"\n")
                count.call(at_ms)
        partial.replace(out)
        rejects.unlink(missing_ok=True)
        if count.rejected:
            refused.replace(rejects)
    except OSError as error:
        name = error.filename or out
        raise TableError(f"{name}: cannot be written ({error.strerror}); choose another --out") from None
    finally:
        partial.unlink(missing_ok=True)
        refused.unlink(missing_ok=True)
    return count.told()


class _Count:
    """Counts what becomes of the rows, and writes down those that are refused."""

    def __init__(self, refused: IO[bytes]) -> None:
        self.rejected = 0
        self.skipped: Counter[str] = Counter()
        self._rows, self._calls = 0, 0
        self._first_ms, self._last_ms = INSTANT_MS_MAX, 0
        self._refused = refused

    def rows(self, table: Iterable[Row | Reject]) -> Iterator[Row | Reject]:
        for row in table:
            self._rows += 1
            yield row

    def refuse(self, reject: Reject) -> None:
        self.rejected += 1
        self._refused.write(_encode({"line": reject.number, "reason": reject.reason, "row": reject.text}) + b"\n")

    def call(self, at_ms: int) -> None:
        self._calls += 1
        self._first_ms, self._last_ms = min(self._first_ms, at_ms), max(self._last_ms, at_ms)

    def told(self) -> Imported:
        span = (to_rfc3339(self._first_ms), to_rfc3339(self._last_ms)) if self._calls else (None, None)
        return Imported(self._rows, self._calls, self.rejected, dict(self.skipped), *span)


def _opened(path: Path, *, compressed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "wb")) if compressed else path.open("wb")


def _calls(
    table: Iterable[Row | Reject], mapping: Mapping, source: Path, counted: _Count
) -> Iterator[tuple[int, Call]]:
    open_orders: OrderedDict[tuple[str, ...], list[_Told]] = OrderedDict()
    newest: dict[tuple[str, ...], int] = {}
    checked = False
    for count, row in enumerate(table):
        if isinstance(row, Reject):
            counted.refuse(row)
            continue
        if not checked:
            _check_columns(row, mapping, source)
            checked = True
        try:
            told = _told(row, mapping)
        except _Refused as reason:
            counted.refuse(Reject(row.number, str(reason), ",".join(row.fields.values())))
            continue
        except _Skipped as reason:
            counted.skipped[str(reason)] += 1
            continue
        if not told.order:
            yield told.at_ms, _call([told], mapping)
            continue
        key = (told.order, told.event, *map(str, told.person.values()))
        open_orders.setdefault(key, []).append(told)
        newest[key] = count
        while newest[oldest := next(iter(open_orders))] < count - OPEN_ORDER_ROWS_MAX:
            yield _closed(open_orders, newest, oldest, mapping)
    while open_orders:
        yield _closed(open_orders, newest, next(iter(open_orders)), mapping)


def _closed(
    open_orders: OrderedDict[tuple[str, ...], list[_Told]],
    newest: dict[tuple[str, ...], int],
    key: tuple[str, ...],
    mapping: Mapping,
) -> tuple[int, Call]:
    lines = open_orders.pop(key)
    del newest[key]
    return lines[0].at_ms, _call(lines, mapping)


def _check_columns(row: Row, mapping: Mapping, source: Path) -> None:
    missing = [name for name in mapping.columns if name not in row.fields]
    if missing:
        raise TableError(
            f"{source}: has no column {', '.join(missing)} (it has {', '.join(row.fields)}); "
            "choose the preset or the mapping that fits this file"
        )


def _told(row: Row, mapping: Mapping) -> _Told:
    columns = {"userId": mapping.user, "email": mapping.email, "anonymousId": mapping.anonymous}
    person = {key: row.fields[column] for key, column in columns.items() if column and row.fields[column].strip()}
    if not person:
        named = ", ".join(column for column in columns.values() if column)
        raise (_Skipped if mapping.guests == "skip" else _Refused)(f"{named} is empty")
    order = row.fields[mapping.order].strip() if mapping.order else ""
    if mapping.order and not order:
        raise _Refused(f"{mapping.order} is empty")
    event = "Order Refunded" if mapping.refund and order.startswith(mapping.refund) else _event(row, mapping)
    properties: dict[str, Any] = {}
    for name, column in mapping.properties.items():
        value = row.fields[column].strip()
        if value:
            properties[name] = _number(value, column) if name in NUMBERS else value
    if properties.get("price", 0) < 0:
        raise _Refused(f"{mapping.properties['price']} is negative")
    return _Told(row, event, person, _instant(row, mapping.time), {**mapping.constants, **properties}, order)


def _event(row: Row, mapping: Mapping) -> str:
    if mapping.event is None:
        return str(mapping.every)
    kind = row.fields[mapping.event]
    if kind not in mapping.events:
        raise _Refused(f"{mapping.event} is none of {', '.join(mapping.events)}")
    event = mapping.events[kind]
    if event is None:
        raise _Skipped(f"{mapping.event} is {kind}")
    return event


def _number(text: str, column: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or len(text) > NUMBER_CHARS_MAX or abs(number.adjusted()) > NUMBER_CHARS_MAX:
        raise _Refused(f"{column} is no number")
    return number


def _instant(row: Row, column: str) -> int:
    at_ms = read_instant(row.fields[column].strip())
    if at_ms is None or at_ms < OLDEST_MS:
        raise _Refused(f"{column} is no instant such as 2026-03-02T09:00:00Z")
    return at_ms


def _call(lines: list[_Told], mapping: Mapping) -> Call:
    """One call: of a row, or of all rows of an order, identical ones once."""
    unlike = {tuple(line.row.fields.values()): line for line in lines}
    digest = hashlib.sha256("\x1e".join("\x1f".join(values) for values in unlike).encode()).hexdigest()[:32]
    told = lines[0]
    properties = told.properties
    if told.event.startswith("Order "):
        properties = _order(list(unlike.values()))
    person = dict(told.person)
    email = person.pop("email", None)
    call: Call = {"type": "track", "event": told.event, **person, "messageId": f"{mapping.name}-{digest}"}
    call |= {"timestamp": to_rfc3339(told.at_ms), "properties": properties}
    return call | {"context": {"traits": {"email": email}}} if email else call


def _order(lines: list[_Told]) -> dict[str, Any]:
    refund = lines[0].event == "Order Refunded"
    products, total = [], Decimal(0)
    for line in lines:
        product = {name: value for name, value in line.properties.items() if name in LINE_PROPERTIES}
        quantity = product.setdefault("quantity", 1)
        if refund:
            product["quantity"] = abs(quantity)
        total += product.get("price", Decimal(0)) * quantity
        products.append(product)
    properties = {name: value for name, value in lines[0].properties.items() if name not in LINE_PROPERTIES}
    if lines[0].order:
        properties["order_id"] = lines[0].order
    if any("price" in product for product in products):
        properties.setdefault("total", abs(total) if refund else total)
    return {**properties, "products": products}
