"""Fixtures: a stage with a rehearsed Intercom, its clock, and the real adapter behind the official description."""

import os
from collections.abc import AsyncIterator

import pytest
from openapi_core import OpenAPI

from tests.intercom import official
from tests.intercom.scene import Scene


@pytest.fixture(scope="session")
def api() -> OpenAPI:
    if not official.DESCRIPTION.exists():
        reason = "Intercom's API description is not beside the checkout"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return official.load()


@pytest.fixture
async def scene(api: OpenAPI) -> AsyncIterator[Scene]:
    async with Scene(api) as opened:
        await opened.intercom.register(opened.manifest)
        yield opened
        assert opened.validated.checked > 0, "nothing went through the validator"
