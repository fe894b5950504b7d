"""One real Kafka for the tests of operations, with a listener for everybody and one that wants TLS and a password."""

from collections.abc import Iterator

import pytest

from tests.kafka.conftest import require_kafka
from tests.operations.secured import Secured, secured_kafka


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    require_kafka()
    with secured_kafka(tmp_path_factory.mktemp("secured")) as found:
        yield found


@pytest.fixture(scope="session")
def kafka(secured: Secured) -> str:
    """The bootstrap address of the open listener."""
    return secured.open
