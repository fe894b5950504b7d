"""The churn, small: nothing is lost while workers join, leave and die.

The long one is `make churn`; that it sees a bug that was put in, `make churn ARGS="--plant commit_first"` shows.
"""

from pathlib import Path

import pytest

from tests.kafka.churn import Account, Plan, run

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("standbys", [0, 1])
def test_workers_join_leave_and_die_without_loss_or_stall(kafka: str, tmp_path: Path, standbys: int) -> None:
    account = run(kafka, tmp_path / "churn", Plan(1, cycles=1, kills=1, pauses=0, standbys=standbys, plant=None))
    assert account.is_green(), account
    assert account.records > 0


@pytest.mark.parametrize("harm", ["lost", "doubled", "outputs_missing", "state_differs", "stalled"])
def test_any_harm_is_seen(harm: str) -> None:
    fine = Account(Plan(1, 1, 1, 0, 0, None), 100, 1.0, 0, 0, 0, 0, 0, 0.5, [0.5], 0, [])
    assert fine.is_green()
    assert not Account(**(fine._asdict() | {harm: 1})).is_green()
