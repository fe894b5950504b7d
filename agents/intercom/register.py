"""Registers the attributes of the manifest: reads what exists, creates what is missing, fails on what does not fit.

Creating before the first write matters: an unknown attribute makes Intercom refuse the whole write.
"""

from typing import Any

from agents.intercom.failures import Refused, Unfit
from agents.intercom.line import Line
from contracts.fields import CUSTOM_ATTRIBUTES_MAX, Field


async def register(line: Line, manifest: tuple[Field, ...]) -> tuple[str, ...]:
    """Names that were created, in the manifest's order. Unfit where an operator has to act; other Failures as they come."""
    existing = await _existing(line)
    missing = _missing(manifest, existing)
    used = sum(1 for found in existing.values() if not found.get("archived"))
    if used + len(missing) > CUSTOM_ATTRIBUTES_MAX:
        raise Unfit(
            f"the workspace has {used} custom attributes and {len(missing)} more are needed, beyond Intercom's "
            f"{CUSTOM_ATTRIBUTES_MAX}: archive some that nobody uses"
        )
    created = [field.name for field in missing if await _create(line, field)]
    return tuple(created)


async def _existing(line: Line) -> dict[str, dict[str, Any]]:
    answer = await line.call("GET", "/data_attributes?model=contact&include_archived=true")
    return {found["name"]: found for found in answer.get("data", []) if found.get("custom")}


def _missing(manifest: tuple[Field, ...], existing: dict[str, dict[str, Any]]) -> list[Field]:
    missing = []
    for field in manifest:
        found = existing.get(field.name)
        if found is None:
            missing.append(field)
            continue
        if found.get("archived"):
            raise Unfit(f"the attribute {field.name} is archived in Intercom: restore it there")
        if found.get("data_type") != field.data_type:
            raise Unfit(
                f"the attribute {field.name} is {found.get('data_type')} in Intercom and must be {field.data_type}: "
                "a type cannot be changed, so give the attribute a new name with a version suffix"
            )
        if found.get("api_writable") is False:
            raise Unfit(f"the attribute {field.name} cannot be written through the API: archive it or free the name")
    return missing


async def _create(line: Line, field: Field) -> bool:
    """False where another worker created it meanwhile."""
    body = {
        "name": field.name, "model": "contact", "data_type": field.data_type,
        "description": field.description, "messenger_writable": False,
    }  # fmt: skip
    try:
        await line.call("POST", "/data_attributes", body)
    except Refused as refused:
        if _missing((field,), await _existing(line)):
            raise Unfit(f"Intercom does not accept the attribute {field.name} ({refused.reason})") from refused
        return False
    return True
