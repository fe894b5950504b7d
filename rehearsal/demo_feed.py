"""Plays the shop: posts each message to the receiver when the simulated clock reaches it, signed as the vendor would.

Messages of one person keep their order; a few people are served at once, as browsers and webhooks would.
"""

import asyncio
import hashlib
import hmac
import secrets
import time
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import httpx

from rehearsal.demo_evidence import Evidence
from rehearsal.demo_shopper import Feed, Sent

LANES = 12  # posts in flight; the receiver takes many more
LANE_MAX = 2_000  # messages that wait for one lane; the shop waits where it is full
TRIES_MAX = 8  # of a message that was answered 5xx or not at all, as a vendor repeats it
RETRY_SECONDS = 0.5
POST_SECONDS_MAX = 5.0

PATHS: dict[Feed, str] = {
    "pipelines": "/customerio/pipelines", "reporting": "/customerio/webhook", "intercom": "/intercom/webhook",
}  # fmt: skip


class Secrets(NamedTuple):
    """Made anew for each run; they sign what the shop sends and are told to the receiver."""

    pipelines: str
    reporting: str
    intercom: str

    @classmethod
    def fresh(cls) -> "Secrets":
        return cls(secrets.token_hex(16), secrets.token_hex(16), secrets.token_hex(16))

    def headers(self, feed: Feed, body: bytes) -> dict[str, str]:
        """The signature that the receiver asks for."""
        if feed == "pipelines":
            return {"X-Signature": hmac.new(self.pipelines.encode(), body, hashlib.sha1).hexdigest()}
        if feed == "intercom":
            return {"X-Hub-Signature": "sha1=" + hmac.new(self.intercom.encode(), body, hashlib.sha1).hexdigest()}
        stamp = str(int(time.time()))
        signed = f"v0:{stamp}:".encode() + body
        digest = hmac.new(self.reporting.encode(), signed, hashlib.sha256).hexdigest()
        return {"X-CIO-Timestamp": stamp, "X-CIO-Signature": digest}


async def play(messages: Iterator[Sent], *, url: str, signer: Secrets, evidence: Evidence, until_wall_ms: int) -> None:
    """Returns once everything is acknowledged or given up; what was given up is in `evidence.refused`.

    What could not be posted until `until_wall_ms`, on a machine that is too slow, is counted in `evidence.unsent`.
    """
    lanes: list[asyncio.Queue[Sent | None]] = [asyncio.Queue(LANE_MAX) for _ in range(LANES)]
    async with (
        httpx.AsyncClient(base_url=url, timeout=POST_SECONDS_MAX, trust_env=False) as client,
        asyncio.TaskGroup() as group,
    ):
        for lane in lanes:
            group.create_task(_serve(lane, client, signer, evidence, until_wall_ms))
        for sent in messages:
            due_ms = evidence.wall_ms(sent.at_ms)
            await asyncio.sleep(max(0.0, due_ms / 1000 - time.time()))
            await lanes[zlib.crc32((sent.person or sent.message).encode()) % LANES].put(sent)
        for lane in lanes:
            await lane.put(None)


async def _serve(
    lane: asyncio.Queue[Sent | None], client: httpx.AsyncClient, signer: Secrets, evidence: Evidence, until_wall_ms: int
) -> None:
    while (sent := await lane.get()) is not None:
        if time.time_ns() // 1_000_000 > until_wall_ms:
            evidence.unsent += 1
            continue
        answer = await _post(sent, client, signer)
        if answer == 200:
            evidence.delivered(sent, time.time_ns() // 1_000_000)
        else:
            evidence.refused.append(f"{sent.message} was answered {answer}")


async def _post(sent: Sent, client: httpx.AsyncClient, signer: Secrets) -> int:
    """The status of the last try; 0 where there was no answer."""
    status = 0
    for _ in range(TRIES_MAX):
        try:
            response = await client.post(
                PATHS[sent.feed], content=sent.body, headers=signer.headers(sent.feed, sent.body)
            )
            status = response.status_code
        except httpx.TransportError:
            status = 0
        if 0 < status < 500:
            return status
        await asyncio.sleep(RETRY_SECONDS)
    return status
