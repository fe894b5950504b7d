"""A task that fails ends the process, unless the process is ending: then what the task leans on goes before it does."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agents.reliable.app import App, create_app


def carrier(folder: Path) -> tuple[App, list[str], list[Callable[[], Awaitable[None]]]]:
    """An application that is never started, the sentences it would end with, and the tasks it was given."""
    app = create_app(
        name="tasks",
        bootstrap="127.0.0.1:9",
        datadir=folder,
        partitions=1,
        commit_seconds=1,
        replication=1,
        standbys=0,
        session_seconds=10,
    )
    reasons: list[str] = []
    tasks: list[Callable[[], Awaitable[None]]] = []
    app._work.fail = reasons.append
    app.faust.task = tasks.append
    return app, reasons, tasks


async def asks_the_consumer() -> None:
    gone = asyncio.new_event_loop()  # of the consumer's thread, which is over
    gone.close()
    gone.call_soon_threadsafe(print)


async def test_a_task_that_fails_ends_the_process_with_its_name(tmp_path: Path) -> None:
    app, reasons, tasks = carrier(tmp_path)
    app.task(asks_the_consumer)
    with pytest.raises(RuntimeError, match="closed"):
        await tasks[0]()
    assert len(reasons) == 1 and reasons[0].startswith("the task asks_the_consumer failed: RuntimeError at ")


async def test_what_a_task_cannot_ask_any_more_while_the_process_ends_is_no_failure(tmp_path: Path) -> None:
    app, reasons, tasks = carrier(tmp_path)
    app.task(asks_the_consumer)
    app.faust._stopped.set()  # as Service.stop does before it takes the consumer away
    await tasks[0]()
    assert not reasons
