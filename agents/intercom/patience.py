"""Asks Intercom again where it has no time now: for a command that somebody waits for, with no queue to come back to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from agents.intercom.failures import TryLater, Unknown

WAITS_MAX = 5  # one after the other, each as long as a window of Intercom's at most; then somebody else uses it all up
UNKNOWN_SECONDS = 2.0  # a write whose answer was lost is over by then
Answer = TypeVar("Answer")


async def patiently(
    ask: Callable[[], Awaitable[Answer]], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> Answer:
    """What `ask` answers, at the latest with the last of WAITS_MAX attempts; then its Failure. ask: harmless to repeat."""
    for waited in range(WAITS_MAX):
        try:
            return await ask()
        except (TryLater, Unknown) as later:
            if waited == WAITS_MAX - 1:
                raise
            await sleep(later.after_seconds if isinstance(later, TryLater) else UNKNOWN_SECONDS)
    raise AssertionError("the last attempt answers or raises")
