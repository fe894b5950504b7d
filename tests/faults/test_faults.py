"""One experiment as part of the suite; `make faults` runs all of them, and with their planted bugs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.broker import Cluster
from tests.faults.__main__ import EXPERIMENTS
from tests.faults.performance import perform
from tests.kafka.conftest import require_kafka

pytestmark = pytest.mark.kafka
[KILLED] = [experiment for experiment in EXPERIMENTS if experiment.name == "killed-at-changelog"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    require_kafka()
    made = Cluster(tmp_path_factory.mktemp("kafka"), brokers=1, soon_up=True)
    try:
        made.start()
        yield made
    finally:
        made.close()


def test_a_worker_killed_between_changelog_and_local_state_changes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    result = perform(KILLED, seed=1, cluster=cluster, folder=tmp_path / "scene", bug=None, hold_seconds=2)
    assert (result.outcome, result.lines) == ("held", [])
    assert result.n > 100 and result.figures["decisions"] > 10
