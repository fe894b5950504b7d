"""A policy file's text as plain values that know their lines.

`read(text, name=...)` gives a Document or raises PolicyError, whatever the text. It is read as YAML 1.2, which is how editors
read it: `no`, `9:00` and `2026-03-02` are texts. Aliases are followed; a key is a text, stands once, and has a value.
"""

import math
import re
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import yaml

CHARS_MAX = 200_000  # fifty times the shipped policy; reading so much takes seconds, not minutes
NESTING_MAX = 40  # the deepest rule of sense nests a dozen deep; far below what Python's own stack takes
VALUES_MAX = 20_000  # what aliases may unfold to, so that a short text cannot grow beyond all bounds
SHOWN_CHARS_MAX = 40  # of a value that an error quotes

_TAGS = "tag:yaml.org,2002:"
Location = tuple[int | str, ...]


class PolicyError(ValueError):
    """A policy that makes no sense. `str()` is one line per problem: `file:line: what is wrong; what to do`."""


class Document(NamedTuple):
    """value: the root mapping. root: its node, which knows the lines."""

    value: dict[str, Any]
    root: yaml.Node

    def walk(self, location: Location) -> tuple[int, Location]:
        """The line (from 1) of what stands there, and the steps that stand in the text; other steps are passed over."""
        line, node, steps = 1, self.root, list[int | str]()
        for step in location:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == step), None)
                if found is None:
                    continue
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            else:
                continue
            steps.append(step)
        return line, tuple(steps)

    def keys(self, location: Location) -> list[str]:
        """The keys of the mapping to which the location leads."""
        value: Any = self.value
        for step in self.walk(location)[1]:
            value = value[step]
        return list(value) if isinstance(value, dict) else []


def read(text: str, *, name: str) -> Document:
    """The document in a text; `name` is what errors call it."""
    if len(text) > CHARS_MAX:
        raise PolicyError(f"{name}:1: longer than {CHARS_MAX} characters; leave out what is no rule")
    reader = None
    try:
        reader = _Reader(text)
        root = reader.get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"the character U+{ord(text[error.position]):04X} cannot stand in a policy; remove it"
        raise PolicyError(f"{name}:{line}: {what}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        what = f"this is not YAML: {error.problem or error.context}; mend the indentation or quoting there"
        raise PolicyError(f"{name}:{line}: {shown(what, chars_max=200)}") from None
    except (ValueError, OverflowError):  # numbers within escapes and directives
        line = reader.get_mark().line + 1 if reader is not None else 1
        raise PolicyError(f"{name}:{line}: this is not YAML; mend the number after % or \\ there") from None
    if not isinstance(root, yaml.MappingNode):
        raise PolicyError(
            f"{name}:1: a policy is a mapping that begins with `version: 1`; write one, or name another file"
        )
    return Document(_Unfolding(name).mapping(root, ()), root)


def shown(value: object, *, chars_max: int = SHOWN_CHARS_MAX) -> str:
    """A value as an error quotes it: one line of printable characters, cut where it is long."""
    if isinstance(value, dict | list | tuple):
        return "a list" if not isinstance(value, dict) else "a mapping"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = "".join(char if char.isprintable() else "?" for char in text[: chars_max + 1])
    return text if len(text) <= chars_max else text[: chars_max - 3] + "..."


class _Reader(yaml.SafeLoader):
    """Composes nodes by YAML 1.2's core schema, and no deeper than NESTING_MAX."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 the loader's own name and type
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.depth >= NESTING_MAX:
            raise yaml.MarkedYAMLError(problem="it nests too deeply", problem_mark=self.get_mark())
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _kind, _pattern in (
    ("null", r"(?:~|null|Null|NULL|)\Z"),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    ("int", r"[-+]?[0-9]+\Z"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"),
):
    _Reader.add_implicit_resolver(_TAGS + _kind, re.compile(_pattern), None if _kind != "null" else ["~", "n", "N", ""])


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("beyond what a number can be")
    return number


_SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda text: None,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": int,
    "float": _finite,
    "str": str,
}


class _Unfolding:
    """Nodes into plain values, counting what aliases unfold to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values = 0

    def refuse(self, node: yaml.Node, what: str) -> PolicyError:
        return PolicyError(f"{self.name}:{node.start_mark.line + 1}: {what}")

    def value(self, node: yaml.Node, above: tuple[yaml.Node, ...]) -> Any:
        self.values += 1
        if node in above:
            raise self.refuse(node, "this contains itself; write it out instead of the alias")
        if self.values > VALUES_MAX or len(above) >= NESTING_MAX:
            raise self.refuse(node, "the aliases unfold to too much; write out what is meant")
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        self.kind(node, ("map",) if isinstance(node, yaml.MappingNode) else ("seq",))
        return self.mapping(node, above) if isinstance(node, yaml.MappingNode) else self.sequence(node, above)

    def mapping(self, node: yaml.MappingNode, above: tuple[yaml.Node, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, inner in node.value:
            name = self.key(key)
            if name in found:
                raise self.refuse(key, f"`{shown(name)}` stands twice in one mapping; keep one of them")
            found[name] = self.value(inner, (*above, node))
            if found[name] is None:
                raise self.refuse(key, f"`{shown(name)}` is empty; give it a value, or remove it")
        return found

    def sequence(self, node: yaml.Node, above: tuple[yaml.Node, ...]) -> list[Any]:
        found = [self.value(inner, (*above, node)) for inner in node.value]
        for inner, value in zip(node.value, found, strict=True):
            if value is None:
                raise self.refuse(inner, "an entry of the list is empty; fill it in, or remove it")
        return found

    def key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.refuse(node, "a key must be a text; write a name before the colon")
        if node.value == "<<" and node.style is None:
            raise self.refuse(node, "`<<` has no meaning here; write the keys out")
        self.kind(node, _SCALARS)
        return self.text(node)

    def scalar(self, node: yaml.ScalarNode) -> Any:
        kind = self.kind(node, _SCALARS)
        text = self.text(node)
        try:
            return _SCALARS[kind](text)
        except (ValueError, KeyError):
            what = "neither true nor false" if kind == "bool" else "no number that can be counted with"
            raise self.refuse(node, f"`{shown(text)}` is {what}; change it, or put it in quotes") from None

    def kind(self, node: yaml.Node, known: Collection[str]) -> str:
        kind: str = node.tag.removeprefix(_TAGS)
        if kind not in known:
            tag = f"!!{kind}" if kind != node.tag else kind
            raise self.refuse(node, f"the tag `{shown(tag)}` has no meaning here; remove it")
        return kind

    def text(self, node: yaml.ScalarNode) -> str:
        text: str = node.value
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise self.refuse(node, "half a character is written here with \\u; write the character itself")
        return text
