"""How the attributes of a workspace differ from the manifest, and what to do about each difference. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from contracts.fields import CUSTOM_ATTRIBUTES_MAX, Field

What = Literal["missing", "archived", "type", "not_writable", "limit"]


class Difference(NamedTuple):
    """attribute: None for what concerns the workspace. remedy: what an operator has to do; None where we create it."""

    attribute: str | None
    what: What
    sentence: str
    remedy: str | None


def compare(manifest: tuple[Field, ...], listed: Iterable[Mapping[str, Any]]) -> tuple[Difference, ...]:
    """Differences in the manifest's order, the limit last. listed: `data` of Intercom's list, archived ones included."""
    existing = {str(found.get("name")): found for found in listed if found.get("custom")}
    differences = [found for field in manifest if (found := _difference(field, existing.get(field.name))) is not None]
    used = sum(1 for found in existing.values() if not found.get("archived"))
    missing_count = sum(1 for difference in differences if difference.what == "missing")
    if missing_count and used + missing_count > CUSTOM_ATTRIBUTES_MAX:
        sentence = (
            f"the workspace has {used} custom attributes and {missing_count} more are needed, beyond Intercom's "
            f"{CUSTOM_ATTRIBUTES_MAX}"
        )
        differences.append(Difference(None, "limit", sentence, "archive some that nobody uses"))
    return tuple(differences)


def _difference(field: Field, found: Mapping[str, Any] | None) -> Difference | None:
    name = field.name
    if found is None:
        return Difference(name, "missing", f"the attribute {name} ({field.data_type}) does not exist", None)
    if found.get("archived"):
        return Difference(name, "archived", f"the attribute {name} is archived in Intercom", "restore it there")
    if found.get("data_type") != field.data_type:
        sentence = f"the attribute {name} is {found.get('data_type')} in Intercom and must be {field.data_type}"
        remedy = "a type cannot be changed, so give the attribute a new name with a version suffix"
        return Difference(name, "type", sentence, remedy)
    if found.get("api_writable") is False:
        sentence = f"the attribute {name} cannot be written through the API"
        return Difference(name, "not_writable", sentence, "archive it or free the name")
    return None
