"""No text whatever makes the reading of a policy fail in another way than by PolicyError; the hash is of what it means."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.policy import Policy, PolicyError, load, parse

SHIPPED = (Path(__file__).parents[2] / "policies" / "skincare.yaml").read_text(encoding="utf-8")
DOCUMENT = yaml.safe_load(SHIPPED)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(
    ["1h", "cycle", "anchor", "newest", "always", "2026-03-02", "!!python/name:os.system", "0x1f", "1e400", ".nan", "-.inf"]
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SCRAPS = st.sampled_from(
    [
        "",
        " ",
        "\n",
        "\t",
        ":",
        "- ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "!!binary ",
        "<<: ",
        "'",
        '"',
        "#",
        "|",
        "%",
        "? ",
        "\x00",
        "é",
        "---\n",
    ]
)


def read(text: str) -> Policy | None:
    try:
        return parse(text, name="any")
    except PolicyError as error:
        assert str(error).startswith("any:")
        return None


@given(st.text(max_size=80))
@example("a: 2026-99-99")
@example("[" * 2000)
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_policy_or_a_policy_error(text: str) -> None:
    assert read(text) is None


@given(st.integers(0, len(SHIPPED)), st.integers(0, 12), SCRAPS | st.text(max_size=4))
@settings(max_examples=100, deadline=None)
def test_any_damage_to_the_shipped_text_is_a_policy_or_a_policy_error(at: int, gone: int, put: str) -> None:
    read(SHIPPED[:at] + put + SHIPPED[at + gone :])


def _paths(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(found for step, inner in steps for found in _paths(inner, (*path, step)))]


def _put(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = _put(tree[path[0]], path[1:], value)
    return copy


@given(st.sampled_from(_paths(DOCUMENT)), TREES)
@settings(max_examples=150, deadline=None)
def test_anything_in_place_of_any_value_is_a_policy_or_a_policy_error(path: tuple[Any, ...], value: Any) -> None:
    read(yaml.safe_dump(_put(DOCUMENT, path, value)))


# Texts that break out today; the mark goes as soon as contracts/policy.py catches them.
@pytest.mark.xfail(
    strict=True, raises=(RecursionError, AttributeError, KeyError), reason="only PolicyError may leave the reading"
)
@pytest.mark.parametrize(
    "text", ["version: &a [*a]", "version: &a {b: *a}", "version: !!timestamp x", "version: !!bool x"]
)
def test_a_text_that_contains_itself_or_lies_about_its_type_is_refused(text: str) -> None:
    assert read(text) is None


def test_comments_and_the_order_of_keys_do_not_change_the_hash() -> None:
    shipped = parse(SHIPPED, name="shipped").hash
    bare = yaml.safe_dump(DOCUMENT, sort_keys=False)
    backwards = yaml.safe_dump(_backwards(DOCUMENT), sort_keys=False)
    assert "#" not in bare
    assert backwards.index("audiences:") < backwards.index("version:")
    assert {parse(text, name="x").hash for text in (bare, backwards, "# note\n" + SHIPPED)} == {shipped}


def _backwards(tree: Any) -> Any:
    """Every mapping in reverse; lists keep their order, which means something. `paths` too: the first match counts."""
    if isinstance(tree, dict):
        return {key: tree[key] if key == "paths" else _backwards(tree[key]) for key in reversed(tree)}
    return [_backwards(one) for one in tree] if isinstance(tree, list) else tree


def _at(path: tuple[Any, ...]) -> Any:
    value: Any = DOCUMENT
    for step in path:
        value = value[step]
    return value


def _numbers() -> list[tuple[Any, ...]]:
    """Paths of all numbers but the version, of which there is one."""
    found = [path for path in _paths(DOCUMENT) if isinstance(_at(path), int | float) and path != ("version",)]
    return [path for path in found if not isinstance(_at(path), bool)]


@pytest.mark.parametrize("path", _numbers(), ids=lambda path: ".".join(map(str, path)))
def test_any_number_that_changes_changes_the_hash(path: tuple[Any, ...]) -> None:
    value = _at(path)
    other = value / 2 if isinstance(value, float) else value + 1
    if path[-1] in ("enter_after", "leave_after"):
        other = "1s"
    assert parse(yaml.safe_dump(_put(DOCUMENT, path, other)), name="x").hash != parse(SHIPPED, name="x").hash


def test_files_that_cannot_be_read_are_policy_errors_too(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"version: \xff")
    for name, why in (("latin.yaml", "is not UTF-8 text"), ("none.yaml", "cannot be read"), (".", "cannot be read")):
        with pytest.raises(PolicyError, match=why):
            load(tmp_path / name)
