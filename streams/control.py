"""Control: what a partition knows beside its people. A function of the log's prefix, as the people are."""

import msgspec

from contracts.signals import Marked
from streams.drift import Drift
from streams.rulings import Ruling


class Marks(msgspec.Struct):
    """How far each source partition was read. Log time begins when all `of` sources have spoken."""

    sources: dict[str, int] = {}
    of: int = 0
    outcomes: bool = False
    time_ms: int | None = None

    def move(self, mark: Marked) -> int | None:
        """The new log time when this mark moves it on."""
        sources, at_ms = self.sources, mark.at_ms
        if at_ms >= sources.get(mark.source, at_ms):
            sources[mark.source] = at_ms
        self.of, self.outcomes = mark.of, mark.outcomes
        if len(sources) < mark.of:
            return None
        time_ms = min(sources.values())
        if self.time_ms is not None and time_ms <= self.time_ms:
            return None
        self.time_ms = time_ms
        return time_ms


class Control(msgspec.Struct, array_like=True):
    """How far the sources were read, how healthy the inputs are, which policies were deployed. A new field goes to the end."""

    marks: Marks = msgspec.field(default_factory=Marks)
    drift: Drift = msgspec.field(default_factory=Drift)
    rulings: list[Ruling] = []


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Control).decode
