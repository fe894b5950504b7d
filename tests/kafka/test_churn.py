"""The churn, small: nothing is lost while workers join, leave and die; and it does see a bug that was put in.

The long one, with the other bugs: `make churn`, and `make churn ARGS="--plant drop_in_flight"`.
"""

from pathlib import Path

import pytest

from tests.kafka.churn import Plan, run

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("standbys", [0, 1])
def test_workers_join_leave_and_die_without_loss_or_stall(kafka: str, tmp_path: Path, standbys: int) -> None:
    account = run(kafka, tmp_path / "churn", Plan(1, cycles=1, kills=1, pauses=0, standbys=standbys, plant=None))
    assert account.is_green(), account
    assert account.records > 0


def test_offsets_committed_before_what_they_cover_are_seen(kafka: str, tmp_path: Path) -> None:
    plan = Plan(1, cycles=0, kills=2, pauses=0, standbys=0, plant="commit_first")
    account = run(kafka, tmp_path / "churn", plan)
    assert account.lost > 0
    assert not account.is_green()
