"""Registers the attributes of the manifest: reads what exists, creates what is missing, changes and deletes nothing.

Creating before the first write matters: an unknown attribute makes Intercom refuse the whole write.
"""

from agents.intercom.attributes import Difference, compare
from agents.intercom.failures import Refused, Unfit
from agents.intercom.line import Line
from contracts.fields import Field


async def register(line: Line, manifest: tuple[Field, ...]) -> tuple[str, ...]:
    """Names that were created, in the manifest's order. Unfit where an operator has to act; other Failures as they come."""
    differences = await look(line, manifest)
    for difference in differences:
        if difference.remedy is not None:
            raise Unfit(f"{difference.sentence}: {difference.remedy}")
    return await create(line, manifest, differences)


async def look(line: Line, manifest: tuple[Field, ...]) -> tuple[Difference, ...]:
    """What differs now; changes nothing."""
    answer = await line.call("GET", "/data_attributes?model=contact&include_archived=true")
    return compare(manifest, answer.get("data", []))


async def create(line: Line, manifest: tuple[Field, ...], differences: tuple[Difference, ...]) -> tuple[str, ...]:
    """Creates what is missing, nothing where the limit forbids all of it, and returns the names that were created."""
    if any(difference.what == "limit" for difference in differences):
        return ()
    missing = {difference.attribute for difference in differences if difference.what == "missing"}
    return tuple([field.name for field in manifest if field.name in missing and await _create(line, field)])


async def _create(line: Line, field: Field) -> bool:
    """False where another worker created it meanwhile."""
    body = {
        "name": field.name, "model": "contact", "data_type": field.data_type,
        "description": field.description, "messenger_writable": False,
    }  # fmt: skip
    try:
        await line.call("POST", "/data_attributes", body)
    except Refused as refused:
        if await look(line, (field,)):
            raise Unfit(f"Intercom does not accept the attribute {field.name} ({refused.reason})") from refused
        return False
    return True
