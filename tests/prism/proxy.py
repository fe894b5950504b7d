"""Stoplight Prism as a proxy in front of a rehearsal Intercom, and a transport through it that raises what Prism objects to."""

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.intercom.serving import served
from tests.prism import description

HERE = Path(__file__).parent
PRISM = HERE / "node_modules/.bin/prism"
INSTALL = "npm ci --ignore-scripts --prefix tests/prism"
UP_SECONDS_MAX = 240  # four seconds where nobody else works; it reads nearly two hundred packages
STOP_SECONDS_MAX = 10
LISTENING = "Prism is listening"
OBJECTION = "https://stoplight.io/prism/errors"


class Objection(Exception):
    """Prism found a request or an answer that is not as described."""


def missing() -> str | None:
    """Why Prism cannot run here; None where it can."""
    if shutil.which("node") is None:
        return "Node is not here; Prism needs version 20"
    if not PRISM.exists():
        return f"Prism is not installed; {INSTALL}"
    return None


class Upstream:
    """Stands where Prism looks for Intercom; the app behind it may change from test to test."""

    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None or scope["type"] == "lifespan", "a test has put its server here"
        if self.app is not None:
            await self.app(scope, receive, send)


class Through(httpx.AsyncBaseTransport):
    """Every request goes through Prism at `address`."""

    def __init__(self, address: str) -> None:
        self._address = httpx.URL(address)
        self._http = httpx.AsyncHTTPTransport()
        self.passed = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._address.port)
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        sent = httpx.Request(request.method, url, headers=headers, content=await request.aread())
        answer = await self._http.handle_async_request(sent)
        body = await answer.aread()
        if OBJECTION.encode() in body:
            found = json.loads(body)
            raise Objection(f"{request.method} {request.url.path}: {found['title']} {found.get('validation', '')}")
        self.passed += 1
        dropped = ("content-encoding", "transfer-encoding", "content-length")
        kept = [(name, value) for name, value in answer.headers.multi_items() if name not in dropped]
        return httpx.Response(answer.status_code, headers=kept, content=body, request=request)

    async def aclose(self) -> None:
        await self._http.aclose()


@contextmanager
def prism(upstream: ASGIApp, folder: Path) -> Iterator[str]:
    """The address of a Prism that holds whatever goes to `upstream` and back against the official description."""
    described = folder / "intercom.json"
    description.write(described)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with served(upstream) as target:
        command: list[str | Path] = [PRISM, "proxy", "--errors", "-h", "127.0.0.1", "-p", str(port), described, target]
        process = subprocess.Popen(  # pinned by the lock file beside this
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        up, said = threading.Event(), list[str]()
        reader = threading.Thread(target=_read, args=(process.stdout, said, up), daemon=True)
        try:
            _await_up(process, reader, said, up)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(STOP_SECONDS_MAX)
            reader.join(STOP_SECONDS_MAX)
            if process.stdout is not None:
                process.stdout.close()


def _await_up(process: "subprocess.Popen[str]", reader: threading.Thread, said: list[str], up: threading.Event) -> None:
    """Its output is read on in a thread, so that a full pipe never stops it."""
    reader.start()
    deadline = time.monotonic() + UP_SECONDS_MAX
    while not up.wait(0.1):
        assert process.poll() is None and time.monotonic() < deadline, "".join(["Prism did not start\n", *said])


def _read(output: IO[str], said: list[str], up: threading.Event) -> None:
    for line in output:
        said[:] = [*said[-50:], line]
        if LISTENING in line:
            up.set()
