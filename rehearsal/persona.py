"""Persona files: what somebody does, and what must be decided, shown and known because of it.

`load` reads one file as DESIGN defines it, or raises PersonaError with a sentence that names the file, the line and what
is wrong there. Nothing is guessed: an unknown key is refused, with the nearest that is known.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, get_args

import yaml

from contracts.decisions import Arm, Decision
from contracts.instant import duration_ms, from_rfc3339
from rehearsal import envelopes
from rehearsal.envelopes import User

KEYS = ("persona", "start", "user", "arm", "events", "until", "expect", "intercom", "facts")
EVENT_KEYS = ("at", "occurred", "id", "as", "user")
KINDS = {
    "track": ("properties", "context"),
    "page": ("properties", "context", "name", "url", "title", "referrer", "search"),
    "identify": ("context",),
    "webhook": None,  # further keys go into its data
    "intercom": ("conversation",),
}
USER_KEYS = {"userId": "id", "anonymousId": "anonymous", "anonymous_id": "anonymous"}  # as the calls name them
ARMS = get_args(Arm)
EVENTS_MAX = 10_000  # a persona is one person's story, no load test


class PersonaError(ValueError):
    """A persona file that makes no sense; `str()` is one sentence."""


class Event(NamedTuple):
    """at_ms: when it arrives. value: the real envelope. contact: who Intercom must know for it to happen."""

    at_ms: int
    value: bytes
    contact: dict[str, str] | None


class Check(NamedTuple):
    """What is to be seen at an instant; place is where the file says so."""

    at_ms: int
    place: str
    wanted: dict[str, Any]


class Persona(NamedTuple):
    """Instants in ms. expect is None where the file does not speak of decisions."""

    name: str
    path: Path
    start_ms: int
    user: User
    arm: Arm
    events: tuple[Event, ...]
    until_ms: int
    expect: tuple[dict[str, Any], ...] | None
    intercom: tuple[Check, ...]
    facts: tuple[Check, ...]


class _Wrong(ValueError):
    """Something at a place of the document is wrong."""

    def __init__(self, place: tuple[str | int, ...], sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


class _Loader(yaml.SafeLoader):
    """Instants stay text: a persona's properties go out as they are written."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def find(path: Path) -> list[Path]:
    """The file itself, or all .yaml and .yml files under a folder. PersonaError when there is none."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in (".yaml", ".yml") and file.is_file())
        if not files:
            raise PersonaError(f"{path}: holds no persona file (*.yaml)")
        return files
    return [path]


def load(path: Path, *, attributes: Iterable[str]) -> Persona:
    """The persona of one file; `attributes` are the Intercom attributes that its checks may name."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise PersonaError(f"{path}: is not UTF-8 text") from None
    except OSError as error:
        raise PersonaError(f"{path}: cannot be read ({error.strerror or error}); name a persona file") from None
    try:
        root = yaml.compose(text, Loader=_Loader)
        document = yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader without instants
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        what = getattr(error, "problem", None) or "unreadable value"
        raise PersonaError(f"{path}{line}: this is not YAML: {what}") from None
    try:
        _refuse_doubled_keys(root, ())
        return _persona(document, path, tuple(attributes))
    except _Wrong as wrong:
        place = ".".join(str(step) for step in wrong.place)
        where = f"`{place}`: " if place else ""
        raise PersonaError(f"{path}:{_line_of(root, wrong.place)}: {where}{wrong}") from None
    except RecursionError:
        raise PersonaError(f"{path}: a part of it contains itself") from None


def _persona(document: Any, path: Path, attributes: tuple[str, ...]) -> Persona:
    told = _mapping(document, (), KEYS)
    for key in ("persona", "start", "events"):
        if told.get(key) is None:
            raise _Wrong((), f"`{key}` is missing")
    start_ms = _instant(told["start"], ("start",))
    slug = "".join(letter if letter.isalnum() else "-" for letter in path.stem.lower())
    user = _user(told.get("user"), ("user",), User(f"persona-{slug}", f"{slug}@persona.test", f"anon-{slug}"))
    arm = told.get("arm", "assisted")
    if arm not in ARMS:
        raise _Wrong(("arm",), f"is none of {', '.join(ARMS)}")
    stories = _list(told["events"], ("events",))
    if len(stories) > EVENTS_MAX:
        raise _Wrong(("events",), f"has more than {EVENTS_MAX} events")
    events = [_event(story, ("events", index), start_ms, user, slug) for index, story in enumerate(stories)]
    expect = told.get("expect")
    if expect is not None or "expect" in told:
        rows = _list(expect or [], ("expect",))
        expect = tuple(_decision(row, ("expect", index), start_ms) for index, row in enumerate(rows))
    checks = {name: _checks(told.get(name), name, start_ms, attributes) for name in ("intercom", "facts")}
    instants = [start_ms, *(event.at_ms for event in events)]
    instants += [check.at_ms for name in checks for check in checks[name]]
    until_ms = start_ms + _offset(told["until"], ("until",)) if told.get("until") is not None else max(instants)
    ordered = tuple(sorted(events, key=lambda event: event.at_ms))
    return Persona(str(told["persona"]), path, start_ms, user, arm, ordered, until_ms, expect, **checks)


