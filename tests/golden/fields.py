"""The fields of everything that is stored or written to a topic, as this release knows them."""

from collections.abc import Iterator
from typing import Any

import msgspec

from agents.desired import Contact
from agents.judge import ControlLog, Policies
from agents.telling_back import Untold
from contracts.commands import Command
from contracts.decisions import Decision
from contracts.quarantined import Quarantined
from contracts.signals import Signal
from streams.control import Control
from streams.person import Person

ROOTS: tuple[Any, ...] = (
    Signal, Decision, Command, Quarantined, Person, ControlLog, Control, Policies, Contact, Untold,
)  # fmt: skip
INNER = ("item_type", "key_type", "value_type")


def structs() -> dict[str, type[msgspec.Struct]]:
    """Every struct that a record holds, by its name."""
    found: dict[str, type[msgspec.Struct]] = {}
    for root in ROOTS:
        for struct in _within(msgspec.inspect.type_info(root), set()):
            assert found.setdefault(struct.__name__, struct) is struct, f"two structs are called {struct.__name__}"
    return found


def fields() -> dict[str, list[str]]:
    """The names under which each struct's fields are written, in order."""
    return {name: list(struct.__struct_encode_fields__) for name, struct in sorted(structs().items())}


def _within(kind: Any, seen: set[Any]) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, msgspec.inspect.StructType):
        if kind.cls in seen:
            return
        seen.add(kind.cls)
        yield kind.cls
        inner = [field.type for field in kind.fields]
    else:
        inner = [getattr(kind, name) for name in INNER if hasattr(kind, name)]
        inner += [*getattr(kind, "types", ()), *getattr(kind, "item_types", ())]
    for one in inner:
        yield from _within(one, seen)
