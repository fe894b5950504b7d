"""Serves the receiver with uvicorn until the process is told to stop."""

import asyncio
import signal
import threading
from types import FrameType

import structlog
import uvicorn

from agents.kafka_topics import Unreachable, check_receiver
from agents.log_writer import KafkaLog
from agents.receiver import doors, receiver_app
from agents.settings import Misconfigured, Settings

CONNECTIONS_MAX = 64  # at 16 MiB a body no more than 1 GiB is held; Customer.io opens a few
SHUTDOWN_SECONDS_MAX = 5
log = structlog.get_logger(__name__)


async def receive(settings: Settings) -> int:
    """Exit code 0 after an orderly stop. Misconfigured when no address would exist, or a topic is missing."""
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
    writer = KafkaLog(settings)
    app = receiver_app(doors=open_doors, writer=writer, clock=settings.clock_port())
    config = uvicorn.Config(
        app, host=settings.listen_host, port=settings.listen_port, log_level="warning", access_log=False,
        limit_concurrency=CONNECTIONS_MAX, timeout_graceful_shutdown=SHUTDOWN_SECONDS_MAX, server_header=False,
    )  # fmt: skip
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _already_stopping)
    try:
        await uvicorn.Server(config).serve()
    finally:
        await writer.close()
    return 0


def _already_stopping(number: int, frame: FrameType | None) -> None:
    """uvicorn raises the signal once more after its orderly stop; the default would end us before Kafka is told."""
