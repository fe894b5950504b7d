"""Changes: what one policy file says otherwise than another, as paths and values in the words of the files."""

from typing import Any, NamedTuple

from contracts.policy_text import read

NOTHING = "-"  # is not there


class Change(NamedTuple):
    """path: keys with dots between, such as `audiences.winback_vip.enter_after`. Values as they are written."""

    path: str
    base: str
    candidate: str


def changes(base: str, candidate: str) -> list[Change]:
    """Of two texts of policies that make sense, in the order of the base. Comments and order of keys are no change."""
    one, other = (_leaves(read(text, name="policy").value) for text in (base, candidate))
    paths = dict.fromkeys([*one, *other])
    found = [Change(path, one.get(path, NOTHING), other.get(path, NOTHING)) for path in paths]
    return _folded([change for change in found if change.base != change.candidate], one, other)


def _leaves(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        return {
            name: leaf
            for key, inner in value.items()
            for name, leaf in _leaves(inner, f"{path}.{key}" if path else str(key)).items()
        }
    if isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        return {
            name: leaf
            for index, inner in enumerate(value)
            for name, leaf in _leaves(inner, f"{path}.{index + 1}").items()
        }
    if isinstance(value, list):
        return {path: ", ".join(_written(inner) for inner in value)}
    return {path: _written(value)}


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _folded(found: list[Change], one: dict[str, str], other: dict[str, str]) -> list[Change]:
    """An audience that is new or gone is one change, not one for each of its lines."""
    held = tuple({_audience(path) for path in leaves} for leaves in (one, other))
    told: dict[str, Change] = {}
    for change in found:
        audience = _audience(change.path)
        if audience is not None and (audience in held[0]) != (audience in held[1]):
            words = ("there", NOTHING) if audience in held[0] else (NOTHING, "there")
            told[f"audiences.{audience}"] = Change(f"audiences.{audience}", *words)
        else:
            told[change.path] = change
    return list(told.values())


def _audience(path: str) -> str | None:
    parts = path.split(".")
    return parts[1] if parts[0] == "audiences" and len(parts) > 1 else None
