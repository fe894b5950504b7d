"""`concierge explain`: why is, or was, this person in a moment, and what did Intercom make of it?"""

from pathlib import Path
from typing import Annotated

import typer

from console.command import MISUSE, NO, complain, refusing

Person = Annotated[
    str, typer.Argument(metavar="PERSON", help="As decisions name them: id:42, cio:..., email:..., anon:...")
]
Source = Annotated[
    str | None,
    typer.Argument(
        metavar="[INPUT]",
        help="An archive, decisions.jsonl, or a history as `concierge backtest` reads them. (default: the worker's own Kafka)",
    ),
]
PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        help="Tell what this policy makes of the history. (default: what was decided; of calls, the shipped policy)",
        show_default=False,
    ),
]
At = Annotated[
    str | None, typer.Option("--at", help="Tell it as of this instant, included. (default: now, or the end)")
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Look from this instant on, which reads less of a long log; earlier beginnings and joined keys are not known then.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the story as JSON.")]


def explain(
    person: Person,
    source: Source = None,
    policy: PolicyFile = None,
    from_: From = None,
    at: At = None,
    json: AsJson = False,
) -> None:
    """Say whether a person is in a moment, why, until when, and what Intercom made of it; then every decision before.

    Reads the person's own partitions of the log, the decisions and the commands; settings are those of `concierge work`. All
    keys of the person count, whichever is named. The output is personal data. Exit code 1 where nothing is known.

    Example: concierge explain id:42

    A moment of last week: concierge explain email:ada@example.com archive/ --at 2026-11-20T14:00:00Z

    Of a long log only the last week: concierge explain id:42 --from 2026-11-22T00:00:00Z

    Under another policy: concierge explain id:42 events.jsonl --policy new.yaml
    """
    from backtests.story import story
    from console.explain_sources import gather, why_absent, wrong
    from console.inputs import instant
    from contracts.person_key import NOT_NAMED, named

    key = named(person)
    if key is None:
        complain(f"PERSON: {NOT_NAMED}")
        raise typer.Exit(MISUSE)
    with refusing(ValueError):
        from_ms = instant("--from", from_) if from_ is not None else None
        at_ms = instant("--at", at) if at is not None else None
        if from_ms is not None and at_ms is not None and from_ms > at_ms:
            raise ValueError("--from: must not be later than --at")
    with refusing(*wrong()):
        found = gather(key, source, policy, from_ms=from_ms, at_ms=at_ms)
        as_of_ms = found.as_of_ms if at_ms is None else at_ms
        told = story(found.trail, as_of_ms, from_ms=from_ms)
        if told["now"] in ("out", "never"):
            why_absent(found, at_ms=as_of_ms)
            told = story(found.trail, as_of_ms, from_ms=from_ms)
    if json:
        import msgspec

        typer.echo(msgspec.json.encode(told).decode())
    else:
        import shutil
        import sys

        from console.explain_text import text

        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        typer.echo(text(told, columns=columns))
    if told["now"] == "unknown":
        raise typer.Exit(NO)
