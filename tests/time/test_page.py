"""The numbers of docs/time.md are those of the code."""

import importlib
import re

import pytest

from streams import person
from tests.architecture.rooms import ROOT
from tests.streams.histories import POLICY

PAGE = (ROOT / "docs" / "time.md").read_text()
ROW = re.compile(r"^\| `([a-z_]+\.[a-z_]+)\.([A-Za-z_.]+)` \| (\d+) \|", re.MULTILINE)
TIMELESS = {"ID_BYTES", "TRAITS_MAX", "TRAIT_CHARS_MAX"}  # say nothing about time


def wrong_rows(page: str) -> list[str]:
    """Names whose number on the page is not that of the code."""
    return [f"{module}.{name}" for module, name, said in ROW.findall(page) if held(module, name) != int(said)]


def held(module: str, name: str) -> object:
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def test_every_number_on_the_page_is_that_of_the_code() -> None:
    assert len(ROW.findall(PAGE)) >= 12
    assert wrong_rows(PAGE) == []


@pytest.mark.parametrize(
    "wrong", ["| `streams.person.IDS_MAX` | 63 | beyond |", "| `streams.person.PASSES_MAX` | 0 | x |"]
)
def test_a_number_that_went_stale_is_noticed(wrong: str) -> None:
    assert len(wrong_rows(f"{PAGE}\n{wrong}\n")) == 1


def test_every_limit_of_the_record_that_has_to_do_with_time_is_on_the_page() -> None:
    limits = {name for name in vars(person) if name.endswith("_MAX")}
    named = {name for _, name, _ in ROW.findall(PAGE)}
    own = {name for name in limits if name not in TIMELESS and name != "INSTANT_MS_MAX"}
    assert own <= named


def test_the_days_that_the_page_says_in_words_are_the_shipped_ones() -> None:
    assert POLICY.cart_forgotten_after == 30 * 86_400_000
    assert "30 days (`cart_forgotten_after`)" in PAGE
