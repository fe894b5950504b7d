"""The delivery tests once more, with Prism between the adapter and the rehearsed Intercom."""

import os
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from openapi_core import OpenAPI
from starlette.types import ASGIApp

from tests.intercom import official
from tests.intercom.scene import Scene
from tests.prism.proxy import Through, Upstream, missing, prism


@pytest.fixture(scope="session")
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture(scope="session")
def address(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    reason = missing()
    if reason is None and not official.DESCRIPTION.exists():
        reason = "Intercom's API description is not beside the checkout"
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with prism(upstream, tmp_path_factory.mktemp("prism")) as found:
        yield found


@pytest.fixture(scope="session")
def api(address: str) -> OpenAPI:
    return official.load()


@pytest.fixture(autouse=True)
def ways(address: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Through]]:
    """Every server of a scene is reached through Prism."""
    ways: list[Through] = []

    def through(app: ASGIApp) -> httpx.AsyncBaseTransport:
        upstream.app = app
        ways.append(Through(address))
        return ways[-1]

    monkeypatch.setattr(Scene, "through", through)
    yield ways
    upstream.app = None


@pytest.fixture
async def scene(api: OpenAPI, ways: list[Through]) -> AsyncIterator[Scene]:
    async with Scene(api) as opened:
        await opened.intercom.register(opened.manifest)
        yield opened
        assert ways[0].passed > 0, "nothing went through Prism"
