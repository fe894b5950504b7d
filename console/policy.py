"""`concierge policy check`, and which policy stands where none is named."""

from pathlib import Path
from typing import Annotated

import typer

from console.command import OneSentence, refusing

PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="The policy file. (default: the shipped skincare.yaml)")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the policy says in short as JSON.")]

app = typer.Typer(cls=OneSentence, help="Look at policy files.", no_args_is_help=True)


def shipped() -> Path:
    """The policy that comes with the package, in a checkout and in an installation alike."""
    import contracts

    (room,) = contracts.__path__
    return Path(room).parent / "policies" / "skincare.yaml"


@app.callback()
def _policy() -> None:
    """Look at policy files."""


@app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy file.")], json: AsJson = False) -> None:
    """Say whether a policy makes sense; each problem with file, line and remedy.

    Example: concierge policy check policies/skincare.yaml
    """
    from contracts.policy import PolicyError, load

    with refusing(PolicyError):
        rules = load(file)
    audiences = [name for name, _ in rules.by_priority]
    if json:
        import msgspec

        typer.echo(msgspec.json.encode({"policy": rules.hash, "audiences": audiences}).decode())
    else:
        typer.echo(f"{file} makes sense: policy {rules.hash} with {len(audiences)} audiences, highest first:")
        for name in audiences:
            typer.echo(f"  {name}")
