"""The product's source files, by room."""

from pathlib import Path

import contracts

ROOT = Path(contracts.__path__[0]).parent
ROOMS = ("contracts", "streams", "agents", "backtests", "rehearsal", "console")
PURE_ROOMS = ("contracts", "streams")


def sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    return place(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
