"""`concierge archive`: the log and the decisions as Parquet files, for a warehouse and for replays beyond Kafka's retention."""

from pathlib import Path
from typing import Annotated

import typer

from console.command import refusing
from console.inputs import refusals, settings_of

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the archive; the next run goes on in it.")]
Every = Annotated[
    str | None, typer.Option("--every", help="Go on for ever, and archive what is new so often, such as 15m.")
]
OverGaps = Annotated[
    bool, typer.Option("--over-gaps", help="Go on where Kafka has deleted records that were not archived.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")]


def archive(folder: Folder, every: Every = None, over_gaps: OverGaps = False, json: AsJson = False) -> None:
    """Write what is new in `signals` and `decisions` to DIR/<topic>/day=<day>/*.parquet (zstd).

    Settings are those of `concierge work`. It may be stopped at any time: no record is lost or stands twice.

    Example: concierge archive /var/lib/concierge/archive --every 15m
    """
    import time

    from agents import archivist
    from contracts.policy_values import span_ms

    with refusing(archivist.NotArchived, ValueError, *refusals()):
        pause_ms = span_ms(every) if every is not None else None
        settings = settings_of(None)
        while True:
            done = archivist.archive(settings, folder, over_gaps=over_gaps)
            _tell(done.files, done.rows, folder, json)
            if pause_ms is None:
                return
            time.sleep(pause_ms / 1000)


def _tell(files: dict[str, int], rows: dict[str, int], folder: Path, json: bool) -> None:
    if json:
        import msgspec

        typer.echo(msgspec.json.encode({"files": files, "rows": rows}).decode())
        return
    told = " and ".join(f"{rows[topic]:,} {topic} in {files[topic]} files" for topic in rows)
    typer.echo(f"{told} written to {folder}")
