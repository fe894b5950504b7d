"""`concierge doctor`: contacts in Intercom held against what the state says, and mended by the courier where asked for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from console.command import MISUSE, NO, complain, refusing
from console.wrapping import wrapped

if TYPE_CHECKING:
    from agents.agreement import Drift
    from agents.desired import Contact
    from agents.examination import Examination
    from agents.intercom import Difference
    from agents.settings import Settings
    from contracts.fields import Field

SAMPLE = 100  # twenty seconds of looking
HOLD_SECONDS = 10.0  # above a commit and a settle time: what is on its way has arrived when it is looked at again
MENDED = frozenset({"edited", "standing", "refused"})  # nobody brings a contact back that somebody took away

People = Annotated[
    list[str] | None, typer.Argument(metavar="[PERSON]...", help="People as decisions name them: id:42.")
]
Sample = Annotated[
    int, typer.Option("--sample", min=1, max=100_000, help="How many people are drawn, where none is named.")
]
Seed = Annotated[str, typer.Option("--seed", help="Draws the same people again. (default: others each time)")]
Mend = Annotated[bool, typer.Option("--mend", help="Ask the courier to write what differs.")]
Hold = Annotated[float, typer.Option("--hold", min=0, help="Seconds until what differs is looked at once more.")]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="The policy file. (default: CONCIERGE_POLICY_FILE)", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")]


def doctor(
    people: People = None, sample: Sample = SAMPLE, seed: Seed = "", mend: Mend = False, hold: Hold = HOLD_SECONDS,
    policy: PolicyFile = None, json: AsJson = False,
) -> None:  # fmt: skip
    """Look whether contacts in Intercom show what the state says: flags edited by hand or left standing, contacts gone.

    Reads the courier's records and commands from Kafka, then the contacts, five a second; what differs is looked at again
    after a while, so that nothing on its way is told. Writes nothing; --mend asks the courier to, which alone knows
    what is newest; contacts that are gone stay so. Exit code 1 where something differs, attributes included.

    Example: concierge doctor --sample 500
    """
    import asyncio
    import os
    import secrets

    from agents.intercom import Failure
    from agents.kafka_contacts import ask_again
    from agents.kafka_topics import Unreachable
    from agents.settings import Misconfigured, read_intercom_settings, read_settings
    from contracts.fields import manifest
    from contracts.policy import PolicyError, load
    from contracts.versions import NewerRecord

    with refusing(Misconfigured, PolicyError, Unreachable, NewerRecord, Failure):
        settings = read_settings(os.environ)
        read_intercom_settings(os.environ)
        fields = manifest(tuple(load(policy or settings.policy_file).audiences))
        draw = seed or secrets.token_hex(4)
        contacts = _contacts(settings, people or [], sample, draw)
        found = asyncio.run(_examined(settings, contacts, fields, hold))
        mended = [found.contacts[drift.person] for drift in found.sure if drift.what in MENDED]
        asked = ask_again(settings, mended) if mend and mended else 0
    if json:
        _print_json(found, asked, draw)
    else:
        _print(found, asked, draw, {field.name for field in fields if field.data_type == "date"})
        for person in people or []:
            if contacts[person].desired is None:
                typer.echo(f"{person} is erased, so that nothing is to be shown.")
    if found.sure or found.unfit:
        raise typer.Exit(NO)


def _contacts(settings: "Settings", people: list[str], sample: int, seed: str) -> "dict[str, Contact]":
    from agents.kafka_contacts import Chosen, read_contacts

    found = read_contacts(settings, Chosen(people=people, count=sample, seed=seed))
    unknown = [person for person in people if person not in found]
    if unknown:
        complain(f"{', '.join(unknown)}: nothing was ever to be shown; name people as decisions do, such as id:42")
        raise typer.Exit(MISUSE)
    return found


class Found(NamedTuple):
    """unfit: how the workspace's attributes differ. sure: what differed in both looks under the same revision.

    contacts: the records of the second look.
    """

    unfit: "tuple[Difference, ...]"
    first: "Examination"
    sure: "tuple[Drift, ...]"
    contacts: "dict[str, Contact]"


async def _examined(
    settings: "Settings", contacts: "dict[str, Contact]", fields: "tuple[Field, ...]", hold: float
) -> Found:
    import asyncio

    from agents.clock import SteadyClock
    from agents.examination import examine
    from agents.intercom import Intercom, patiently
    from agents.kafka_contacts import Chosen, read_contacts

    assert settings.intercom_token is not None, "asked for by read_intercom_settings"
    clock = settings.clock_port()
    intercom = Intercom(
        base_url=settings.intercom_address, token=settings.intercom_token.get_secret_value(),
        now_ms=SteadyClock().now_ms, others=settings.intercom_others_share,
    )  # fmt: skip
    try:
        unfit = await patiently(lambda: intercom.differences(fields))
        first = await examine(contacts, intercom, now_ms=clock.now_ms)
        if not first.drifts:
            return Found(unfit, first, (), contacts)
        await asyncio.sleep(hold)
        suspects = Chosen(people=[drift.person for drift in first.drifts])
        later = await asyncio.to_thread(read_contacts, settings, suspects)
        second = await examine(later, intercom, now_ms=clock.now_ms)
    finally:
        await intercom.close()
    still = {drift.person: drift for drift in second.drifts}
    same = [drift.person for drift in first.drifts if _same(contacts, later, drift.person)]
    return Found(unfit, first, tuple(still[person] for person in same if person in still), later)


def _same(before: "dict[str, Contact]", after: "dict[str, Contact]", person: str) -> bool:
    return person in after and before[person].revision == after[person].revision


def _print_json(found: Found, asked: int, seed: str) -> None:
    import msgspec

    told: dict[str, Any] = {
        "looked": found.first.looked, "waiting": found.first.waiting, "seed": seed, "asked_again": asked,
        "attributes": [difference._asdict() for difference in found.unfit],
        "drifts": [
            drift._asdict() | {"differs": {k: {"state": s, "intercom": i} for k, (s, i) in drift.differs.items()}}
            for drift in found.sure
        ],
    }  # fmt: skip
    typer.echo(msgspec.json.encode(told).decode())


def _print(found: Found, asked: int, seed: str, dates: set[str]) -> None:
    for difference in found.unfit:
        typer.echo(difference.sentence)
    if found.unfit:
        typer.echo("`concierge setup --check` says what helps; until then contacts cannot show what they should.\n")
    for drift in found.sure:
        typer.echo(f"{drift.what}: {drift.person}{f' ({drift.reason})' if drift.reason else ''}")
        for name, (wanted, shown) in drift.differs.items():
            said = [_spoken(value, is_date=name in dates) for value in (shown, wanted)]
            wrapped(f"{name}: Intercom shows {said[0]}, the state says {said[1]}", "  ", "    ")
    if asked:
        typer.echo(f"\nThe courier was asked to look at {asked} of them again and to write what differs.")
    if asked and asked < len(found.sure):
        typer.echo("Contacts that are not there are left so; a next moment makes them.")
    wrapped(
        f"{len(found.sure)} of {found.first.looked} contacts differ, {found.first.waiting} waited for the courier "
        f"(seed {seed})."
    )


def _spoken(value: object, *, is_date: bool) -> str:
    import msgspec

    from contracts.instant import to_rfc3339

    if value is None:
        return "nothing"
    if is_date and isinstance(value, int) and not isinstance(value, bool):
        return to_rfc3339(value * 1000)
    return msgspec.json.encode(value).decode()
