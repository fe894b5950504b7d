"""What a benchmark came to: a table, kept in docs/benchmarks.json and shown from there in docs/benchmarks.md.

Promise: no figure of its tables is typed by hand; a test compares the page with the file.
"""

import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

DOCS = Path(__file__).parents[1] / "docs"
RESULTS, PAGE = DOCS / "benchmarks.json", DOCS / "benchmarks.md"
END = "<!-- end -->"


class Table(msgspec.Struct):
    """conditions: seed, sizes and rounds, in words. machine: of whoever ran it, and what else kept it busy. rows: as shown."""

    name: str
    conditions: str
    columns: list[str]
    rows: list[list[str]]
    machine: str = ""


def kept() -> dict[str, Table]:
    """By name."""
    found = msgspec.json.decode(RESULTS.read_bytes(), type=list[Table]) if RESULTS.exists() else []
    return {table.name: table for table in found}


def keep(table: Table) -> None:
    """A newer table of the same name takes the place of the older one; the page is written anew."""
    tables = sorted((kept() | {table.name: table}).values(), key=lambda one: one.name)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(tables), indent=1) + b"\n")
    PAGE.write_text(page(PAGE.read_text(), tables))


def page(text: str, tables: Iterable[Table]) -> str:
    """`text` with each table between the marks of its name. ValueError where a table has no marks there."""
    for table in tables:
        begin = f"<!-- begin: {table.name}, written by make bench -->"
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(END)
        if not found or not ended:
            raise ValueError(f"{PAGE.name} has no place for the table {table.name}")
        text = f"{before}{begin}\n{markdown(table)}\n{END}{after}"
    return text


def markdown(table: Table) -> str:
    head = ["| " + " | ".join(table.columns) + " |", "|---" + "|--:" * (len(table.columns) - 1) + "|"]
    rows = ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in table.rows]
    return "\n".join([*head, *rows, "", f"{table.conditions}. {table.machine}".strip()])


def plain(table: Table) -> str:
    """For a terminal: columns under each other."""
    lines = [table.columns, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    told = [_aligned(line, widths) for line in lines]
    return "\n".join([table.name, *(f"  {line}" for line in told), f"  ({table.conditions})"])


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
    return "  ".join([first.strip().ljust(widths[0]), *others]).rstrip()


def machine() -> str:
    """The processor and Python, without naming anybody's machine."""
    found = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return f"Python {platform.python_version()}, {len(found)} cores{f' ({found[0]})' if found else ''}"


def _cpuinfo() -> list[str]:
    place = Path("/proc/cpuinfo")
    return place.read_text().splitlines() if place.exists() else []


def met(value: float, aim: float, *, at_most: bool = False) -> str:
    """An aim as a cell: at least so much, or at most."""
    return f"{aim:,g}: {'met' if (value <= aim if at_most else value >= aim) else 'missed'}"
