"""The page about scale holds what its program computes, and its program what a reader can check by hand."""

import pytest

from agents.reliable import Limits
from benchmarks.scale import LARGEST, rows
from tests.architecture.rooms import ROOT

PAGE = (ROOT / "docs/scale.md").read_text()


@pytest.mark.parametrize("row", list(rows(1e8, 50_000, LARGEST)), ids=lambda row: row[0])
def test_the_page_holds_what_the_program_computes(row: tuple[str, str, str]) -> None:
    assert f"| {' | '.join(row)} |" in PAGE


def test_the_figures_of_the_page_are_those_that_are_computed_with() -> None:
    for figure in (LARGEST.person_bytes, LARGEST.person_disk_bytes, LARGEST.worker_events, LARGEST.recovered_a_second):
        assert f"{figure:,.0f}" in PAGE
    assert f"{LARGEST.call_bytes}, {LARGEST.signal_bytes}, {LARGEST.mark_bytes} bytes" in PAGE
    assert f"{LARGEST.index_bytes:.0f} bytes of memory, {LARGEST.index_us} us to put there" in PAGE


def test_what_the_page_says_of_the_pause_follows_from_its_figures() -> None:
    worker_people_max = Limits().still_seconds / LARGEST.index_us * 1e6
    assert f"{worker_people_max / 1e6:.0f}" == "7" and "some seven million people a worker would not start" in PAGE
    assert f"46 of them pause for {1e8 / 46 * LARGEST.index_us / 1e6:.0f} s" in PAGE
    said = {what: much for what, much, _ in rows(1e8, 50_000, LARGEST)}
    assert said["Intercom's limit is met at"].startswith("25,9") and "about 26,000 events a second" in PAGE


def test_twice_the_shop_needs_twice_the_workers_and_disk_and_meets_intercom_at_the_same_rate() -> None:
    one, two = (
        {what: much for what, much, _ in rows(people, events, LARGEST)} for people, events in ((1e8, 5e4), (2e8, 1e5))
    )
    assert (one["workers"], two["workers"]) == ("23", "45")
    assert (one["changelog in Kafka"], two["changelog in Kafka"]) == ("1.2 TB", "2.5 TB")
    assert one["Intercom's limit is met at"] == two["Intercom's limit is met at"]
    requests = [float(shop["requests to Intercom"].removesuffix("/s")) for shop in (one, two)]
    assert requests[1] == pytest.approx(2 * requests[0], abs=1)
