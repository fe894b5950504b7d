"""`concierge rehearse`: persona files through the real thinking and a rehearsal Intercom."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.command import NO, refusing
from console.policy import PolicyFile, shipped

if TYPE_CHECKING:
    from rehearsal.stage import Performance

Target = Annotated[Path, typer.Argument(metavar="FILE|DIR", help="A persona file, or a folder of them.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def rehearse(target: Target, policy: PolicyFile = None, json: AsJson = False) -> None:
    """Play personas and compare what was decided and shown with what they expect.

    No Kafka and no Intercom are needed. Exit code 1 when a persona fails: expected stands beside actual.

    Example: concierge rehearse tests/personas --policy policies/skincare.yaml
    """
    import asyncio

    from contracts.policy import PolicyError, load
    from rehearsal import persona, stage

    with refusing(PolicyError, persona.PersonaError):
        rules = load(policy or shipped())
        personas = [persona.load(file, attributes=stage.attributes(rules)) for file in persona.find(target)]

    async def perform() -> list["Performance"]:
        return [await stage.perform(one, rules) for one in personas]

    performances = asyncio.run(perform())
    if json:
        import msgspec

        typer.echo(msgspec.json.encode(_told(performances)).decode())
    else:
        _print(performances)
    if not all(performance.passed for performance in performances):
        raise typer.Exit(NO)


def _told(performances: "list[Performance]") -> dict[str, Any]:
    return {
        "passed": sum(performance.passed for performance in performances),
        "failed": sum(not performance.passed for performance in performances),
        "personas": [
            {
                "persona": performance.persona.name,
                "file": str(performance.persona.path),
                "passed": performance.passed,
                "compared": [line._asdict() for line in performance.lines],
                "rejected": performance.rejected,
                "refused": performance.refused,
                "decisions": performance.decisions,
            }
            for performance in performances
        ],
    }


def _print(performances: "list[Performance]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for performance in performances:
        mark = Text("passed ", "green") if performance.passed else Text("FAILED ", "red bold")
        console.print(mark + Text(f"{performance.persona.name} ({performance.persona.path})", ""), soft_wrap=True)
        if performance.rejected:
            console.print(f"  not readable, so in quarantine: {', '.join(performance.rejected)}", highlight=False)
        for refusal in performance.refused:
            console.print(f"  Intercom: {refusal}", highlight=False)
        if performance.passed:
            continue
        table = Table("", "place", "expected", "actual")
        for line in performance.lines:
            sides = (side if side is not None else "nothing" for side in (line.expected, line.actual))
            table.add_row(*map(Text, ("" if line.held else "!", line.place, *sides)), style="" if line.held else "red")
        console.print(table)
    failed = sum(not performance.passed for performance in performances)
    console.print(f"{len(performances) - failed} passed, {failed} failed", highlight=False)
