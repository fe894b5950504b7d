"""The line to Intercom: one HTTP call, its answer read as JSON, every failure told by what to do about it.

Asks its budget before each call, and whether the errand is still fresh right before each write.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import httpx

from agents.intercom.budget import Budget, until_reset_seconds
from agents.intercom.failures import Overtaken, Refused, TryLater, Unauthorized, Unknown
from agents.measures import RATE_LEFT, REQUESTS

API_VERSION = "2.16"
CONNECT_SECONDS = 3.0  # a healthy handshake takes a fraction of this
READ_SECONDS = 10.0  # the slowest recorded answer took 1.3 s
WRITE_SECONDS = 5.0  # bodies are a few kilobytes
WHOLE_SECONDS_MAX = 30.0  # of one call: an answer that drips holds up no place among the calls in flight
POOL_SECONDS = 5.0  # callers are bounded, so waiting long for a connection means the line is stuck
CONNECTIONS_MAX = 32  # above the courier's bound on calls in flight, so the pool never is the limit
PAUSE_SECONDS = 2.0  # after a connection that did not come about
UNKNOWN_ATTRIBUTE = "does not exist"  # of "Custom attribute 'x' does not exist"
FAILURES_SHARED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)  # nothing was sent


class Merged(Refused):
    """The contact was merged into another one (410)."""

    def __init__(self, canonical_id: str) -> None:
        super().__init__("merged")
        self.canonical_id = canonical_id


class Gone(Refused):
    """No such contact (404)."""

    def __init__(self) -> None:
        super().__init__("not_found")


class Conflict(Refused):
    """A contact with these details exists (409); the id stands only in the message."""

    def __init__(self, message: str) -> None:
        super().__init__("conflict")
        self.message = message


class Invalid(Refused):
    """400 `parameter_invalid`: an unknown attribute, or a value that does not fit; which of them only the message says."""

    def __init__(self, message: str) -> None:
        super().__init__("parameter_invalid")
        self.vanished = UNKNOWN_ATTRIBUTE in message


def client(*, base_url: str, token: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """An HTTP client for one workspace; its cookie jar carries Intercom's read-your-writes cookie."""
    return httpx.AsyncClient(
        base_url=base_url,
        transport=transport,
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json", "Intercom-Version": API_VERSION},
        timeout=httpx.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS, write=WRITE_SECONDS, pool=POOL_SECONDS),
        limits=httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX),
        follow_redirects=False,
        trust_env=False,
    )


def current() -> bool:
    """Of an errand that nothing overtakes."""
    return True


class Line:
    """One token's calls.

    allowed: asked before every single call whether this process may still speak.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        budget: Budget,
        allowed: Callable[[], Awaitable[bool]],
        *,
        urgent: bool = False,
        fresh: Callable[[], bool] = current,
    ) -> None:
        self._http = http
        self._budget = budget
        self._allowed = allowed
        self._urgent = urgent
        self._fresh = fresh

    def errand(self, *, urgent: bool, fresh: Callable[[], bool]) -> "Line":
        """The same line for one errand. urgent: it may use what is kept back. fresh: asked right before each write."""
        return Line(self._http, self._budget, self._allowed, urgent=urgent, fresh=fresh)

    async def call(self, method: str, path: str, body: object = None, *, reads: bool = False) -> dict[str, Any]:
        """The JSON object of a 2xx answer ({} where it is empty). Failure otherwise: Merged, Gone and Conflict among them.

        reads: a POST that changes nothing (a search).
        """
        harmless = reads or method == "GET"
        if not await self._allowed():
            raise TryLater(PAUSE_SECONDS, "somebody else may have taken over", shared=True)
        self._wait_for_budget()
        if not harmless and not self._fresh():
            raise Overtaken
        self._budget.begin()
        try:
            async with asyncio.timeout(WHOLE_SECONDS_MAX):
                answer = await self._http.request(method, path, json=body)
        except FAILURES_SHARED as error:
            REQUESTS.labels("no_connection").inc()
            raise TryLater(PAUSE_SECONDS, f"no connection ({type(error).__name__})", shared=True) from error
        except (TimeoutError, httpx.TransportError, httpx.DecodingError) as error:
            REQUESTS.labels("lost").inc()
            self._lost(type(error).__name__, harmless)
        finally:
            self._budget.end()
        self._heed(answer)
        if not answer.is_success:
            self._fail(answer, harmless)
        return self._object(answer, harmless)

    def _wait_for_budget(self) -> None:
        wait_ms = self._budget.wait_ms(urgent=self._urgent)
        if wait_ms > 0:
            urgent_too = self._budget.wait_ms(urgent=True) > 0
            raise TryLater(wait_ms / 1000, "the rate limit is used up", shared=True, urgent_too=urgent_too)

    def _heed(self, answer: httpx.Response) -> None:
        REQUESTS.labels(str(answer.status_code)).inc()
        self._budget.heed(answer)
        RATE_LEFT.set(self._budget.left)

    def _object(self, answer: httpx.Response, harmless: bool) -> dict[str, Any]:
        if not answer.content:
            return {}
        try:
            read = answer.json()
        except ValueError:
            read = None
        if not isinstance(read, dict):
            self._lost("an answer that is no JSON object", harmless)
        return read

    def _lost(self, why: str, harmless: bool) -> NoReturn:
        if harmless:
            raise TryLater(PAUSE_SECONDS, f"the answer was lost ({why})", shared=False)
        raise Unknown(f"the answer was lost ({why})")

    def _fail(self, answer: httpx.Response, harmless: bool) -> NoReturn:
        """Status first, code second; the message is read for what stands nowhere else: the id of a 409, which 400 it is."""
        status, (code, message) = answer.status_code, _first_error(answer)
        if status == 429:
            raise TryLater(until_reset_seconds(answer), "the rate limit is used up", shared=True)
        if status in (401, 403):
            raise Unauthorized(status)
        if status == 404:
            raise Gone
        if status == 409:
            raise Conflict(message)
        if status == 410:
            raise Merged(_canonical_id(answer))
        if status == 408 or status >= 500:
            self._lost(f"status {status}", harmless)
        if status == 400 and code == "parameter_invalid":
            raise Invalid(message)
        raise Refused(code or f"status_{status}")


def _first_error(answer: httpx.Response) -> tuple[str, str]:
    """(code, message) of the first error, empty where there is none; codes are Intercom's own short words."""
    try:
        first = answer.json()["errors"][0]
        code, message = first.get("code"), first.get("message")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return "", ""
    plain = isinstance(code, str) and code.replace("_", "").isalnum() and len(code) <= 64
    return code if plain else "", message if isinstance(message, str) else ""


def _canonical_id(answer: httpx.Response) -> str:
    """The id in `Link: </contacts/{id}>; rel="canonical"`; Gone where the header names none."""
    link = answer.headers.get("Link", "")
    target, _, rest = link.partition(">")
    name = target.removeprefix("<").rpartition("/contacts/")[2]
    if "canonical" not in rest or not name.isalnum():
        raise Gone
    return str(name)
