"""How the attributes of a workspace differ from the manifest, and what to do about each difference. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from contracts.fields import CUSTOM_ATTRIBUTES_MAX, Field, is_flag

What = Literal["missing", "archived", "type", "not_writable", "taken", "refused", "limit"]


class Difference(NamedTuple):
    """attribute: None for what concerns the workspace. remedy: what an operator has to do; None where we create it."""

    attribute: str | None
    what: What
    sentence: str
    remedy: str | None


def compare(manifest: tuple[Field, ...], listed: Iterable[Mapping[str, Any]]) -> tuple[Difference, ...]:
    """Differences in the manifest's order, the limit last.

    listed: `data` of Intercom's list of all attributes, those of companies and archived ones included: a name is given
    once in a workspace, and the limit counts both.
    """
    custom = sorted((found for found in listed if found.get("custom")), key=_live)  # of two the live one counts
    companies = {str(found.get("name")) for found in custom if found.get("model") == "company"}
    existing = {str(found.get("name")): found for found in custom if found.get("model") != "company"}
    differences = [
        found for field in manifest if (found := _difference(field, existing.get(field.name), companies)) is not None
    ]
    used = sum(map(_live, custom))
    missing_count = sum(1 for difference in differences if difference.what == "missing")
    if missing_count and used + missing_count > CUSTOM_ATTRIBUTES_MAX:
        sentence = (
            f"the workspace has {used} custom attributes and {missing_count} more are needed, beyond Intercom's "
            f"{CUSTOM_ATTRIBUTES_MAX}"
        )
        differences.append(Difference(None, "limit", sentence, "archive some that nobody uses"))
    return tuple(differences)


def refused(field: Field, reason: str) -> Difference:
    """What Intercom says no to when it is to be created. reason: its own word."""
    sentence = f"attribute {field.name} is not accepted by Intercom ({reason})"
    return Difference(field.name, "refused", sentence, _renamed(field))


def _live(found: Mapping[str, Any]) -> bool:
    return not found.get("archived")


def _difference(field: Field, found: Mapping[str, Any] | None, companies: set[str]) -> Difference | None:
    name = field.name
    if found is None and name in companies:
        return Difference(name, "taken", f"attribute {name} belongs to companies in Intercom", _renamed(field))
    if found is None:
        return Difference(name, "missing", f"attribute {name} ({field.data_type}) does not exist", None)
    if not _live(found):
        return Difference(name, "archived", f"attribute {name} is archived in Intercom", "restore it there")
    if found.get("data_type") != field.data_type:
        sentence = f"attribute {name} is {found.get('data_type')} in Intercom and must be {field.data_type}"
        return Difference(name, "type", sentence, f"no type can be changed there: {_renamed(field)}")
    if field.data_type == "string" and found.get("options"):
        sentence = f"attribute {name} is a list of options in Intercom and must be free text"
        return Difference(name, "type", sentence, f"no type can be changed there: {_renamed(field)}")
    if found.get("api_writable") is False:
        sentence = f"attribute {name} cannot be written through the API"
        return Difference(name, "not_writable", sentence, _renamed(field))
    return None


def _renamed(field: Field) -> str:
    """What helps where a name cannot be ours: Intercom renames no attribute."""
    if is_flag(field.name):
        return "give the audience another name in the policy"
    return "have the name freed in Intercom, or give it a version suffix in contracts/fields.py"
