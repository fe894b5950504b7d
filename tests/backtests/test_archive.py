"""An archive's folder says by its files' names alone whether it is whole, and keeps nothing that a killed archivist left."""

from pathlib import Path

import pytest

from agents.archivist import archive
from agents.settings import read_settings
from backtests.archive import count, pieces
from backtests.history import HistoryError
from contracts.archive_files import Extent, name_of
from contracts.archive_files import held as held_by
from contracts.topics import DECISIONS, SIGNALS
from rehearsal.broker import embedded_broker


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


def test_a_name_says_what_the_file_holds() -> None:
    extent = Extent(3, 7, 12_000_000_000_000)
    day, name = name_of(extent, "2026-03-02").split("/")
    assert (day, held_by(name)) == ("day=2026-03-02", extent)
    for other in ("p0003-7.parquet", "p3-7-8.parquet.tmp", "x-p3-7-8.parquet", "p3-7-8"):
        assert held_by(other) is None


def test_what_a_killed_archivist_left_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    left = [
        f"{topic}/day=2026-03-0{day}/p0000-000000000000-000000000009.unfinished"
        for topic in ("signals", "decisions")
        for day in (1, 2)
    ]
    others = ["signals/day=2026-03-01/notes.unfinished", "elsewhere/day=2026-03-01/p0000-0-9.unfinished", "notes.txt"]
    for name in (*left, "judged.unfinished", *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with embedded_broker([SIGNALS.name, DECISIONS.name]) as bootstrap:
        archive(read_settings({"CONCIERGE_KAFKA_BOOTSTRAP": bootstrap}), tmp_path)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {*others, "judged.json", ".lock"}
