"""Registers the attributes of the manifest: reads what exists, creates what is missing, changes and deletes nothing.

Creating before the first write matters: an unknown attribute makes Intercom refuse the whole write.
"""

from typing import NamedTuple

from agents.intercom import attributes
from agents.intercom.attributes import Difference, compare
from agents.intercom.failures import Refused, Unfit
from agents.intercom.line import Line
from contracts.fields import Field


class Made(NamedTuple):
    """names: of the attributes that exist now, in the manifest's order. refused: what Intercom does not accept."""

    names: tuple[str, ...]
    refused: tuple[Difference, ...]


async def register(line: Line, manifest: tuple[Field, ...]) -> tuple[str, ...]:
    """Names that were created, in the manifest's order. Unfit where an operator has to act; other Failures as they come."""
    differences = await look(line, manifest)
    _raise_unfit(differences)
    made = await create(line, manifest, differences)
    _raise_unfit(made.refused)
    return made.names


async def look(line: Line, manifest: tuple[Field, ...]) -> tuple[Difference, ...]:
    """What differs now; changes nothing."""
    answer = await line.call("GET", "/data_attributes?include_archived=true")
    return compare(manifest, answer.get("data", []))


async def create(line: Line, manifest: tuple[Field, ...], differences: tuple[Difference, ...]) -> Made:
    """Creates what is missing, nothing where the limit forbids all of it. One that is refused holds up no other."""
    if any(difference.what == "limit" for difference in differences):
        return Made((), ())
    missing = {difference.attribute for difference in differences if difference.what == "missing"}
    names: list[str] = []
    refusals: list[Difference] = []
    for field in manifest:
        if field.name in missing:
            refusal = await _create(line, field)
            if refusal is None:
                names.append(field.name)
            else:
                refusals.append(refusal)
    return Made(tuple(names), tuple(refusals))


async def _create(line: Line, field: Field) -> Difference | None:
    """Why Intercom does not accept it; None where it exists now, also where another worker has just created it."""
    body = {
        "name": field.name, "model": "contact", "data_type": field.data_type,
        "description": field.description, "messenger_writable": False,
    }  # fmt: skip
    try:
        await line.call("POST", "/data_attributes", body)
    except Refused as refused:
        if await look(line, (field,)):
            return attributes.refused(field, refused.reason)
    return None


def _raise_unfit(differences: tuple[Difference, ...]) -> None:
    for difference in differences:
        if difference.remedy is not None:
            raise Unfit(f"{difference.sentence}: {difference.remedy}")
