"""An error in words that are safe to keep: its type and where it arose; its message only where it is one of ours.

A library's message may quote what it was given, and that may be a person's data; ours never do.
"""

import traceback
from pathlib import Path

FRAMES_MAX = 12  # the innermost say what failed; asyncio and Faust below them say nothing
CAUSES_MAX = 4
ROOMS = frozenset(
    {"contracts", "streams", "agents"}
)  # whose exceptions carry no personal data, by the rules of the house
ROOT = Path(__file__).parents[1]


def told(error: BaseException) -> str:
    """One line: `KeyError at agents/judge.py:111 in batch`, or `Unauthorized: Intercom answered 401: ... at ...`."""
    name = type(error).__name__
    said = f"{name}: {error}" if type(error).__module__.partition(".")[0] in ROOMS else name
    frames = places(error)
    return f"{said} at {frames[-1]}" if frames else said


def places(error: BaseException) -> list[str]:
    """Where it arose, innermost last: `agents/judge.py:111 in batch`."""
    found = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    return [f"{_short(frame.filename)}:{frame.lineno} in {frame.name}" for frame in found]


def chain(error: BaseException) -> list[dict[str, object]]:
    """The error and what caused it, each with its type and places, the cause last."""
    found: list[dict[str, object]] = []
    current: BaseException | None = error
    while current is not None and len(found) < CAUSES_MAX:
        found.append({"error": type(current).__name__, "places": places(current)})
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return found


def _short(filename: str) -> str:
    path = Path(filename)
    if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
        return str(path.relative_to(ROOT))
    return "/".join(path.parts[-2:])
