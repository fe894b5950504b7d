"""`python -m tests.faults` as it is called."""

from pathlib import Path

import pytest

from tests.faults.__main__ import main


def test_a_folder_that_holds_something_is_refused_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = tmp_path / "kafka-1"
    earlier.mkdir()
    for used in (tmp_path, Path(__file__)):
        with pytest.raises(SystemExit) as left:
            main(["--keep", str(used), "--only", "no-such-experiment"])
        assert left.value.code == 2
        assert f"{used} is no empty folder; name a new one" in capsys.readouterr().err
    assert earlier.is_dir()
    for free in (earlier, tmp_path / "new"):
        with pytest.raises(SystemExit, match="no experiment begins with 'no-such-experiment'"):
            main(["--keep", str(free), "--only", "no-such-experiment"])
