"""`concierge backtest`: a history judged by a policy; nothing is sent."""

from pathlib import Path
from typing import Annotated, Any

import typer

from console.command import refusing
from console.inputs import Input, instant, reader, refusals
from console.policy import PolicyFile, shipped
from console.progress import bars

Out = Annotated[Path, typer.Option("--out", help="Folder for decisions.jsonl and summary.json.")]
Until = Annotated[
    str | None, typer.Option("--until", help="Run time on to this instant, included. (default: the last call)")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


def backtest(source: Input, out: Out, policy: PolicyFile = None, until: Until = None, json: AsJson = False) -> None:
    """Replay a history through the thinking. Sends nothing, ever.

    Time is taken from the history: a file's calls are accepted when they occurred, a topic's when they were accepted.
    A topic is read to the end that it has at the start, and nobody who works with it notices. What cannot be read goes
    to DIR/quarantine.jsonl.

    Example: concierge backtest events.jsonl --policy policies/skincare.yaml --until 2019-10-02T00:00:00Z --out result/
    """
    import msgspec

    from backtests.backtest import run
    from contracts.policy import PolicyError, load

    with refusing(ValueError):
        until_ms = instant("--until", until) if until is not None else None
    with refusing(PolicyError, *refusals()):
        rules, read = load(policy or shipped()), reader(source)
        with bars("reading", "judging") as (reading, judging):
            told = run(read, rules, out=out, until_ms=until_ms, reading=reading, judging=judging)
    if json:
        typer.echo(msgspec.json.encode(told).decode())
    else:
        _print(told, out)


def _print(told: dict[str, Any], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(
        f"{told['calls']} calls of {told['people']} people, {told['first']} to {told['until']}", highlight=False
    )
    table = Table("audience", "outcome", "reason", "decisions")
    for audience, counts in told["audiences"].items():
        for outcome in ("activated", "withheld", "withdrawn"):
            for reason, count in counts.get(outcome, {}).items():
                table.add_row(audience, outcome, reason, str(count))
    if told["decisions"]:
        console.print(table)
    else:
        console.print("No decision: nobody was in a moment.")
    for trouble in told["troubles"]:
        span = f"from {trouble['from']} to {trouble['until'] or 'the end'}"
        console.print(
            f"Not to be trusted {span}: {trouble['input']} ({trouble['what']})", highlight=False, soft_wrap=True
        )
    for reason, count in told["rejected"].items():
        console.print(f"{count} lines in quarantine: {reason}", highlight=False)
    console.print(f"Written to {out}", highlight=False, soft_wrap=True)
