"""/live, /ready and /metrics of a process, served from a thread of its own so that a hanging process still says so.

/live 503 asks a supervisor for a restart, /ready 503 for no traffic now; both answer a sentence. No personal data anywhere.
"""

import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from agents.measures import LIVE, READY
from agents.settings import Misconfigured, Settings

CONNECTIONS_MAX = 16  # a probe, a scraper and a person looking; beyond that 503
KEEP_ALIVE_SECONDS = 5
END_SECONDS_MAX = 5.0


class Told(NamedTuple):
    """yes, and a sentence for people."""

    yes: bool
    reason: str


Ask = Callable[[], Coroutine[Any, Any, Told]]


def probes_app(*, live: Ask, ready: Ask) -> Starlette:
    """An ASGI application with the three addresses."""

    async def metrics(request: Request) -> Response:
        LIVE.set((await live()).yes)
        READY.set((await ready()).yes)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[*routes(live=live, ready=ready), Route("/metrics", metrics)])


def routes(*, live: Ask, ready: Ask) -> list[Route]:
    """/live and /ready, to stand beside other addresses."""
    return [Route("/live", _answering(live)), Route("/ready", _answering(ready))]


@contextmanager
def serving(settings: Settings, *, live: Ask, ready: Ask) -> Iterator[int | None]:
    """Serves on CONCIERGE_METRICS_PORT while the block runs; the port, None where none is set. Misconfigured if it is taken."""
    if settings.metrics_port is None:
        yield None
        return
    listener = listening(settings.listen_host, settings.metrics_port, setting="CONCIERGE_METRICS_PORT")
    config = uvicorn.Config(
        probes_app(live=live, ready=ready), log_level="warning", log_config=None, access_log=False, lifespan="off",
        limit_concurrency=CONNECTIONS_MAX, timeout_keep_alive=KEEP_ALIVE_SECONDS, server_header=False,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="probes", daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(END_SECONDS_MAX)
        listener.close()


def listening(host: str, port: int, *, setting: str) -> socket.socket:
    """A socket that takes connections, which `setting` asks for. Misconfigured where there can be none."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]
        raise Misconfigured(
            f"{setting}: cannot listen on it ({why}); name a free port, and an address of this machine as CONCIERGE_LISTEN_HOST"
        ) from None


def _answering(ask: Ask) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        told = await ask()
        return PlainTextResponse(told.reason, 200 if told.yes else 503)

    return answer
