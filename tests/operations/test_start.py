"""A worker refuses a data directory that no restart would mend, before it asks Kafka for anything."""

from pathlib import Path

import pytest

from agents.reliable import EXIT_FAILED
from agents.settings import Misconfigured, Settings
from agents.worker import run
from tests.architecture.rooms import ROOT


def settings(directory: Path) -> Settings:
    return Settings(kafka_bootstrap="127.0.0.1:9", data_dir=directory, policy_file=ROOT / "policies/skincare.yaml")


@pytest.mark.parametrize(
    ("place", "why"),
    [("file", "there is a file of that name"), ("file/state", "not a directory"), ("/proc/state", "no such file")],
)
def test_a_directory_that_cannot_be_is_refused_in_a_sentence(tmp_path: Path, place: str, why: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        Misconfigured, match=rf"CONCIERGE_DATA_DIR: cannot be made or written \({why}.*name a directory"
    ):
        run(settings(tmp_path / place))


def test_one_that_may_not_be_written_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may be root, who may write anywhere."""
    monkeypatch.setattr("agents.worker.os.access", lambda folder, rights: False)
    with pytest.raises(Misconfigured, match=r"CONCIERGE_DATA_DIR: .*permission denied"):
        run(settings(tmp_path))


def test_a_full_disk_is_no_misconfiguration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path, **_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    monkeypatch.setattr("agents.kafka_topics.ANSWER_SECONDS_MAX", 0.2)
    assert run(settings(tmp_path / "state")) == EXIT_FAILED
