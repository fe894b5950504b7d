"""Opens the local state of a partition. What is damaged is set aside and begun anew: the changelog has all of it.

Promise: a file that was cut, overwritten or half lost costs one recovery from the changelog and never a loop of restarts; what
merely cannot be opened now (locked, no room, no right) is left as it is.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from agents.failure import told

MARK = "DAMAGED"  # a file in the directory: reading it failed, open it no more
ASIDE = ".damaged"  # the newest damaged state of a partition is kept for whoever wants to look; one, so that disks do not fill
NO_ROOM = ("no space", "disk quota")
NOT_DAMAGE = {
    **dict.fromkeys(NO_ROOM, "no room is left"),
    "lock": "another process holds its lock",
    "permission denied": "permission denied",
    "too many open files": "too many open files",
    "cannot allocate": "no memory is left",
    "read-only": "the file system is read-only",
}  # RocksDB's words, and ours
log = structlog.get_logger(__name__)


def open_sound(path: Path, opened: Callable[[], Any]) -> Any:
    """The database at `path`, which `opened` opens or creates; empty where what was there is damaged."""
    if (path / MARK).exists():
        _set_aside(path, "reading it failed")
        return Watched(opened(), path)
    try:
        return Watched(opened(), path)
    except Exception as error:
        if not _is_damage(error):
            raise
        _set_aside(path, "it cannot be opened")
    return Watched(opened(), path)


def hindrance(error: Exception) -> str:
    """Why a sound database cannot be opened, without what RocksDB says of paths."""
    said = str(error).lower()
    return next((ours for words, ours in NOT_DAMAGE.items() if words in said), told(error))


class Watched:
    """A database whose failing reads are remembered, so that the next start does not fail on the same bytes."""

    def __init__(self, database: Any, path: Path) -> None:
        self._database, self._path = database, path

    def get(self, *arguments: Any) -> Any:
        try:
            return self._database.get(*arguments)
        except Exception as error:
            self._remember(error)
            raise

    def items(self, *arguments: Any) -> Any:
        try:
            yield from self._database.items(*arguments)
        except Exception as error:
            self._remember(error)
            raise

    def write(self, *arguments: Any) -> None:
        try:
            self._database.write(*arguments)
        except Exception as error:
            self._remember(error)
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def _remember(self, error: Exception) -> None:
        if any(words in str(error).lower() for words in NO_ROOM):
            log.error("disk_full", path=self._path.name, next="make room where the data directory stands")
        elif _is_damage(error):
            log.error("state_damaged", path=self._path.name, reason="reading it failed")
            (self._path / MARK).touch()


def _is_damage(error: Exception) -> bool:
    said = str(error).lower()
    return not any(words in said for words in NOT_DAMAGE)


def _set_aside(path: Path, reason: str) -> None:
    aside = path.with_name(path.name + ASIDE)
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)
    log.error("state_set_aside", path=path.name, reason=reason, next="it is rebuilt from the changelog")