def _event(story: Any, place: tuple[str | int, ...], start_ms: int, user: User, slug: str) -> Event:
    kinds = [kind for kind in KINDS if kind in _mapping(story, place, None)]
    if not kinds:
        _mapping(story, place, (*EVENT_KEYS, *KINDS, *(key for keys in KINDS.values() for key in keys or ())))
    if len(kinds) != 1:
        raise _Wrong(place, f"is to be exactly one of {', '.join(KINDS)}")
    kind, further = kinds[0], KINDS[kinds[0]]
    told = _mapping(story, place, None if further is None else (*EVENT_KEYS, kind, *further))
    if "at" not in told:
        raise _Wrong(place, "`at` is missing")
    at_ms = start_ms + _offset(told["at"], (*place, "at"))
    occurred_ms = start_ms + _offset(told["occurred"], (*place, "occurred")) if "occurred" in told else at_ms
    sender = told.get("as", "id")
    if sender not in ("id", "email", "anonymous"):
        raise _Wrong((*place, "as"), "is none of id, email, anonymous")
    own = _user(told.get("user"), (*place, "user"), user)
    message_id = str(told["id"]) if told.get("id") is not None else f"{slug}-{place[-1]}"
    try:
        value, contact = envelopes.build(kind, told, own, sender, message_id, occurred_ms)
    except (ValueError, TypeError) as error:  # TypeError: YAML can hold what JSON cannot
        raise _Wrong((*place, kind), str(error)) from None
    return Event(at_ms, value, contact)


def _decision(row: Any, place: tuple[str | int, ...], start_ms: int) -> dict[str, Any]:
    told = dict(_mapping(row, place, Decision.__struct_fields__))
    for key in ("at", "occurred_at", "expires_at"):
        if told.get(key) is not None:
            told[key] = _moment(told[key], (*place, key), start_ms)
    return told


def _checks(rows: Any, name: str, start_ms: int, attributes: tuple[str, ...]) -> tuple[Check, ...]:
    checks = []
    for index, row in enumerate(_list(rows or [], (name,))):
        told = dict(_mapping(row, (name, index), ("at", *attributes)))
        if "at" not in told:
            raise _Wrong((name, index), "`at` is missing")
        at_ms = start_ms + _offset(told.pop("at"), (name, index, "at"))
        expires = told.get("cio_moment_expires_at")
        if isinstance(expires, str):
            told["cio_moment_expires_at"] = _moment(expires, (name, index, "cio_moment_expires_at"), start_ms) // 1000
        checks.append(Check(at_ms, f"{name}[{index}]", told))
    return tuple(checks)


def _user(told: Any, place: tuple[str | int, ...], default: User) -> User:
    if told is None:
        return default
    if isinstance(told, str | int) and not isinstance(told, bool):
        return default._replace(id=str(told))
    given = {
        USER_KEYS.get(key, key): value for key, value in _mapping(told, place, (*User._fields, *USER_KEYS)).items()
    }
    return default._replace(**{key: str(value) for key, value in given.items() if value is not None})


def _mapping(value: Any, place: tuple[str | int, ...], known: Iterable[str] | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong(place, "is to be a mapping of keys and values")
    names = None if known is None else tuple(known)
    for key in value:
        if not isinstance(key, str) or (names is not None and key not in names):
            near = get_close_matches(str(key), names or (), n=1)
            raise _Wrong((*place, str(key)), f"unknown key; {f'did you mean `{near[0]}`?' if near else 'remove it'}")
    return value


def _list(value: Any, place: tuple[str | int, ...]) -> list[Any]:
    if not isinstance(value, list):
        raise _Wrong(place, "is to be a list")
    return value


def _offset(value: Any, place: tuple[str | int, ...]) -> int:
    try:
        return duration_ms(str(value))
    except ValueError as error:
        raise _Wrong(place, str(error)) from None


def _instant(value: Any, place: tuple[str | int, ...]) -> int:
    try:
        return from_rfc3339(str(value))
    except ValueError:
        raise _Wrong(place, "not an instant such as 2026-03-02T09:00:00Z") from None


def _moment(value: Any, place: tuple[str | int, ...], start_ms: int) -> int:
    """An instant as a span from the start, or written out."""
    try:
        return start_ms + duration_ms(str(value))
    except ValueError:
        return _instant(value, place)


def _refuse_doubled_keys(node: yaml.Node | None, place: tuple[str | int, ...]) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise _Wrong((*place, key.value), "stands twice; keep one of them")
            seen.add(key.value)
            _refuse_doubled_keys(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _refuse_doubled_keys(value, (*place, index))


def _line_of(node: yaml.Node | None, place: tuple[str | int, ...]) -> int:
    line = 1
    for step in place:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == step]
            if not found:
                break
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line
