"""A chunk that is cut by a rebalance while its outputs are queued: the flush that follows sees all of it."""

import asyncio

import pytest

from agents.reliable.work import Work


def work() -> Work:
    return Work(lambda reason: pytest.fail(reason), gaps_allowed=False)


async def test_who_waits_may_be_cancelled_and_the_flush_still_sees_state_outputs_and_position_together() -> None:
    shared, begun, room, seen = work(), asyncio.Event(), asyncio.Event(), []
    state: list[str] = []

    async def chunk() -> None:
        async with shared.gate:
            state.append("changed")
            begun.set()
            await room.wait()  # the producer has no room
            state.append("outputs queued")

    async def flush() -> None:
        async with shared.gate:
            seen.append(list(state))

    fetcher = asyncio.create_task(shared.uncut(chunk()))
    await begun.wait()
    fetcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetcher
    flushing = asyncio.create_task(flush())
    await asyncio.sleep(0)
    room.set()
    await flushing
    assert seen == [["changed", "outputs queued"]]


async def test_what_a_step_gives_or_raises_reaches_who_waits() -> None:
    async def gives() -> int:
        return 7

    async def raises() -> None:
        raise ValueError("no")

    assert await work().uncut(gives()) == 7
    with pytest.raises(ValueError, match="no"):
        await work().uncut(raises())
