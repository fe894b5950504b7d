"""Intercom's official description as Prism can use it: the paths that we call, and a patch for what Prism cannot read.

Each change is one that the description's own text, recorded traffic or a limit of Prism's asks for; nothing of it loosens
what the requests are held against without a word why.
"""

from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.intercom.official import DESCRIPTION, PATHS, UNLISTED

FILTERS_MAX = 15


def write(place: Path) -> None:
    described: dict[str, Any] = yaml.load(DESCRIPTION.read_bytes(), yaml.CSafeLoader)  # the file is ours to trust
    described["paths"] = {path: item for path, item in described["paths"].items() if path.startswith(PATHS)}
    schemas = described["components"]["schemas"]
    _searches(schemas)
    _contacts(schemas)
    _answers(described)
    place.write_bytes(msgspec.json.encode(_plain(described)))


def _searches(schemas: dict[str, Any]) -> None:
    """`nullable` without a type makes Prism give up on the whole body, and its validator cannot follow a filter into itself."""
    single = schemas["single_filter_search_request"]
    single["properties"]["value"].pop("nullable", None)
    single["required"] = ["field", "operator", "value"]
    one = {"$ref": "#/components/schemas/single_filter_search_request"}
    filters = {"type": "array", "maxItems": FILTERS_MAX, "items": one}
    operator = {"type": "string", "enum": ["AND", "OR"]}
    nested = {
        "type": "object", "properties": {"operator": operator, "value": filters}, "required": ["operator", "value"]
    }  # fmt: skip
    several = schemas["multiple_filter_search_request"]
    several["required"] = ["operator", "value"]
    several["properties"]["value"] = {"type": "array", "maxItems": FILTERS_MAX, "items": {"anyOf": [one, nested]}}


def _contacts(schemas: dict[str, Any]) -> None:
    """Tighter than published: a misspelt field or a nested value would pass otherwise. Metadata as its own text says."""
    scalar = {
        "anyOf": [{"type": "string", "maxLength": 255, "nullable": True}, {"type": "number"}, {"type": "boolean"}]
    }  # fmt: skip
    for name in ("create_contact_request", "update_contact_request"):
        schemas[name]["additionalProperties"] = False
        schemas[name]["properties"]["custom_attributes"] = {"type": "object", "additionalProperties": scalar}
    money = {
        "type": "object", "required": ["amount", "currency"], "additionalProperties": False,
        "properties": {"amount": {"type": "integer", "minimum": 0}, "currency": {"type": "string"}},
    }  # fmt: skip
    schemas["create_data_event_request"]["properties"]["metadata"]["additionalProperties"] = {
        "anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}, money]
    }


def _answers(described: dict[str, Any]) -> None:
    """Recorded ids and relative addresses have not the published formats, and some errors are not listed."""
    schemas = described["components"]["schemas"]
    schemas["error"]["properties"]["request_id"].pop("format", None)
    for name in ("contact_tags", "contact_notes", "contact_companies"):
        schemas[name]["properties"]["url"].pop("format", None)
    listed = {
        "description": "an error",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}},
    }
    for item in described["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and "responses" in operation:
                for status in UNLISTED:
                    operation["responses"].setdefault(str(status), listed)
    # where a 400 is described Prism answers its example instead of saying what it found
    described["paths"]["/contacts/search"]["post"]["responses"].pop("400", None)


def _plain(value: Any) -> Any:
    """YAML's dates in examples as texts, and its numbers as keys as texts."""
    match value:
        case dict():
            return {str(key): _plain(found) for key, found in value.items()}
        case list():
            return [_plain(found) for found in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
