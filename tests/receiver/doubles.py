"""A log and a clock that tests hold in their hands."""

from agents.log_writer import LogUnavailable


class FakeLog:
    """Keeps what it is given; `away` refuses everything, `room` says how many more records fit before it does."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes]] = []
        self.away = False
        self.room: int | None = None

    async def put(self, topic: str, value: bytes) -> None:
        if self.away or self.room == 0:
            raise LogUnavailable("away")
        if self.room is not None:
            self.room -= 1
        self.records.append((topic, value))

    async def reachable(self) -> bool:
        return not self.away


class FixedClock:
    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms

    def now_ms(self) -> int:
        return self.at_ms

    async def sleep(self, seconds: float) -> None:
        self.at_ms += int(seconds * 1000)
