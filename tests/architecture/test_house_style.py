"""Every source file keeps the house's style, and each rule catches a planted breach."""

import re

import pytest

from tests.architecture import house_style
from tests.architecture.rooms import ROOMS, ROOT, place, sources


def test_sources_keep_the_house_style() -> None:
    files = sources(*ROOMS, "tests", "benchmarks")
    assert len(files) > 100, "the sources were not found"
    found = [breach for path in files for breach in house_style.breaches(path.read_text(), name=place(path))]
    assert found == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ('"""Says."""\n' + "\n" * house_style.LINES_MAX, "streams/long.py"),
        ("A = 1\n", "streams/silent.py"),
        ('"""Says."""\n# TO' + "DO later\n", "streams/unfinished.py"),
        ('"""Says."""\nA = 1  # X' + "XX why\n", "streams/unfinished.py"),
        ('"""Says."""\nimport os  # no' + "qa\n", "streams/silenced.py"),
        ('"""Says."""\nA = 1  # type: ' + "ignore\n", "streams/silenced.py"),
        ('"""Says."""\n', "agents/utils.py"),
        ('"""Says."""\n', "agents/common/words.py"),
        ('"""Says."""\n\n\nclass CartManager:\n    pass\n', "streams/cart.py"),
    ],
)
def test_planted_breach_is_found(source: str, name: str) -> None:
    assert len(house_style.breaches(source, name=name)) == 1


def test_a_named_and_reasoned_exception_passes() -> None:
    source = '"""Says."""\nimport os  # noqa: F401  # kept for its side effect\n'
    assert house_style.breaches(source, name="streams/fine.py") == []


def test_uv_that_setup_fetches_is_the_one_that_the_lock_names() -> None:
    lock = (ROOT / "uv.lock").read_text()
    entry = lock[lock.index('name = "uv"\n') :].partition("[[package]]")[0]
    pinned = (ROOT / ".ci" / "uv.txt").read_text()
    version = re.search(r'version = "([^"]+)"', entry)
    assert version is not None and f"uv=={version[1]} " in pinned
    wheels = set(re.findall(r"sha256:[0-9a-f]{64}", entry.partition("wheels = ")[2]))
    assert set(re.findall(r"sha256:[0-9a-f]{64}", pinned)) == wheels != set()
