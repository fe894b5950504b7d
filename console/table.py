"""Tables in a terminal of any width: words may wrap, a name or a number is never cut.

A table that is too wide loses its frame, and in the end is wider than the terminal, before it loses anything that it says.
"""

from rich import box
from rich.console import Console
from rich.table import Column, Table


def name(head: str = "") -> Column:
    """A column of names, or of bars."""
    return Column(head, no_wrap=True)


def number(head: str) -> Column:
    return Column(head, justify="right", no_wrap=True)


def words(head: str = "") -> Column:
    return Column(head, overflow="fold")


def say(console: Console, sentence: str, *, style: str = "") -> None:
    """Wrapped between words for whoever looks on; one line where it is kept or searched."""
    console.print(sentence, style=style, markup=False, emoji=False, soft_wrap=not console.is_terminal)


def show(console: Console, table: Table) -> None:
    """table: of strings, its columns made above."""
    least = sum(map(_least, table.columns))
    if least + 3 * len(table.columns) + 1 > console.width:
        table.box, table.show_edge, table.padding = box.MINIMAL, False, (0, 0)
    width, console.width = console.width, max(console.width, least + len(table.columns) - 1)
    console.print(table)
    console.width = width


def _least(column: Column) -> int:
    """Cells that the column cannot do without: the longest line, or where words wrap the longest word."""
    told = [str(cell) for cell in (column.header, *column.cells)]
    parts = [part for cell in told for part in (cell.split("\n") if column.no_wrap else cell.split())]
    return max(map(len, parts), default=0)
