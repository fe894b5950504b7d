"""Imports the named modules and fails when one of them, while it is imported, does I/O or reads the environment. A program.

What the import system does, and what a third party does while it is itself imported, is not ours; but no one may connect
or write, whoever it is.
"""

import importlib
import os
import sys
from collections.abc import Iterator, MutableMapping
from types import FrameType
from typing import Any

OURS = tuple(os.path.join(folder, "") for folder in sys.argv[1].split(os.pathsep))
WRITES = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC
NOBODY_MAY = frozenset({"socket.connect", "socket.bind", "socket.getaddrinfo", "os.mkdir", "os.remove", "os.rename"})
WE_MAY_NOT = frozenset({"open", "socket.__new__", "os.listdir", "os.scandir", "os.system", "subprocess.Popen"})
LIBRARY_SWITCHES = ("PYDANTIC_",)  # read by pydantic itself whenever a model class is built, also when we build it


class Reached(BaseException):
    """A module reached for the world while it was imported. No handler may swallow it."""


def told_by_us() -> str | None:
    """The line of ours that is running, unless an import of something else runs on top of it."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if "importlib" in frame.f_code.co_filename:
            return None
        if frame.f_code.co_filename.startswith(OURS):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def audit(event: str, arguments: tuple[Any, ...]) -> None:
    writes = (
        event == "open" and not isinstance(arguments[0], int) and arguments[0] != os.devnull and arguments[2] & WRITES
    )
    if event in NOBODY_MAY or writes:
        raise Reached(f"{event} {arguments[:1]} while a module was imported")
    if event in WE_MAY_NOT and (line := told_by_us()) is not None:
        raise Reached(f"{line}: {event} while it was imported")


class WatchedEnvironment(MutableMapping[str, str]):
    def __init__(self, held: MutableMapping[str, str]) -> None:
        self._held = held

    def _watch(self) -> MutableMapping[str, str]:
        if (line := told_by_us()) is not None:
            raise Reached(f"{line}: reads the environment while it is imported")
        return self._held

    def __getitem__(self, name: str) -> str:
        if name.startswith(LIBRARY_SWITCHES):
            return self._held[name]
        return self._watch()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._watch())

    def __len__(self) -> int:
        return len(self._watch())

    def __setitem__(self, name: str, value: str) -> None:
        self._watch()[name] = value

    def __delitem__(self, name: str) -> None:
        del self._watch()[name]


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    os.environ = WatchedEnvironment(os.environ)  # type: ignore[assignment]  # noqa: B003  # reads are what is watched
    sys.addaudithook(audit)
    for module in sys.argv[2:]:
        importlib.import_module(module)
    sys.stdout.write(f"{len(sys.argv) - 2} modules\n")
