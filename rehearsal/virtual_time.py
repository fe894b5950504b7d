"""Time that passes only when nothing else can happen: an event loop whose waits cost nothing.

For what runs wholly in this process: whenever no task can go on, the next timer is the next thing to happen.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class _Leaping(selectors.DefaultSelector):
    """Instead of waiting it moves the clock on."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_seconds = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("everything waits for everything: nothing can ever happen again")
        self.passed_seconds += timeout
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.passed_seconds


class LoopClock:
    """The loop's time as unix milliseconds, from `origin_ms` on."""

    def __init__(self, origin_ms: int) -> None:
        self._origin_ms = origin_ms

    def now_ms(self) -> int:
        return self._origin_ms + int(asyncio.get_running_loop().time() * 1000)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(story: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    """The story's answer, as fast as it can be told."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(story())
