"""`concierge import`: a shop's past as Customer.io calls."""

from pathlib import Path
from typing import Annotated

import typer

from console.command import complain, refusing
from console.progress import bars

Words = Annotated[
    list[str],
    typer.Argument(metavar="[PRESET] FILE", help="A preset (rees46, online-retail) and the CSV or Parquet file."),
]
Out = Annotated[Path, typer.Option("--out", help="The calls, one JSON object a line; gzip where it ends in .gz.")]
MappingFile = Annotated[
    Path | None, typer.Option("--mapping", help="YAML that says which column means what, instead of a preset.")
]
Rejects = Annotated[
    Path | None, typer.Option("--rejects", help="Rows that cannot be told. (default: OUT.rejects.jsonl)")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")]


def import_(words: Words, out: Out, mapping: MappingFile = None, rejects: Rejects = None, json: AsJson = False) -> None:
    """Turn a click-stream or an order history into Customer.io calls.

    The file is CSV or Parquet, gzip too. Rows that cannot be told go to the rejects file with their line and reason.

    Example: concierge import rees46 2019-Oct.csv.gz --out events.jsonl

    Example: concierge import --mapping map.yaml orders.csv --out events.jsonl
    """
    from backtests import importing
    from backtests.mapping import PRESETS, MappingError, load
    from backtests.tables import TableError

    *preset, name = words
    if mapping is None and (len(preset) != 1 or preset[0] not in PRESETS):
        complain(f"name a preset ({', '.join(PRESETS)}) and a file, or a file and --mapping MAP.yaml")
        raise typer.Exit(2)
    if mapping is not None and preset:
        complain("give either a preset or --mapping, and one file")
        raise typer.Exit(2)
    source, refused = Path(name), rejects or out.with_name(f"{out.name}.rejects.jsonl")
    with refusing(MappingError, TableError), bars("reading") as (reading,):
        columns = load(mapping) if mapping is not None else PRESETS[preset[0]]
        told = importing.write(source, columns, out=out, rejects=refused, progress=reading)
    _print(told._asdict() | {"out": str(out), "rejects": str(refused) if told.rejected else None}, json)


def _print(told: dict[str, object], as_json: bool) -> None:
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(told).decode())
        return
    typer.echo(f"{told['rows']} rows read, {told['calls']} calls written to {told['out']}")
    if told["first"]:
        typer.echo(f"from {told['first']} to {told['last']}")
    if told["rejected"]:
        typer.echo(f"{told['rejected']} rows rejected, with line and reason in {told['rejects']}")
    skipped = told["skipped"]
    assert isinstance(skipped, dict)
    for reason, count in skipped.items():
        typer.echo(f"{count} rows left out: {reason}")
