"""What this process may still ask of Intercom: learnt from the rate headers, a part kept back for what cannot wait.

Promise: all workers of a token together begin no more calls in a window than Intercom's limit less the share of the
workspace's other apps, and calls that may wait leave a fifth of the limit to withdrawals. docs/decisions/0012 says why so.
"""

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx

WINDOW_SECONDS_MAX = 12.0  # windows last 10 s and the reset header overshoots by 2
WAIT_SECONDS_MIN = 1.0  # the header counts in whole seconds
RESERVED = 0.2  # of the limit, for withdrawals: at the smallest limit known (83) 16 of them in ten seconds
CALLS_MIN = 1  # however small the limit and our part of it, each window has room for one call


class Budget:
    """One token's budget in this process.

    now_ms: milliseconds of a clock that never steps; the wall's is not asked, so that it may be wrong. others: the share
    of the limit that is left to the workspace's other apps. portion: this worker's part of what all workers may ask, 0 to 1.
    """

    def __init__(self, now_ms: Callable[[], int], *, others: float, portion: Callable[[], float]) -> None:
        self._now_ms = now_ms
        self._others = others
        self._portion = portion
        self._limit: int | None = None
        self._left = 0  # of the present window, for everybody, as Intercom last said
        self._reset_s = 0  # names the window
        self._ends_ms = 0  # of the window, on our clock
        self._begun = 0  # calls of ours that count in it
        self._open = 0  # begun and not answered
        self._closed_until_ms = 0

    def wait_ms(self, *, urgent: bool) -> int:
        """0 where a call may begin now, else how long it has to wait."""
        now_ms = self._now_ms()
        if self._closed_until_ms > now_ms:
            return self._closed_until_ms - now_ms
        if self._limit is None:
            return 0
        if self._ends_ms <= now_ms:
            self._begun, self._left = self._open, self._limit  # a new window, of which nothing was heard yet
            self._ends_ms = now_ms + int(WINDOW_SECONDS_MAX * 1000)
        share = 1 - self._others - (0 if urgent else RESERVED)
        ours = max(CALLS_MIN, self._limit * share * self._portion())
        reserved = 0 if urgent else self._limit * RESERVED
        if self._begun < ours and self._left > reserved:
            return 0
        return max(self._ends_ms - now_ms, int(WAIT_SECONDS_MIN * 1000))

    def begin(self) -> None:
        """A call goes out."""
        self._begun += 1
        self._open += 1

    def end(self) -> None:
        """A call came back, or was lost."""
        self._open -= 1

    def heed(self, answer: httpx.Response) -> None:
        """Learns from an answer; one without rate headers (bad credentials) says nothing, unless it is a 429."""
        limit, left, reset_s = (_number(answer, f"X-RateLimit-{name}") for name in ("Limit", "Remaining", "Reset"))
        if limit is not None and limit > 0 and left is not None and reset_s is not None:
            self._limit = limit
            if reset_s > self._reset_s:
                self._reset_s, self._left, self._begun = reset_s, left, self._open + 1
                self._ends_ms = self._now_ms() + int(until_reset_seconds(answer) * 1000)
                self._closed_until_ms = 0
            elif reset_s == self._reset_s:
                self._left = min(self._left, left)  # answers overtake each other
        if answer.status_code == 429:
            self._closed_until_ms = self._now_ms() + int(until_reset_seconds(answer) * 1000)

    @property
    def left(self) -> int:
        """Requests left in the present window, for everybody, as Intercom last said."""
        return self._left


def until_reset_seconds(answer: httpx.Response) -> float:
    """From the answer to the named end of its window, by Intercom's clock alone; the longest where it names none."""
    reset_s, date = _number(answer, "X-RateLimit-Reset"), _date(answer)
    if reset_s is None or date is None:
        return WINDOW_SECONDS_MAX
    return min(max(reset_s - date.timestamp(), WAIT_SECONDS_MIN), WINDOW_SECONDS_MAX)


def _number(answer: httpx.Response, name: str) -> int | None:
    text = answer.headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _date(answer: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers.get_list("Date")[0])
    except (IndexError, ValueError, TypeError):
        return None
