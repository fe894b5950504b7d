"""`concierge setup`: the attributes of the Intercom workspace held against the manifest, made where missing; then the steps."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.command import NO, refusing

if TYPE_CHECKING:
    from agents.intercom import Difference, Intercom
    from console.intercom_steps import Step
    from contracts.fields import Field

Check = Annotated[bool, typer.Option("--check", help="Change nothing; say what differs.")]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="The policy file. (default: CONCIERGE_POLICY_FILE)", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print differences and steps as JSON.")]


def setup(check: Check = False, policy: PolicyFile = None, json: AsJson = False) -> None:
    """Make the contact attributes that Intercom lacks, and say what is left to do there by hand.

    Nothing is ever retyped, renamed, archived or deleted. Needs CONCIERGE_INTERCOM_TOKEN and, outside of the US,
    CONCIERGE_INTERCOM_REGION; no Kafka. Exit code 1 while an attribute differs from what the policy needs, which
    makes `--check` fit for CI.

    Example: CONCIERGE_INTERCOM_TOKEN_FILE=token.txt concierge setup --check --policy policies/skincare.yaml
    """
    import asyncio
    import os

    from agents.clock import SteadyClock
    from agents.intercom import Failure, Intercom
    from agents.settings import Misconfigured, read_intercom_settings
    from console.intercom_steps import steps
    from contracts.fields import manifest
    from contracts.policy import PolicyError, load

    with refusing(Misconfigured, PolicyError, Failure):
        settings = read_intercom_settings(os.environ)
        rules = load(policy or settings.policy_file)
        assert settings.intercom_token is not None, "asked for by read_intercom_settings"
        intercom = Intercom(
            base_url=settings.intercom_address, token=settings.intercom_token.get_secret_value(),
            now_ms=SteadyClock().now_ms, others=settings.intercom_others_share,
        )  # fmt: skip
        created, left = asyncio.run(_compared(intercom, manifest(tuple(rules.audiences)), check=check))
    told = () if check else steps(rules)
    if json:
        _print_json(created, left, told)
    else:
        _print(created, left, told)
    if left:
        raise typer.Exit(NO)


async def _compared(
    intercom: "Intercom", wanted: "tuple[Field, ...]", *, check: bool
) -> "tuple[tuple[str, ...], tuple[Difference, ...]]":
    """What was created, and what differs still."""
    try:
        differences = await intercom.differences(wanted)
        if check or not differences:
            return (), differences
        created = await intercom.create(wanted, differences)
        return created, await intercom.differences(wanted)
    finally:
        await intercom.close()


def _print_json(created: tuple[str, ...], left: "tuple[Difference, ...]", told: "tuple[Step, ...]") -> None:
    import msgspec

    found: dict[str, Any] = {
        "created": created,
        "differences": [difference._asdict() for difference in left],
        "steps": [step._asdict() for step in told],
    }
    typer.echo(msgspec.json.encode(found).decode())


def _print(created: tuple[str, ...], left: "tuple[Difference, ...]", told: "tuple[Step, ...]") -> None:
    for name in created:
        typer.echo(f"created: {name}")
    for difference in left:
        typer.echo(f"differs: {difference.sentence}; {difference.remedy or '`concierge setup` creates it'}")
    if not left:
        typer.echo("The attributes are as they have to be.")
    for number, step in enumerate(told, 1):
        typer.echo(f"\n{number}. {step.title}")
        for line in step.lines:
            typer.echo(f"   - {line}")
