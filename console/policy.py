"""`concierge policy check` and `concierge policy deploy`, and which policy stands where none is named."""

from pathlib import Path
from typing import Annotated

import typer

from console.command import OneSentence, refusing

PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="The policy file. (default: the shipped skincare.yaml)")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the policy says in short as JSON.")]

app = typer.Typer(cls=OneSentence, help="Look at policy files, and deploy one.", no_args_is_help=True)


def shipped() -> Path:
    """The policy that comes with the package, in a checkout and in an installation alike."""
    import contracts

    (room,) = contracts.__path__
    return Path(room).parent / "policies" / "skincare.yaml"


@app.callback()
def _policy() -> None:
    """Look at policy files, and deploy one."""


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


@app.command()
def deploy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy file.")], json: AsJson = False
) -> None:
    """Let a policy rule from now on, in all workers at the same place of the log.

    Settings are those of `concierge work`. Running moments go on by the new rules or end, as its `on_change` says. Put the
    file also where CONCIERGE_POLICY_FILE points, since a worker takes its settle time and Intercom's attributes from there.

    Example: CONCIERGE_KAFKA_BOOTSTRAP=localhost:9092 concierge policy deploy policies/skincare.yaml
    """
    import os

    from agents import deployment
    from agents.kafka_topics import Unreachable
    from agents.settings import Misconfigured, read_settings
    from contracts.instant import to_rfc3339
    from contracts.policy import PolicyError

    with refusing(PolicyError, Misconfigured, Unreachable, deployment.NotDeployed):
        done = deployment.deploy(file, read_settings(os.environ))
    at = to_rfc3339(done.at_ms)
    if json:
        import msgspec

        told = {"policy": done.policy, "at": at, "partitions": done.partitions, "registered": done.registered}
        typer.echo(msgspec.json.encode(told).decode())
        return
    typer.echo(f"policy {done.policy} rules from {at} on, in all {done.partitions} partitions")
    if done.registered is None:
        typer.echo("CONCIERGE_INTERCOM_TOKEN is not set, so no attribute was registered in Intercom")
