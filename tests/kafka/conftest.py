"""A real Kafka for the whole session; fails in CI and skips elsewhere where Java or Maven is missing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.broker import BrokerMissing, kafka_libraries, real_kafka
from tests.kafka.lab import Lab


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address of one broker."""
    require_kafka()
    directory: Path = tmp_path_factory.mktemp("kafka")
    with real_kafka(directory) as bootstrap:
        yield bootstrap


def require_kafka() -> None:
    try:
        kafka_libraries()
    except BrokerMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture
def lab(kafka: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Topics of the test's own; workers that it started are ended with it."""
    made = Lab(kafka, tmp_path, f"lab-{abs(hash(request.node.nodeid)) % 10**8}")
    yield made
    made.close()
