"""/live, /ready and /metrics over HTTP, from a thread that answers while the process hangs."""

import asyncio
import socket

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents import receive
from agents.probes import Told, serving
from agents.receiver import reaching
from agents.settings import Misconfigured, Settings
from tests.receiver.doubles import FakeLog


def settings(port: int | None = 0) -> Settings:
    return Settings(kafka_bootstrap="127.0.0.1:9", metrics_port=port)


def answer_of(url: str) -> tuple[int, str]:
    answer = httpx.get(url)
    return answer.status_code, answer.text


async def yes() -> Told:
    return Told(True, "working on 8 partitions")


async def no() -> Told:
    return Told(False, "nothing was committed for too long")


def test_each_address_answers_what_the_process_says() -> None:
    with serving(settings(), live=yes, ready=no) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        live, ready, metrics = http.get("/live"), http.get("/ready"), http.get("/metrics")
        assert http.get("/other").status_code == 404 and http.post("/live").status_code == 405
    assert (live.status_code, live.text) == (200, "working on 8 partitions")
    assert (ready.status_code, ready.text) == (503, "nothing was committed for too long")
    read = {family.name: family.samples for family in text_string_to_metric_families(metrics.text)}
    assert [sample.value for sample in read["concierge_live"]] == [1.0]
    assert [sample.value for sample in read["concierge_ready"]] == [0.0]
    assert "process_start_time_seconds" in read


def test_it_answers_while_the_rest_of_the_process_stands_still() -> None:
    answered: list[tuple[int, str]] = []
    with serving(settings(), live=no, ready=no) as port:

        async def hanging() -> None:
            answered.append(answer_of(f"http://127.0.0.1:{port}/live"))  # never gives its loop away

        asyncio.run(hanging())
    assert answered == [(503, "nothing was committed for too long")]


async def test_a_receiver_whose_loop_hangs_is_not_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.receive.ANSWER_SECONDS_MAX", 0.2)
    live, ready = receive._asked_from_outside(reaching(FakeLog()))
    with serving(settings(), live=live, ready=ready) as port:
        address = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=address) as http:
            assert (await http.get("/live")).status_code == 200
            assert (await http.get("/ready")).status_code == 200
        told = answer_of(f"{address}/live")  # this very loop waits for it and so cannot say that it lives
        assert told == (503, "the receiver's loop does not answer")


async def test_a_receiver_without_kafka_is_live_and_not_ready() -> None:
    log = FakeLog()
    log.away = True
    live, ready = receive._asked_from_outside(reaching(log))
    with serving(settings(), live=live, ready=ready) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            assert (await http.get("/live")).status_code == 200
            assert (await http.get("/ready")).status_code == 503


def test_without_a_port_nothing_is_served() -> None:
    with serving(settings(None), live=yes, ready=yes) as port:
        assert port is None


def test_a_port_that_is_taken_is_refused_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured, match="CONCIERGE_METRICS_PORT"), serving(settings(port), live=yes, ready=yes):
            pass
