"""A history through the thinking after sockets, files, environment, clock and chance were taken away. A program.

With the name of a thing as its argument, the thing is used in the midst of the run, which must then fail with `Sealed`.
"""

import builtins
import datetime
import io
import os
import random
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from contracts import signals
from contracts.decisions import Arm
from contracts.instant import MINUTE_MS, from_rfc3339
from contracts.policy import Policy, load
from contracts.received import frame, unframe
from streams.partition import Partition
from tests.architecture.story import calls

import contracts.calls as reading  # isort: skip


class Sealed(BaseException):
    """The thinking reached for the world. No handler may swallow it."""


def refuse(*arguments: object, **keywords: object) -> Any:
    raise Sealed("the thinking may not do this")


class Refusing(dict[str, str]):
    __getitem__ = get = __contains__ = __iter__ = refuse


class SealedDatetime(datetime.datetime):
    now = utcnow = today = refuse


def seal() -> None:
    """From here on nothing but memory is left."""
    for module in list(sys.modules.values()):
        if module.__name__.partition(".")[0] in ("contracts", "streams") and hasattr(module, "datetime"):
            setattr(module, "datetime", SealedDatetime)  # noqa: B010  # mypy knows of no such attribute
    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "gmtime", "localtime", "sleep"):
        setattr(time, name, refuse)
    for name in ("random", "randint", "choice", "shuffle", "getrandbits"):
        setattr(random, name, refuse)
    for place, name in ((uuid, "uuid1"), (uuid, "uuid4"), (os, "urandom"), (os, "open"), (io, "open")):
        setattr(place, name, refuse)
    socket.socket = refuse  # type: ignore[assignment, misc]  # nobody may make one any more
    os.environ = Refusing()  # type: ignore[assignment]  # noqa: B003  # reads are what is refused
    builtins.open = builtins.print = builtins.input = refuse
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" or event.partition(".")[0] in ("socket", "subprocess", "os", "shutil", "import"):
        refuse()


PLANTED: dict[str, Callable[[], object]] = {
    "clock": lambda: time.time(),
    "wall": lambda: vars(sys.modules["contracts.instant"])["datetime"].now(datetime.UTC),
    "file": lambda: open(__file__).close(),
    "file-os": lambda: os.open(__file__, os.O_RDONLY),
    "socket": lambda: socket.socket(),
    "environment": lambda: os.environ["HOME"],
    "getenv": lambda: os.getenv("HOME"),
    "random": lambda: random.random(),
    "uuid": lambda: uuid.uuid4(),
    "process": lambda: subprocess.run(["true"], check=False),
    "terminal": lambda: print(""),
}


def run(policy: Policy, planted: str | None) -> list[bytes]:
    def arm(person: str) -> Arm:
        if planted is not None:
            PLANTED[planted]()
        return "assisted"

    partition = Partition(policy, {}, arm=arm)
    told: list[bytes] = []
    position = 0
    start_ms = from_rfc3339("2026-03-02T09:00:00Z")
    for after_ms, body in calls():
        at_ms = start_ms + after_ms
        received = unframe(frame(body, accepted_ms=at_ms, source="customerio_webhook"))
        parsed = reading.parse(received.body, accepted_ms=at_ms)
        mark = signals.Marked(source="sources.customerio/0", at_ms=at_ms, of=1, outcomes=False)
        for signal in (*parsed.signals, mark):
            position += 1
            effects = partition.take(signals.decode(signals.encode(signal)), position)
            told += [msgspec.json.encode(one) for one in (*effects.decisions, *effects.commands)]
    end = signals.Marked(source="sources.customerio/0", at_ms=at_ms + 60 * MINUTE_MS, of=1, outcomes=False)
    effects = partition.take(end, position + 1)
    return told + [msgspec.json.encode(one) for one in (*effects.decisions, *effects.commands)]


def main() -> None:
    planted = sys.argv[1] if len(sys.argv) > 1 else None
    policy = load(Path(reading.__file__).parent.parent / "policies" / "skincare.yaml")
    say = sys.stdout.buffer.write
    seal()
    say(b"\n".join(run(policy, planted)) + b"\n")


if __name__ == "__main__":
    main()
