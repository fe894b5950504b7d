"""The line to Intercom: one HTTP call, its answer read as JSON, every failure told by what to do about it.

Obeys the rate headers: after a 429 or `Remaining: 0` nothing is sent until the window that the answer named is over.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import httpx

from agents.intercom.failures import Refused, TryLater, Unauthorized, Unknown
from agents.measures import RATE_LEFT, REQUESTS

API_VERSION = "2.16"
CONNECT_SECONDS = 3.0  # a healthy handshake takes a fraction of this
READ_SECONDS = 10.0  # the slowest recorded answer took 1.3 s
WRITE_SECONDS = 5.0  # bodies are a few kilobytes
POOL_SECONDS = 5.0  # callers are bounded, so waiting long for a connection means the line is stuck
CONNECTIONS_MAX = 32  # above the courier's bound on calls in flight, so the pool never is the limit
WINDOW_SECONDS_MAX = 12.0  # windows last 10 s and the reset header overshoots by 2
PAUSE_SECONDS = 2.0  # after a connection that did not come about
FAILURES_SHARED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)  # nothing was sent


class Merged(Exception):
    """The contact was merged into another one (410)."""

    def __init__(self, canonical_id: str) -> None:
        super().__init__("the contact was merged into another one")
        self.canonical_id = canonical_id


class Gone(Exception):
    """No such contact (404)."""


class Conflict(Exception):
    """A contact with these details exists (409); the id stands only in the message."""

    def __init__(self, message: str) -> None:
        super().__init__("a contact with these details exists")
        self.message = message


class Invalid(Refused):
    """400 `parameter_invalid`: an unknown attribute, or a value that does not fit."""


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


class Line:
    """One token's calls. now_ms: unix milliseconds on the clock that Intercom's reset header is read against.

    allowed: asked before every single call whether this process may still speak.
    """

    def __init__(
        self, http: httpx.AsyncClient, now_ms: Callable[[], int], allowed: Callable[[], Awaitable[bool]]
    ) -> None:
        self._http = http
        self._allowed = allowed
        self._now_ms = now_ms
        self._closed_until_ms = 0

    async def call(self, method: str, path: str, body: object = None, *, reads: bool = False) -> dict[str, Any]:
        """The JSON object of a 2xx answer ({} where it is empty). Failure, Merged, Gone or Conflict otherwise.

        reads: a POST that changes nothing (a search).
        """
        harmless = reads or method == "GET"
        self._wait_for_window()
        if not await self._allowed():
            raise TryLater(PAUSE_SECONDS, "somebody else may have taken over", shared=True)
        try:
            answer = await self._http.request(method, path, json=body)
        except FAILURES_SHARED as error:
            REQUESTS.labels("no_connection").inc()
            raise TryLater(PAUSE_SECONDS, f"no connection ({type(error).__name__})", shared=True) from error
        except (TimeoutError, httpx.TransportError, httpx.DecodingError) as error:
            REQUESTS.labels("lost").inc()
            self._lost(type(error).__name__, harmless)
        self._heed(answer)
        if not answer.is_success:
            self._fail(answer, harmless)
        return self._object(answer, harmless)

    def _wait_for_window(self) -> None:
        left_ms = self._closed_until_ms - self._now_ms()
        if left_ms > 0:
            raise TryLater(left_ms / 1000, "the rate limit is used up", shared=True)

    def _heed(self, answer: httpx.Response) -> None:
        REQUESTS.labels(str(answer.status_code)).inc()
        left = answer.headers.get("X-RateLimit-Remaining", "")
        if left.isascii() and left.isdigit():
            RATE_LEFT.set(int(left))
        if answer.status_code == 429 or answer.headers.get("X-RateLimit-Remaining") == "0":
            after_seconds = self._until_reset(answer)
            self._closed_until_ms = max(self._closed_until_ms, self._now_ms() + int(after_seconds * 1000))

    def _until_reset(self, answer: httpx.Response) -> float:
        """Seconds until the named end of the window, clamped to what a window can last; the longest where none is named."""
        try:
            left = int(answer.headers["X-RateLimit-Reset"]) - self._now_ms() / 1000
        except (KeyError, ValueError):
            return WINDOW_SECONDS_MAX
        return min(max(left, 1.0), WINDOW_SECONDS_MAX)

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
        """Status first, code second; the message is read for a 409 alone, because its id stands nowhere else."""
        status, (code, message) = answer.status_code, _first_error(answer)
        if status == 429:
            raise TryLater(self._until_reset(answer), "the rate limit is used up", shared=True)
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
            raise Invalid(code)
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
