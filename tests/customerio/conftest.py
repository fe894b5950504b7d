"""Fixtures: Customer.io's description of Data Pipelines, once for all tests, and a world that is held against it."""

import os

import pytest
from openapi_core import OpenAPI

from tests.customerio import official
from tests.customerio.world import World


@pytest.fixture(scope="session")
def pipelines() -> OpenAPI:
    if not official.DESCRIPTION.exists():
        reason = "Customer.io's API description is not beside the checkout"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return official.load()


@pytest.fixture
def world(pipelines: OpenAPI) -> World:
    return World(pipelines)
