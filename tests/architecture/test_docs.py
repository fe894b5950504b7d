"""What the documents say can be found: files, commands, settings, decisions."""

import re
from pathlib import Path

import pytest

from agents.settings import Settings
from console.cli import app
from tests.architecture.rooms import ROOT, sources

README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
PLACES = re.compile(r"`((?:contracts|streams|agents|backtests|rehearsal|console|policies|tests|docs)/[\w./-]*)`")
LINKS = re.compile(r"\]\(((?!https?:)[^)#]+)\)")


def missing_places(document: Path) -> list[str]:
    """Paths and links in a document that lead nowhere."""
    text = document.read_text()
    places = [place for place in PLACES.findall(text) if not (ROOT / place).exists()]
    return places + [link for link in LINKS.findall(text) if not (document.parent / link).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_place_that_is_named_exists(document: Path) -> None:
    assert missing_places(document) == []


def test_a_place_that_does_not_exist_is_noticed(tmp_path: Path) -> None:
    document = tmp_path / "planted.md"
    document.write_text("`streams/nowhere.py` and [gone](gone.md)")
    assert missing_places(document) == ["streams/nowhere.py", "gone.md"]


def test_readme_begins_with_the_two_commands() -> None:
    fence = README.splitlines().index("```sh")
    commands = [line.split("#")[0].strip() for line in README.splitlines()[fence + 1 : fence + 3]]
    assert commands == ["make demo", "make test"]
    assert fence < 38


def test_readme_names_every_setting_with_its_meaning() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \|[^|]*\| (.*) \|$", README, re.MULTILINE))
    assert rows == {name.upper(): field.description for name, field in Settings.model_fields.items()}


def test_every_verb_that_a_code_block_shows_exists() -> None:
    verbs = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    shown = {verb for block in blocks for verb in re.findall(r"concierge ([a-z]+)", block)}
    assert shown and shown <= verbs


def test_every_decision_that_the_code_refers_to_is_written() -> None:
    written = {path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")}
    named = {number for path in sources("contracts", "streams", "agents", "backtests", "rehearsal", "console")
             for number in re.findall(r"docs/decisions/(\d{4})", path.read_text())}  # fmt: skip
    assert named <= written


def test_every_decision_fits_one_page() -> None:
    for path in (ROOT / "docs" / "decisions").glob("*.md"):
        assert len(path.read_text().splitlines()) <= 60, path.name
