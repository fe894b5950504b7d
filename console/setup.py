"""`concierge setup`: the attributes of the Intercom workspace held against the manifest, made where missing; then the steps."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.command import NO, refusing
from console.wrapping import wrapped

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
        created, left = asyncio.run(compared(intercom, manifest(tuple(rules.audiences)), check=check))
    told = () if check else steps(rules)
    if json:
        _print_json(created, left, told)
    else:
        _print(created, left, told)
    if left:
        raise typer.Exit(NO)


async def compared(
    intercom: "Intercom",
    wanted: "tuple[Field, ...]",
    *,
    check: bool,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> "tuple[tuple[str, ...], tuple[Difference, ...]]":
    """What was created, and what differs still. Failure where Intercom cannot be asked; then `intercom` is closed, too."""
    from agents.intercom import patiently

    try:
        before = await patiently(lambda: intercom.differences(wanted), sleep=sleep)
        if check or not before:
            return (), before
        left = await patiently(lambda: _created(intercom, wanted), sleep=sleep)
    finally:
        await intercom.close()
    missed = {difference.attribute for difference in left}
    return tuple(one.attribute for one in before if one.attribute is not None and one.attribute not in missed), left


async def _created(intercom: "Intercom", wanted: "tuple[Field, ...]") -> "tuple[Difference, ...]":
    """Creates what is missing by now, so that a repeat goes on where it was broken off; what differs still."""
    made = await intercom.create(wanted, await intercom.differences(wanted))
    refused = {difference.attribute: difference for difference in made.refused}
    return tuple(refused.get(one.attribute, one) for one in await intercom.differences(wanted))


def _print_json(created: tuple[str, ...], left: "tuple[Difference, ...]", told: "tuple[Step, ...]") -> None:
    import msgspec

    found: dict[str, Any] = {
        "created": created,
        "differences": [difference._asdict() for difference in left],
        "steps": [step._asdict() for step in told],
    }
    typer.echo(msgspec.json.encode(found).decode())


def _print(created: tuple[str, ...], left: "tuple[Difference, ...]", told: "tuple[Step, ...]") -> None:
    """Differences stay one a line, for whoever searches them; what is read by people is wrapped."""
    if created:
        wrapped(f"Created {len(created)} attributes: {', '.join(created)}", "", "  ")
    for difference in left:
        remedy = f"; {difference.remedy}" if difference.remedy else ""
        typer.echo(f"differs: {difference.sentence}{remedy}")
    if any(difference.what == "missing" for difference in left):
        typer.echo("`concierge setup` creates what does not exist.")
    if not left:
        typer.echo("The attributes are as they have to be.")
    if told:
        typer.echo("\nLeft to do by hand in Intercom (its menus may have other names by now):")
    for number, step in enumerate(told, 1):
        typer.echo(f"\n{number}. {step.title}")
        for line in step.lines:
            wrapped(line, "   - ", "     ")
