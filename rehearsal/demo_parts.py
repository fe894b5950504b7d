"""The running parts of the demo: subprocesses of this Python with their logs, started on free ports and ended by their pid."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path

import httpx

READY_SECONDS_MAX = 45.0  # a worker on two busy cores imports for some seconds and then joins its group
STOP_SECONDS_MAX = 10.0  # an orderly stop commits; after that the part is killed
LOG_TAIL_LINES = 25
_POLL_SECONDS = 0.1


class PartFailed(Exception):
    """A part ended or never came up; the message has the tail of its log."""


class Part:
    """One subprocess in a process group of its own, so that Ctrl-C reaches it through us alone."""

    def __init__(self, name: str, process: Process, log: Path) -> None:
        self.name, self.process, self.log = name, process, log

    def check(self) -> None:
        """PartFailed when it is not running any more."""
        if self.process.returncode is not None:
            raise PartFailed(f"the {self.name} ended with exit code {self.process.returncode}\n{self.tail()}")

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return f"last lines of {self.log}:\n" + "\n".join(f"  {line}" for line in lines)


class Parts:
    """Everything that was started; `stop` ends it in the reverse order."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._parts: list[Part] = []

    async def start(self, name: str, arguments: list[str], settings: Mapping[str, str]) -> Part:
        """Run this Python with `arguments`; `settings` replace all CONCIERGE_ variables of our own environment."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CONCIERGE_")}
        log = self.directory / f"{name}.log"
        with log.open("wb") as sink:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, env={**environment, **settings}, stdin=asyncio.subprocess.DEVNULL,
                stdout=sink, stderr=sink, start_new_session=True,
            )  # fmt: skip
        part = Part(name, process, log)
        self._parts.append(part)
        return part

    def check(self) -> None:
        for part in self._parts:
            part.check()

    async def answers(self, part: Part, url: str) -> None:
        """Wait until a GET of `url` is answered 200. PartFailed when it is not in time."""
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
            deadline = asyncio.get_running_loop().time() + READY_SECONDS_MAX
            while asyncio.get_running_loop().time() < deadline:
                part.check()
                try:
                    if (await client.get(url)).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(_POLL_SECONDS)
        raise PartFailed(f"the {part.name} did not answer within {READY_SECONDS_MAX:g} s\n{part.tail()}")

    async def stop(self) -> None:
        for part in reversed(self._parts):
            await _end(part.process)
        self._parts.clear()


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
    except TimeoutError:
        process.kill()
        await process.wait()


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
