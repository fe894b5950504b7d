"""`concierge policy check`, `diff` and `deploy`, and which policy stands where none is named."""

from pathlib import Path
from typing import Annotated

import typer

from console.command import NO, OneSentence, refusing

PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="The policy file. (default: the shipped skincare.yaml)")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the policy says in short as JSON.")]

History = Annotated[
    str | None, typer.Option("--history", help="A history, as `concierge backtest` reads them, to count moments in.")
]
Limit = Annotated[
    float, typer.Option("--limit", min=0, help="The share by which an audience's moments may grow or shrink.")
]

app = typer.Typer(cls=OneSentence, help="Look at policy files, compare them, and deploy one.", no_args_is_help=True)


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
def diff(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="The policy as it is.")],
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="The policy as it might be.")],
    history: History = None,
    from_: Annotated[str | None, typer.Option("--from", help="Count moments from this instant on.")] = None,
    limit: Limit = 0.2,
    json: AsJson = False,
) -> None:
    """What one policy says otherwise than another and, with a history, how many moments that moves.

    Exit code 1 where a history shows a move beyond the limit.

    Example: concierge policy diff policies/skincare.yaml new.yaml --history events.jsonl
    """
    from console import gate
    from console.inputs import instant, refusals
    from contracts.policy import PolicyError, load
    from contracts.policy_changes import changes

    with refusing(PolicyError, ValueError, *refusals()):
        policies = load(base), load(candidate)
        found = changes(base.read_text(encoding="utf-8"), candidate.read_text(encoding="utf-8"))
        from_ms = instant("--from", from_) if from_ is not None else None
        measured = gate.measure(history, *policies, from_ms=from_ms, limit=limit) if history is not None else None
    moved = measured.moved if measured is not None else []
    if json:
        import msgspec

        told = {"changes": [change._asdict() for change in found], "moved": [one._asdict() for one in moved]}
        typer.echo(msgspec.json.encode(told | {"entrants": measured.told["entrants"] if measured else None}).decode())
    else:
        for change in found:
            typer.echo(f"{change.path}: {change.base} -> {change.candidate}")
        if not found:
            typer.echo("They say the same.")
        if measured is not None:
            gate.tell(measured, limit)
    if moved:
        raise typer.Exit(NO)


@app.command()
def deploy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy file.")],
    accept: Annotated[
        bool, typer.Option("--accept", help="Deploy without asking how many moments it would move.")
    ] = False,
    days: Annotated[int, typer.Option("--days", min=1, help="The last days whose moments are compared.")] = 7,
    warm_up: Annotated[
        str, typer.Option("--warm-up", help="How long before them the log is read, to know people.")
    ] = "30d",
    limit: Limit = 0.2,
    history: History = None,
    json: AsJson = False,
) -> None:
    """Let a policy rule from now on, in all workers at the same place of the log.

    Before, the last days of the log are judged by it and by the policy in force. Where an audience would have more or fewer
    moments than the limit allows, nothing is deployed (exit code 1), unless with --accept.

    Settings are those of `concierge work`. Running moments go on by the new rules or end, as its `on_change` says. Put the
    file also where CONCIERGE_POLICY_FILE points, since a worker takes its settle time and Intercom's attributes from there.

    Example: CONCIERGE_KAFKA_BOOTSTRAP=localhost:9092 concierge policy deploy policies/skincare.yaml
    """
    import os

    from agents import deployment
    from agents.settings import read_settings
    from console import gate
    from console.inputs import refusals
    from contracts.instant import to_rfc3339
    from contracts.policy import PolicyError, load
    from contracts.policy_values import span_ms

    with refusing(PolicyError, ValueError, deployment.NotDeployed, *refusals()):
        settings, candidate = read_settings(os.environ), load(file)
        if not accept:
            gate.keep(file, candidate, settings, days, span_ms(warm_up), limit, history, quiet=json)
        done = deployment.deploy(file, settings)
    at = to_rfc3339(done.at_ms)
    if json:
        import msgspec

        told = {"policy": done.policy, "at": at, "partitions": done.partitions, "registered": done.registered}
        typer.echo(msgspec.json.encode(told).decode())
        return
    typer.echo(f"policy {done.policy} rules from {at} on, in all {done.partitions} partitions")
    if done.registered is None:
        typer.echo("CONCIERGE_INTERCOM_TOKEN is not set, so no attribute was registered in Intercom")
