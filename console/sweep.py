"""A sweep of `concierge compare`: one table and one picture of a policy with some of its numbers changed."""

from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from console.command import MISUSE, complain
from console.inputs import opened, reader
from console.progress import bars
from console.table import name, number, show

BAR_CELLS = 16
FIGURES = {
    "entrants": "moments",
    "people": "people",
    "activated": "for agents",
    "purchased": "bought",
    "per_hour_p95": "p95 an hour",
}


def run(
    source: str, base: Path, asked: list[str], span: tuple[int | None, int | None], html: Path | None, json: bool
) -> None:
    """SweepError, PolicyError, and what reading refuses."""
    import tempfile

    import msgspec

    from backtests.sweep import keep, sweep, told
    from backtests.variants import axes, variants
    from contracts.policy import load

    load(base)
    swept = axes(base, asked)
    tried = list(variants(base, swept))
    read = reader(source)
    with bars("reading", "trying variants") as (reading, trying), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history"
        with opened(read, reading) as history:
            keep(history.signals(), path)
        rows = told(sweep(tried, path, from_ms=span[0], until_ms=span[1], progress=trying))
    names = [axis.name for axis in swept]
    if html is not None:
        try:
            html.write_text(page(names, rows), encoding="utf-8")
        except OSError as error:
            complain(f"{html}: cannot be written ({error.strerror or error}); choose another --html")
            raise typer.Exit(MISUSE) from None
    if json:
        typer.echo(msgspec.json.encode({"axes": names, "variants": rows}).decode())
    else:
        _show(names, rows)


def _show(names: list[str], rows: list[dict[str, Any]]) -> None:
    most = max((row["entrants"] for row in rows), default=0)
    figures = (number(words.replace(" ", "\n")) for words in FIGURES.values())
    table = Table(*map(number, _heads(names)), *figures, name())
    for row in rows:
        values = [row["values"][axis] for axis in names]
        if row["refusal"] is not None:
            table.add_row(*values, *[""] * len(FIGURES), "makes no sense")
            continue
        bar = "█" * round(BAR_CELLS * row["entrants"] / most) if most else ""
        table.add_row(*values, *(f"{row[figure]:,}" for figure in FIGURES), bar)
    show(Console(highlight=False), table)


def _heads(names: list[str]) -> list[str]:
    """Without the audience, unless two would be called alike; one word a line."""
    short = [one.rpartition(".")[2] for one in names]
    heads = short if len(set(short)) == len(short) else names
    return [head.replace("_", "_\n").replace(".", ".\n") for head in heads]


def page(names: list[str], rows: list[dict[str, Any]]) -> str:
    """The table and a map of the moments: the last number along the top, the others down the side. Nothing is fetched."""
    from console.page import page as rendered

    across = list(dict.fromkeys(row["values"][names[-1]] for row in rows))
    down: dict[str, dict[str, Any]] = {}
    for row in rows:
        label = ", ".join(row["values"][name] for name in names[:-1]) or "moments"
        down.setdefault(label, {})[row["values"][names[-1]]] = row
    most = max((row["entrants"] for row in rows), default=0)
    return rendered("sweep.html.j2", names=names, rows=rows, across=across, down=down, most=most, figures=FIGURES)
