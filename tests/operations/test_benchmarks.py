"""The page about speed holds what was measured and nothing else, and what is measured is what it says."""

from pathlib import Path

import pytest

from benchmarks import history, table
from benchmarks.carriers.race import Result, rows_of
from benchmarks.memory import Sample, told
from benchmarks.table import PAGE, Table, kept, page
from contracts import policy as policies
from contracts import signals
from tests.architecture.rooms import ROOT

PLACES = (
    "carriers",
    "path",
    "delay",
    "restart",
    "memory",
    "replay",
    "replay-memory",
    "fold",
    "disk",
    "overtaking",
    "nudges",
)


def test_the_page_holds_what_was_measured() -> None:
    assert page(PAGE.read_text(), kept().values()) == PAGE.read_text()


@pytest.mark.parametrize("name", PLACES)
def test_the_page_has_a_place_for_each_table(name: str) -> None:
    written = page(PAGE.read_text(), [Table(name, "Seed 7", ["what", "much"], [["a|b", "3"]])])
    assert "| a/b | 3 |" in written
    assert page(written, kept().values()).count(table.END) == len(PLACES)


def test_a_table_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the table nowhere"):
        page(PAGE.read_text(), [Table("nowhere", "", ["what"], [])])


def test_each_aim_of_the_carrier_is_held_against_the_carrier_that_it_names() -> None:
    rates = {"naive faust": 1_000, "quix-streams": 7_000, "plain aiokafka": 12_000, "concierge": 6_500}
    rows = rows_of("skewed", {name: [Result(rate, 50)] for name, rate in rates.items()})
    assert {row[0]: row[5] for row in rows} == {
        "naive faust": "6: met (6.50 x this)", "quix-streams": "1: missed (0.93 x this)",
        "plain aiokafka": "0.5: met (0.54 x this)", "concierge": "",
    }  # fmt: skip


def test_memory_that_grows_in_the_second_half_misses_its_aim() -> None:
    flat = [Sample(number, number, 300, 1) for number in range(1, 11)]
    assert "+0.0% (aim: at most +5%, met)" in told(flat, 1).conditions
    grows = [sample._replace(resident_mb=300 + 6 * sample.signals) for sample in flat]
    assert "(aim: at most +5%, missed)" in told(grows, 1).conditions


def test_a_recorded_day_is_in_order_and_its_halves_have_all_of_it_and_no_person_in_common(tmp_path: Path) -> None:
    policy = policies.load(ROOT / "policies" / "skincare.yaml")
    count = history.write(history.day(600, seed=3), tmp_path, policy)
    whole, *halves = (
        [signals.decode(line) for line in (tmp_path / f"{name}.jsonl").read_bytes().splitlines()]
        for name in ("all", "0", "1")
    )
    people = [
        {signal.person for signal in half if not isinstance(signal, signals.Marked | signals.Ruled)} for half in halves
    ]
    accepted = [signal.accepted_ms for signal in whole if not isinstance(signal, signals.Marked | signals.Ruled)]
    assert accepted == sorted(accepted)
    assert count == len(whole) == len(halves[0]) + len(halves[1]) > 300
    assert people[0] and people[1] and not people[0] & people[1]
