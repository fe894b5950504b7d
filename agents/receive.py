"""Serves the receiver with uvicorn until the process is told to stop."""

import asyncio
import signal
import threading
from importlib.metadata import version
from types import FrameType

import structlog
import uvicorn

from agents.kafka_topics import Unreachable, check_receiver
from agents.log_writer import KafkaLog
from agents.measures import RUNNING
from agents.probes import Ask, Told, listening, serving
from agents.receiver import doors, live, reaching, receiver_app
from agents.settings import Misconfigured, Settings

CONNECTIONS_MAX = 64  # at 16 MiB a body no more than 1 GiB is held; Customer.io opens a few
SHUTDOWN_SECONDS_MAX = 5
ANSWER_SECONDS_MAX = 2.0  # of a healthy loop it takes milliseconds, and asking Kafka is bounded by one second
log = structlog.get_logger(__name__)


async def receive(settings: Settings) -> int:
    """Exit code 0 after an orderly stop. Misconfigured when no address would exist or can be, or a topic is missing."""
    open_doors = doors(settings)
    if not open_doors:
        raise Misconfigured(
            "no webhook can be received: set CONCIERGE_CUSTOMERIO_WEBHOOK_SECRETS, CONCIERGE_CUSTOMERIO_PIPELINES_SECRETS "
            "or CONCIERGE_INTERCOM_CLIENT_SECRETS, or CONCIERGE_CUSTOMERIO_PIPELINES_OPEN=true"
        )
    try:
        await asyncio.to_thread(check_receiver, settings)
    except Unreachable as error:  # it takes nothing until Kafka is there, and connects as soon as it is
        log.warning("log_unavailable", reason=str(error))
    listener = listening(settings.listen_host, settings.listen_port, setting="CONCIERGE_LISTEN_PORT")
    writer = KafkaLog(settings)
    app = receiver_app(doors=open_doors, writer=writer, clock=settings.clock_port())
    config = uvicorn.Config(
        app, log_level="warning", access_log=False,
        log_config=None, limit_concurrency=CONNECTIONS_MAX, timeout_graceful_shutdown=SHUTDOWN_SECONDS_MAX, server_header=False,
    )  # fmt: skip
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _already_stopping)
    RUNNING.labels("receiver", version("concierge")).set(1)
    asked_live, asked_ready = _asked_from_outside(reaching(writer))
    try:
        with serving(settings, live=asked_live, ready=asked_ready):
            await uvicorn.Server(config).serve(sockets=[listener])
    finally:
        listener.close()
        await writer.close()
    return 0


def _asked_from_outside(reaches: Ask) -> tuple[Ask, Ask]:
    """live and ready for another thread: they ask this loop, and one that does not answer is not live."""
    loop = asyncio.get_running_loop()

    async def here(ask: Ask) -> Told:
        asked = asyncio.run_coroutine_threadsafe(ask(), loop)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(asked), ANSWER_SECONDS_MAX)
        except TimeoutError:
            return Told(False, "the receiver's loop does not answer")

    async def live_there() -> Told:
        return await here(live)

    async def ready_there() -> Told:
        return await here(reaches)

    return live_there, ready_there


def _already_stopping(number: int, frame: FrameType | None) -> None:
    """uvicorn raises the signal once more after its orderly stop; the default would end us before Kafka is told."""
