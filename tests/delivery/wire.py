"""The way between the adapter and the rehearsed Intercom: slow, lossy, and watched.

Every request is known to be one of a command's, because each is made within `speaking_for`; so the watch can say what must
not happen, whatever the courier believes.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import httpx

from agents.intercom.line import READ_SECONDS
from contracts.commands import Command
from rehearsal.intercom import RESET_OVERSHOOT_SECONDS
from rehearsal.virtual_time import LoopClock
from tests.intercom.scene import START_MS

LATE_SECONDS = 1.5  # a request whose answer is lost is over so long after the client gave up
SLOW_SECONDS = 0.05  # the middle of a call
FAULTS = ("refused_connection", "lost_request", "lost_answer", "reset", "half_answer", "broken_after")
_command: ContextVar[Command | None] = ContextVar("command", default=None)


@contextmanager
def speaking_for(command: Command) -> Iterator[None]:
    token = _command.set(command)
    try:
        yield
    finally:
        _command.reset(token)


class Wire(httpx.AsyncBaseTransport):
    """newest: the newest command that the courier was told for a person. hurt: how likely each fault of FAULTS is."""

    def __init__(
        self,
        server: httpx.AsyncBaseTransport,
        *,
        seed: int,
        hurt: float,
        newest: Callable[[str], Command | None],
        before: Callable[[httpx.Request, Command], None],
    ) -> None:
        self.violations: list[str] = []
        self.served: Counter[str] = Counter()
        self.requests = 0
        self._server = server
        self._rng = random.Random(seed)
        self._hurt = hurt
        self._newest = newest
        self._before = before
        self._clock = LoopClock(START_MS)
        self._hurt_people: set[str] = set()
        self._open: Counter[str] = Counter()
        self._arrived: dict[str, int] = {}  # the newest revision of a person of which a write arrived
        self._refused: set[tuple[str, int, str, bytes]] = set()
        self._closed_ms: tuple[int, int] = (0, 0)  # a 429 was answered then, and its window is refilled then
        self._arriving: set[asyncio.Task[httpx.Response]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        command = _command.get()
        await request.aread()
        if command is None:
            return await self._arrive(request, None)
        self.requests += 1
        self._look(request, command)
        self._open[command.person] += 1
        if self._open[command.person] > 1:
            self._wrong("two requests in flight for one person", command)
        try:
            answer = await self._carry(request, command)
        finally:
            self._open[command.person] -= 1
        self._note(request, command, answer)
        return answer

    def touched(self, person: str) -> bool:
        """Whether a write of the person was ever in doubt, so that a repeat may write what is there already."""
        return person in self._hurt_people

    def arrived(self, command: Command) -> bool:
        """Whether a write of the command arrived, and none of a newer one."""
        return self._arrived.get(command.person) == command.revision

    def forget_refusals(self) -> None:
        """A new worker may not know of them."""
        self._refused.clear()

    async def over(self) -> None:
        """Until everything that was sent has arrived."""
        while self._arriving:
            await asyncio.wait(self._arriving)

    async def _carry(self, request: httpx.Request, command: Command) -> httpx.Response:
        rng = self._rng
        await asyncio.sleep(rng.expovariate(1 / SLOW_SECONDS))
        fault = rng.choice(FAULTS) if rng.random() < self._hurt else None
        if fault is not None:
            self.served[fault] += 1
            self._hurt_people.add(command.person)
        if fault == "refused_connection":
            raise httpx.ConnectError("refused", request=request)
        if fault == "lost_request":
            await asyncio.sleep(READ_SECONDS)
            raise httpx.ReadTimeout("nothing came back", request=request)
        late = rng.uniform(0, READ_SECONDS + LATE_SECONDS) if fault == "lost_answer" else 0.0
        arriving = asyncio.create_task(self._arrive(request, command, late))
        self._arriving.add(arriving)
        arriving.add_done_callback(self._arriving.discard)
        if fault == "lost_answer":
            await asyncio.sleep(READ_SECONDS)
            raise httpx.ReadTimeout("nothing came back", request=request)
        answer = await asyncio.shield(arriving)  # who stops listening does not stop what was sent
        await asyncio.sleep(rng.expovariate(1 / SLOW_SECONDS))
        if fault == "reset":
            raise httpx.ReadError("connection reset", request=request)
        if fault == "half_answer" and not answer.is_success:
            raise httpx.RemoteProtocolError("the connection ended within the answer", request=request)
        if fault == "half_answer":
            half = answer.content[: len(answer.content) // 2] or b"{"
            return httpx.Response(answer.status_code, content=half, request=request)
        if fault == "broken_after":
            return httpx.Response(502, content=b"<html>bad gateway</html>", request=request)
        return answer

    async def _arrive(self, request: httpx.Request, command: Command | None, late: float = 0.0) -> httpx.Response:
        await asyncio.sleep(late)
        if command is not None:
            if _writes(request):
                if command.revision < self._arrived.get(command.person, 0):
                    self._wrong("an older revision arrived after a newer one", command)
                self._arrived[command.person] = max(command.revision, self._arrived.get(command.person, 0))
            self._before(request, command)
        again = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        answer = await self._server.handle_async_request(again)
        await answer.aread()
        return answer

    def _look(self, request: httpx.Request, command: Command) -> None:
        now_ms = self._clock.now_ms()
        if self._closed_ms[0] < now_ms < self._closed_ms[1]:
            self._wrong("a request between a 429 and the end of its window", command)
        if (command.person, command.revision, request.url.path, request.content) in self._refused:
            self._wrong("a request that was answered 400 is repeated", command)
        if not _writes(request) or not command.activates:
            return
        newest = self._newest(command.person)
        if newest is not None and newest.revision > command.revision and not newest.activates:
            self._wrong("a moment is written after it was withdrawn", command)
        if command.expires_ms is not None and command.expires_ms <= now_ms:
            self._wrong("a moment is written after it expired", command)

    def _note(self, request: httpx.Request, command: Command, answer: httpx.Response) -> None:
        status = answer.status_code
        if status >= 400:
            self.served[str(status)] += 1
        if status >= 500:
            self._hurt_people.add(command.person)
        if status == 429:
            reset_s = int(answer.headers["x-ratelimit-reset"])
            self._closed_ms = (self._clock.now_ms(), (reset_s - RESET_OVERSHOOT_SECONDS) * 1000)
        if status == 409:
            self.served["409 archived" if b"archived" in answer.content else "409 live"] += 1
        if status == 400:
            if b"does not exist" in answer.content:
                self.served["unknown attribute"] += 1
            elif (
                request.url.path != "/data_attributes"
            ):  # one that another call made first may vanish, and be made, again
                self._refused.add((command.person, command.revision, request.url.path, request.content))

    def _wrong(self, what: str, command: Command) -> None:
        self.violations.append(f"{what}: {command.person} revision {command.revision} at {self._clock.now_ms()}")


def _writes(request: httpx.Request) -> bool:
    return request.method in ("POST", "PUT") and not request.url.path.endswith("/search")
