"""Customers: what each person of a comparison was worth within the outcome window, and before it, one array per column.

`from_csv` reads them from a table with the columns person, arm, orders, gross, discount, cost and, of the time before, any of
pre_orders, pre_gross, pre_discount, pre_cost. An empty cell is 0 where nothing else can be meant, and else unknown. A person
in both arms leaves.
"""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from backtests.samples import Values

COLUMNS = ("person", "arm", "orders", "gross", "discount", "cost")
WORTH = ("orders", "gross", "discount", "cost")
COUNTS = ("orders", "pre_orders")
ARMS = {"holdout": 0, "control": 0, "assisted": 1, "treatment": 1}  # as other tools call them, too
UNKNOWN = math.nan  # an empty cell that is not settled: the metrics that need the column are refused
LARGEST = 1e15  # no customer is worth more; squares of what is far beyond overflow
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
CELL_CHARS_MAX = 10_000  # no name is as long; more is a quote that was never closed
SMALLEST = 1e-9  # less is what rounding left of nothing


class CustomersError(ValueError):
    """A table that cannot be read; `str()` says where and what to do."""


class Worth(NamedTuple):
    """One value a person. gross: before discounts. A column is None where it is not known of everybody."""

    orders: Values | None
    gross: Values | None
    discount: Values | None
    cost: Values | None


class Group(NamedTuple):
    """The people of one arm: what they were worth in the window, and before it."""

    now: Worth
    before: Worth
    people: int

    def first(self, count: int) -> "Group":
        """The first so many people alone."""
        now, before = (
            Worth(*(None if values is None else values[:count] for values in worth))
            for worth in (self.now, self.before)
        )
        return Group(now, before, min(count, self.people))


class Customers(NamedTuple):
    """both_arms: people who stood in both and are left out. ignored: columns that say nothing here."""

    holdout: Group
    assisted: Group
    both_arms: int
    ignored: tuple[str, ...]


def from_csv(path: Path) -> Customers:
    """CustomersError where the table is none, a cell makes no sense, or a person stands twice in one arm."""
    csv.field_size_limit(CELL_CHARS_MAX)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            try:
                return _customers(reader, path)
            except csv.Error as error:
                raise CustomersError(
                    f"{path}, after line {reader.line_num}: is no CSV ({error}); export it again"
                ) from None
    except UnicodeDecodeError:
        raise CustomersError(f"{path}: is no CSV in UTF-8; export it again") from None
    except OSError as error:
        raise CustomersError(f"{path}: cannot be read ({error.strerror or error}); name an existing file") from None


def group(rows: list[tuple[float, ...]] | Values, *, columns: tuple[str, ...]) -> Group:
    """The people of one arm, each a row of numbers under `columns` (of WORTH, or with `pre_` before them)."""
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(columns))

    def column(name: str) -> Values | None:
        values = table[:, columns.index(name)] if name in columns else None
        return None if values is None or bool(np.isnan(values).any()) else values

    return Group(Worth(*(column(name) for name in WORTH)), Worth(*(column(f"pre_{name}") for name in WORTH)), len(rows))


def _customers(reader: "csv.DictReader[str]", path: Path) -> Customers:
    header = [name.strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    _check(header, path)
    columns = WORTH + tuple(f"pre_{name}" for name in WORTH if f"pre_{name}" in header)
    people: dict[str, tuple[int, tuple[float, ...]]] = {}
    both: set[str] = set()
    for person, arm, row in _rows(reader, columns, path):
        known = people.setdefault(person, (arm, row))
        if known[0] != arm:
            both.add(person)
        elif known[1] is not row:
            raise CustomersError(f"{path}, line {reader.line_num}: this person stands above; give each person one line")
    arms: tuple[list[tuple[float, ...]], list[tuple[float, ...]]] = ([], [])
    for person, (arm, row) in people.items():
        if person not in both:
            arms[arm].append(row)
    holdout, assisted = (group(rows, columns=columns) for rows in _settled(arms, columns, path))
    ignored = tuple(name for name in header if name and name not in (*COLUMNS, *columns))
    return Customers(holdout, assisted, len(both), ignored)


def _check(header: Sequence[str], path: Path) -> None:
    missing = [name for name in COLUMNS if name not in header]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    other = next((name for mark, name in SEPARATORS.items() if len(header) == 1 and mark in header[0]), None)
    if other is not None:
        raise CustomersError(f"{path}: has {other} between its cells; export it with commas, and points in the numbers")
    if missing:
        raise CustomersError(
            f"{path}: lacks {', '.join(missing)}; the first line names {', '.join(COLUMNS)}, and what is unknown stays empty"
        )
    if twice:
        raise CustomersError(f"{path}: the first line names {', '.join(twice)} more than once; keep one")


def _rows(
    reader: "csv.DictReader[str]", columns: tuple[str, ...], path: Path
) -> Iterator[tuple[str, int, tuple[float, ...]]]:
    for cells in reader:
        where = f"{path}, line {reader.line_num}"
        if None in cells or None in cells.values():
            raise CustomersError(f"{where}: has not as many cells as the first line")
        if not any(cell.strip() for cell in cells.values()):
            continue
        arm = ARMS.get(cells["arm"].strip().lower())
        if arm is None:
            raise CustomersError(f"{where}: arm is none of {', '.join(ARMS)}")
        person = cells["person"].strip()
        if not person:
            raise CustomersError(f"{where}: names no person; without a name it cannot be seen who stands twice")
        yield person, arm, tuple(_number(cells, name, where) for name in columns)


def _number(cells: Mapping[str, str], name: str, where: str) -> float:
    text = cells[name].strip()
    if not text:
        return UNKNOWN
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not abs(value) <= LARGEST or "_" in text:
        raise CustomersError(f"{where}: {name} is no number; write one such as 12.50, or nothing where it is unknown")
    if value < 0 and name in COUNTS:
        raise CustomersError(f"{where}: {name} is below 0; a cancelled order is none")
    return value if abs(value) >= SMALLEST else 0.0


def _settled(arms: Iterable[list[tuple[float, ...]]], columns: tuple[str, ...], path: Path) -> list[Values]:
    """The rows with 0 for an empty cell of who ordered nothing, of discounts where some are told, and of the time before.

    CustomersError where nobody of one arm alone has anything told of the time before: such a column would pass for the lift.
    """
    tables = [np.array(rows, dtype=np.float64).reshape(len(rows), len(columns)) for rows in arms]
    for place, name in enumerate(columns):
        before = name.startswith("pre_")
        told = [not np.isnan(table[:, place]).all() for table in tables if len(table)]
        if before and any(told) and not all(told):
            raise CustomersError(
                f"{path}: {name} is empty for one whole arm; write 0 for who had nothing, or leave it out"
            )
        for table in tables:
            zero = np.isnan(table[:, place]) & (before or (name == "discount" and any(told)) or (table[:, 0] == 0))
            table[zero, place] = 0.0
    return tables
