"""The shop's messages are signed as the receiver asks, keep each person's order and are never given up silently."""

import asyncio
import time
from random import Random

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents import signature
from agents.clock import SimulatedClock
from contracts.instant import MINUTE_MS
from rehearsal import demo_feed, shop
from rehearsal.demo_evidence import Evidence
from rehearsal.demo_feed import PATHS, Secrets, play
from rehearsal.demo_parts import free_port
from rehearsal.demo_shopper import Feed, Sent
from tests.demo.world import POLICY, START_MS

BODY = b'{"type":"track"}'


def signed(feed: Feed, body: bytes, signer: Secrets) -> bool:
    """Whether the receiver's own check takes the headers of `BODY` for `body`."""
    headers = signer.headers(feed, BODY)
    match feed:
        case "pipelines":
            return signature.pipelines_webhook(
                body, signature=headers["X-Signature"], secrets=[signer.pipelines.encode()]
            )
        case "intercom":
            given = headers["X-Hub-Signature"]
            return signature.intercom_notification(body, signature=given, secrets=[signer.intercom.encode()])
        case "reporting":
            return signature.customerio_report(
                body, timestamp=headers["X-CIO-Timestamp"], signature=headers["X-CIO-Signature"],
                secrets=[signer.reporting.encode()],
            )  # fmt: skip


@pytest.mark.parametrize("feed", ["pipelines", "reporting", "intercom"])
def test_a_message_is_signed_as_its_door_asks(feed: Feed) -> None:
    signer = Secrets.fresh()
    assert signed(feed, BODY, signer)
    assert not signed(feed, BODY + b" ", signer)


def test_secrets_are_made_anew() -> None:
    assert Secrets.fresh() != Secrets.fresh()


class Door:
    """A receiver that answers what it is told, and remembers what came."""

    def __init__(self, *answers: int) -> None:
        self.answers, self.bodies = list(answers), list[bytes]()

    async def take(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        return Response(status_code=self.answers.pop(0) if self.answers else 200)

    async def serve(self, messages: list[Sent], *, until_wall_ms: int = 2**60) -> Evidence:
        """Play the messages to this door; all of them are due."""
        app = Starlette(routes=[Route(path, self.take, methods=["POST"]) for path in PATHS.values()])
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", lifespan="off"))
        serving = asyncio.create_task(server.serve())
        clock = SimulatedClock(START_MS, time.time_ns() // 1_000_000 - 60_000, 1440)
        evidence = Evidence(POLICY, clock)
        while not server.started:  # noqa: ASYNC110 - uvicorn has a flag and no event
            await asyncio.sleep(0.01)
        try:
            url = f"http://127.0.0.1:{port}"
            await play(iter(messages), url=url, signer=Secrets.fresh(), evidence=evidence, until_wall_ms=until_wall_ms)
        finally:
            server.should_exit = True
            await serving
        return evidence


def some(count: int) -> list[Sent]:
    return list(shop.day(Random(3), start_ms=START_MS, hours=2, people=12))[:count]


async def test_everything_is_posted_once_and_each_person_in_order() -> None:
    messages, door = some(120), Door()
    evidence = await door.serve(messages)
    assert sorted(door.bodies) == sorted(sent.body for sent in messages)
    assert sum(evidence.acknowledged.values()) == len(messages) and not evidence.refused
    for person in {sent.person for sent in messages if sent.person}:
        own = [sent.body for sent in messages if sent.person == person]
        assert [body for body in door.bodies if body in own] == own


async def test_a_message_that_was_not_taken_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_feed, "RETRY_SECONDS", 0.0)
    messages, door = some(1), Door(503, 503)
    evidence = await door.serve(messages)
    assert door.bodies == [messages[0].body] * 3 and not evidence.refused
    assert sum(evidence.acknowledged.values()) == 1


@pytest.mark.parametrize("answers", [(401,), (503,) * demo_feed.TRIES_MAX])
async def test_a_message_that_is_given_up_is_told(monkeypatch: pytest.MonkeyPatch, answers: tuple[int, ...]) -> None:
    monkeypatch.setattr(demo_feed, "RETRY_SECONDS", 0.0)
    messages, door = some(1), Door(*answers)
    evidence = await door.serve(messages)
    assert evidence.refused == [f"{messages[0].message} was answered {answers[-1]}"]
    assert not evidence.acknowledged and not evidence.sent


async def test_a_message_waits_for_its_time() -> None:
    clock_ms = 12 * MINUTE_MS  # half a second of the wall
    door, first = Door(), some(1)[0]
    late = first._replace(at_ms=START_MS + 60_000 * 1440 + clock_ms)
    began = time.monotonic()
    await door.serve([late])
    assert time.monotonic() - began >= 0.4


async def test_what_there_is_no_time_for_is_counted_and_not_sent() -> None:
    door = Door()
    evidence = await door.serve(some(5), until_wall_ms=0)
    assert door.bodies == [] and evidence.unsent == 5 and not evidence.acknowledged
