"""The shipped personas hold, and each kind of expectation fails when it is not met."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts import policy
from rehearsal import persona, stage
from rehearsal.stage import Performance

ROOT = Path(__file__).resolve().parents[2]
RULES = policy.load(ROOT / "policies" / "skincare.yaml")
FILES = sorted((ROOT / "tests" / "personas").glob("*.yaml"))
BUYER = ROOT / "tests" / "personas" / "leaves-a-cart-then-buys.yaml"


def _perform(file: Path) -> Performance:
    return asyncio.run(stage.perform(persona.load(file, attributes=stage.attributes(RULES)), RULES))


def _document(file: Path) -> Any:
    return yaml.load(file.read_text(encoding="utf-8"), Loader=persona._Loader)


def _written(folder: Path, document: Any) -> Path:
    file = folder / "changed.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


def _failed(performance: Performance) -> list[str]:
    return [f"{line.place}: {line.expected} / {line.actual}" for line in performance.lines if not line.held]


def test_at_least_twelve_personas_are_shipped() -> None:
    assert len(FILES) >= 12


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_persona_meets_what_it_expects(file: Path) -> None:
    performance = _perform(file)
    assert performance.lines, "a persona that compares nothing shows nothing"
    assert (_failed(performance), performance.rejected) == ([], ())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_line_of_a_shipped_persona_fails_when_all_that_it_says_is_wrong(file: Path, tmp_path: Path) -> None:
    document = _document(file)
    for part in ("expect", "intercom", "facts"):
        for row in document.get(part, []):
            row.update({key: _another(key, row[key]) for key in row if part == "expect" or key != "at"})
    lines = _perform(_written(tmp_path, document)).lines
    assert not any(line.held for line in lines)
    assert lines or document["expect"] == []


@pytest.mark.parametrize(
    ("place", "key"), [(place, key) for place in (0, 1) for key in _document(BUYER)["expect"][place]]
)
def test_each_key_of_an_expected_decision_is_compared(place: int, key: str, tmp_path: Path) -> None:
    document = _document(BUYER)
    row = document["expect"][place]
    row[key] = _another(key, row[key])
    lines = _perform(_written(tmp_path, document)).lines
    assert [line.place for line in lines if not line.held] == [f"expect[{place}]"]


def _another(key: str, value: object) -> object:
    if key in ("at", "occurred_at", "expires_at", "cio_moment_expires_at"):
        return "17h59m13s"
    if isinstance(value, bool):
        return not value
    return 4711 if isinstance(value, int | float) else "something else"


def test_a_decision_too_few_and_one_too_many_are_failures(tmp_path: Path) -> None:
    document = _document(BUYER)
    whole = document["expect"]
    for expect in (whole[:1], [*whole, whole[-1]], []):
        performance = _perform(_written(tmp_path, document | {"expect": expect}))
        assert not performance.passed
        assert any(None in (line.expected, line.actual) for line in performance.lines)


def _story(folder: Path, text: str) -> Performance:
    file = folder / "story.yaml"
    file.write_text("persona: a story\nstart: 2026-03-02T09:00:00Z\n" + text, encoding="utf-8")
    return _perform(file)


CART = "  - {at: 0m, track: Product Added, properties: {product_id: serum, price: 200}}\n"


def test_decisions_after_until_are_not_looked_at(tmp_path: Path) -> None:
    short = _story(tmp_path, f"events:\n{CART}until: 1h59m\nexpect: []\nfacts:\n  - {{at: 3h, last_cart_value: 200}}\n")
    assert _failed(short) == []
    exact = "expect:\n  - {at: 2h, audience: high_aov_abandoner, outcome: activated}\n"
    assert _failed(_story(tmp_path, f"events:\n{CART}until: 2h\n{exact}")) == []


def test_a_file_that_expects_nothing_of_decisions_lets_them_be(tmp_path: Path) -> None:
    performance = _story(tmp_path, f"events:\n{CART}until: 24h\nfacts:\n  - {{at: 3h, last_cart_value: 200}}\n")
    assert performance.passed
    assert len(performance.decisions) == 2


def test_an_envelope_that_cannot_be_read_is_told_and_stops_nobody(tmp_path: Path) -> None:
    bad = '  - {at: 1m, track: Product Added, properties: {price: .nan}, user: {id: "a\\u0007b"}}\n'
    performance = _story(tmp_path, f"events:\n{CART}{bad}until: 2h\n")
    assert performance.rejected == ("bad_key",)
    assert len(performance.decisions) == 1


def test_what_is_shown_changes_at_the_very_instant(tmp_path: Path) -> None:
    text = f"""events:
{CART}until: 24h
intercom:
  - {{at: 1h59m59.999s, cio_moment: null, cio_segment_high_aov_abandoner: false}}
  - {{at: 2h, cio_moment: high_aov_abandoner, cio_moment_expires_at: 2026-03-02T21:00:00Z}}
  - {{at: 11h59m59.999s, cio_segment_high_aov_abandoner: true}}
  - {{at: 12h, cio_segment_high_aov_abandoner: false}}
"""
    assert _failed(_story(tmp_path, text)) == []


def test_a_policy_decides_which_attributes_exist_and_what_happens(tmp_path: Path) -> None:
    text = (ROOT / "policies" / "skincare.yaml").read_text(encoding="utf-8")
    later = policy.parse(text.replace("enter_after: 2h\n", "enter_after: 3h\n"), name="later")
    file = tmp_path / "story.yaml"
    expect = "expect:\n  - {at: 3h, audience: high_aov_abandoner, outcome: activated}\n"
    file.write_text(f"persona: p\nstart: 2026-03-02T09:00:00Z\nevents:\n{CART}until: 4h\n{expect}", encoding="utf-8")
    told = persona.load(file, attributes=stage.attributes(later))
    assert asyncio.run(stage.perform(told, later)).passed
    assert not asyncio.run(stage.perform(told, RULES)).passed
