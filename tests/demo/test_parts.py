"""What the demo starts is watched, told about when it fails, and ended."""

import asyncio
import os
from pathlib import Path

import pytest

from rehearsal.demo_parts import Part, PartFailed, Parts, free_port

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def failed(part: Part, parts: Parts) -> str:
    await part.process.wait()
    with pytest.raises(PartFailed) as told:
        parts.check()
    return str(told.value)


async def test_a_part_that_ends_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    part = await parts.start("worker", ["-c", "print('before'); raise SystemExit('no such broker')"], {})
    told = await failed(part, parts)
    assert "the worker ended with exit code 1" in told and "no such broker" in told and "before" in told
    await parts.stop()


async def test_a_part_that_ends_while_it_is_awaited_is_told_at_once(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    part = await parts.start("receiver", ["-c", "raise SystemExit(3)"], {})
    with pytest.raises(PartFailed, match="exit code 3"):
        await parts.answers(part, f"http://127.0.0.1:{free_port()}/")


async def test_a_part_answers_and_is_ended(tmp_path: Path) -> None:
    parts, port = Parts(tmp_path), free_port()
    part = await parts.start("server", ["-m", "http.server", str(port), "--bind", "127.0.0.1"], {})
    await parts.answers(part, f"http://127.0.0.1:{port}/")
    parts.check()
    await parts.stop()
    assert not alive(part.process.pid)


async def test_a_part_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.demo_parts.STOP_SECONDS_MAX", 0.2)
    parts = Parts(tmp_path)
    part = await parts.start("deaf one", ["-c", DEAF], {})
    async with asyncio.timeout(20):
        while "deaf" not in part.log.read_text():  # noqa: ASYNC110 - another process has no event of ours
            await asyncio.sleep(0.02)
    await parts.stop()
    assert not alive(part.process.pid)


async def test_settings_replace_those_of_our_own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCIERGE_INTERCOM_TOKEN", "of somebody's real workspace")
    parts = Parts(tmp_path)
    show = "import os; print(sorted((k, v) for k, v in os.environ.items() if k.startswith('CONCIERGE_')))"
    part = await parts.start("any", ["-c", show], {"CONCIERGE_PARTITIONS": "4"})
    await part.process.wait()
    assert part.log.read_text().strip() == "[('CONCIERGE_PARTITIONS', '4')]"
    await parts.stop()
