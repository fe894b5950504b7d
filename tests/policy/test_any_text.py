"""No text whatever makes the reading of a policy fail in another way than by PolicyError; the hash is of what it means."""

import re
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


REMEDIES = (";", "did you mean", "such as", "give ", "write ", "has exactly one key", "must be")
INNARDS = (
    "input should",
    "policy.schema.json",
    "function-",
    "tuple",
    "literal",
    "validator",
    "pydantic",
    "python object",
)


def read(text: str) -> Policy | None:
    try:
        return parse(text, name="any")
    except PolicyError as error:
        last = len(text.splitlines()) + 1
        for told in str(error).split("\n"):
            place = re.fullmatch(r"any:(\d+): (.+)", told)
            assert place is not None and 1 <= int(place[1]) <= last, told
            assert any(mark in told for mark in REMEDIES), told
            assert not any(innard in told for innard in INNARDS), told
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


TAGS = ("null", "bool", "int", "float", "str", "seq", "map", "timestamp", "binary", "set", "omap", "merge", "value")


def _places(node: yaml.Node, seen: list[yaml.Node]) -> list[tuple[yaml.Node, int]]:
    """Every place of the graph that holds a node: its parent and where in the parent's value it stands."""
    if node in seen or isinstance(node, yaml.ScalarNode):
        return []
    seen.append(node)
    here = [(node, index) for index in range(len(node.value))]
    below = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
    return here + [place for part in below for place in _places(part, seen)]


def _held(parent: yaml.Node, index: int) -> yaml.Node:
    return parent.value[index][1] if isinstance(parent, yaml.MappingNode) else parent.value[index]  # type: ignore[no-any-return]  # the stubs say Any


def _hold(parent: yaml.Node, index: int, node: yaml.Node) -> None:
    parent.value[index] = (parent.value[index][0], node) if isinstance(parent, yaml.MappingNode) else node


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_nodes_deleted_swapped_retagged_doubled_and_aliased_give_a_policy_or_a_policy_error(
    data: st.DataObject,
) -> None:
    root = yaml.compose(SHIPPED, Loader=yaml.SafeLoader)
    assert root is not None
    for _ in range(data.draw(st.integers(1, 3))):
        places = st.sampled_from(_places(root, []) or [(root, 0)])
        (parent, index), (other, place) = data.draw(places), data.draw(places)
        node = _held(parent, index)
        match data.draw(st.sampled_from(("delete", "swap", "retag", "retag key", "double", "alias"))):
            case "delete":
                del parent.value[index]
            case "swap":
                _hold(parent, index, _held(other, place))
                _hold(other, place, node)
            case "retag":
                node.tag = "tag:yaml.org,2002:" + data.draw(st.sampled_from(TAGS))
            case "retag key" if isinstance(parent, yaml.MappingNode):
                parent.value[index][0].tag = "tag:yaml.org,2002:" + data.draw(st.sampled_from(TAGS))
            case "double":
                parent.value.append(parent.value[index])
            case _:
                _hold(parent, index, data.draw(st.sampled_from([root, parent, _held(other, place)])))
    read(yaml.serialize(root))


BOMB = "a: &a [1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{outer}: &{outer} [*{inner}, *{inner}, *{inner}, *{inner}, *{inner}, *{inner}]\n"
    for inner, outer in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = [
    ("version: &a [*a]", "version: this contains itself"),
    ("version: &a {b: *a}", "this contains itself"),
    ("version: !!timestamp x", "the tag `!!timestamp` has no meaning here; remove it"),
    ("version: !!python/name:os.system x", "the tag `!!python/name:os.system` has no meaning here"),
    ("version: !!set {a}", "the tag `!!set` has no meaning here"),
    ("!foo version: 1", "the tag `!foo` has no meaning here"),
    ("version: !!bool x", "`x` is neither true nor false"),
    ("version: !!int ''", "`` is no number that can be counted with"),
    ("version: " + "9" * 5000, "is no number that can be counted with"),
    ("version: 1e400", "`1e400` is no number that can be counted with"),
    ('version: "\\UFFFFFFFF"', "mend the number after % or \\ there"),
    ('version: "\\uD800"', "half a character is written here"),
    ("%YAML " + "9" * 5000 + ".1\n---\nversion: 1", "mend the number after % or \\ there"),
    ("version: 1\nsalt: \x00", "the character U+0000 cannot stand in a policy; remove it"),
    ("version: 1\n--- \nversion: 1", "found another document"),
    ("version: 1\nsettle:", "`settle` is empty; give it a value, or remove it"),
    ("version: [1, ~]", "an entry of the list is empty"),
    ("? [version]\n: 1", "a key must be a text"),
    ("<<: {version: 1}", "`<<` has no meaning here; write the keys out"),
    ("[" * 2000, "it nests too deeply"),
    ("a: " * 2000, "mapping values are not allowed here"),
    (BOMB, "the aliases unfold to too much"),
    ("version: 1\n" + "#" * 200_000, "longer than 200000 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), HOSTILE, ids=[text[:24] for text, _ in HOSTILE])
def test_a_hostile_text_is_refused_in_our_words(text: str, sentence: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text, name="any")
    (line,) = str(caught.value).splitlines()
    assert line.startswith("any:")
    assert sentence.removeprefix("version: ") in line


@pytest.mark.parametrize(("written", "salt"), [
    ("no", "no"), ("9:00", "9:00"), ("2026-03-02", "2026-03-02"), ("0x1f", "0x1f"), ("1_000", "1_000"), (".nan", ".nan"),
    ("=", "="), ("'1'", "1"), ("!!str 1", "1"),
])  # fmt: skip
def test_a_policy_is_read_as_editors_read_it(written: str, salt: str) -> None:
    assert parse(SHIPPED.replace("salt: concierge", f"salt: {written}"), name="x").holdout.salt == salt


def test_an_alias_stands_for_what_it_names() -> None:
    text = SHIPPED.replace("    through_cap: true", "    hours: &week [{days: [mon], from: 9:00, to: 17:00}]", 1)
    text = text.replace("    kind: care", "    kind: care\n    hours: *week")
    audiences = parse(text, name="x").audiences
    assert audiences["post_purchase_risk"].hours == audiences["subscription_save"].hours != "always"


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
