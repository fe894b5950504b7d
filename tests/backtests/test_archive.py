"""An archive's folder says by its files' names alone whether it is whole."""

from pathlib import Path

import pytest

from backtests.archive import count, pieces
from backtests.history import HistoryError


def held(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return folder


def test_files_that_follow_each_other_are_whole_over_days_and_partitions(tmp_path: Path) -> None:
    folder = held(
        tmp_path, "day=2/p0000-000000000005-000000000009.parquet", "day=1/p0000-000000000002-000000000004.parquet",
        "day=1/p0001-000000000000-000000000000.parquet", "day=2/p0000-000000000010-000000000019.unfinished",
    )  # fmt: skip
    assert [(piece.first, piece.last) for piece in pieces(folder)[0]] == [(2, 4), (5, 9)]
    assert count(folder) == 9


@pytest.mark.parametrize(("first", "says"), [(6, "are missing"), (4, "stand twice")])
def test_records_that_are_missing_or_doubled_are_refused(tmp_path: Path, first: int, says: str) -> None:
    folder = held(tmp_path, "day=1/p0000-000000000002-000000000004.parquet", f"day=2/p0000-{first:012d}-9.parquet")
    with pytest.raises(HistoryError, match=f"records of partition 0 {says}"):
        pieces(folder)
