"""Sends identify and track calls to Customer.io's Data Pipelines, in batches, strictly: what it does not take it must say.

Without its strict mode Customer.io answers 200 to calls that it throws away. Identifiers stand in the body, never in a path, so
that none of them needs an escape. docs/decisions/0010 says why this API.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import msgspec

from agents.customerio.failures import TryLater, Unauthorized

Message = dict[str, Any]
BATCH_MESSAGES_MAX = 100  # some 60 kB, far below the limit, and one request a second is 100 changes a second
BATCH_BYTES_MAX = 500_000  # Customer.io's limit of a request
MESSAGE_BYTES_MAX = 32_000  # and of one call in it
TIMEOUT_SECONDS = 10.0
WHOLE_SECONDS_MAX = 30.0  # of one request, also where the answer drips
WRONG = frozenset({400, 413, 422})  # in a message; any other refusal, as of a wrong address, is no fault of theirs


class Pipelines:
    """One Data Pipelines source. write_key: the user of basic authentication. allowed: asked before every request."""

    def __init__(
        self, *, base_url: str, write_key: str, allowed: Callable[[], Awaitable[bool]],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:  # fmt: skip
        self._allowed = allowed
        self._http = httpx.AsyncClient(
            base_url=base_url,
            transport=transport,
            auth=httpx.BasicAuth(write_key, ""),
            headers={"X-Strict-Mode": "1", "Content-Type": "application/json"},
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, messages: Sequence[Message]) -> tuple[str, ...]:
        """Ids of the messages that Customer.io will never take; all others have arrived. TryLater, Unauthorized.

        A batch that is refused is sent again in halves, so that one bad message costs nobody else.
        """
        body = msgspec.json.encode({"batch": list(messages)})
        if len(messages) == 1 and len(body) > MESSAGE_BYTES_MAX:
            return (messages[0]["messageId"],)
        if len(body) <= BATCH_BYTES_MAX and await self._taken(body):
            return ()
        if len(messages) == 1:
            return (messages[0]["messageId"],)
        half = len(messages) // 2
        return (*await self.send(messages[:half]), *await self.send(messages[half:]))

    async def _taken(self, body: bytes) -> bool:
        """Whether Customer.io took it all; False where it answered that something in it is wrong."""
        if not await self._allowed():
            raise TryLater("another worker may have taken over")
        try:
            async with asyncio.timeout(WHOLE_SECONDS_MAX):
                answer = await self._http.post("/batch", content=body)
        except (TimeoutError, httpx.TransportError, httpx.DecodingError) as error:
            raise TryLater(type(error).__name__) from None  # its message may quote what was sent
        status = answer.status_code
        if answer.is_success:
            return True
        if status in (401, 403):
            raise Unauthorized(status)
        if status in WRONG:
            return False
        raise TryLater(f"status {status}")
