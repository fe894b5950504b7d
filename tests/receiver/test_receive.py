import asyncio
import os
import signal
import socket
import sys

import httpx
import pytest

from agents.receive import receive
from agents.settings import Misconfigured, read_settings

PROGRAM = """
import asyncio, os, sys
from agents.receive import receive
from agents.settings import read_settings
sys.exit(asyncio.run(receive(read_settings(os.environ))))
"""


async def test_a_receiver_that_would_receive_nothing_does_not_start() -> None:
    with pytest.raises(Misconfigured, match="CONCIERGE_CUSTOMERIO_WEBHOOK_SECRETS"):
        await receive(read_settings({"CONCIERGE_KAFKA_BOOTSTRAP": "127.0.0.1:9"}))


@pytest.mark.parametrize("given", [{"LISTEN_HOST": "no host of ours"}, {"LISTEN_PORT": ""}], ids=["host", "port"])
async def test_an_address_that_cannot_be_had_is_refused_by_name(given: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = {
            "CONCIERGE_KAFKA_BOOTSTRAP": "127.0.0.1:9", "CONCIERGE_CUSTOMERIO_PIPELINES_OPEN": "true",
            "CONCIERGE_LISTEN_PORT": str(taken.getsockname()[1]),
        }  # fmt: skip
        more = {f"CONCIERGE_{name}": value for name, value in given.items() if value}
        with pytest.raises(Misconfigured, match=r"CONCIERGE_LISTEN_PORT: cannot listen on it .*CONCIERGE_LISTEN_HOST"):
            await receive(read_settings(environment | more))


async def test_a_receiver_answers_without_kafka_and_stops_in_order_when_told_to() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ, "CONCIERGE_KAFKA_BOOTSTRAP": "127.0.0.1:9", "CONCIERGE_CUSTOMERIO_PIPELINES_OPEN": "true",
        "CONCIERGE_LISTEN_PORT": str(port),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, env=environment)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http, asyncio.timeout(30):
            while True:
                try:
                    answer = await http.post("/customerio/pipelines", content=b"{}")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)
        assert answer.status_code == 503
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
