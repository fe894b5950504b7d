"""`concierge receive` with a planted bug: it answers 200 whether or not Kafka has the record."""

import asyncio
import os
import sys

from agents import log_writer
from agents.log_writer import KafkaLog, LogUnavailable
from agents.receive import receive
from agents.settings import read_settings


def main() -> int:
    whole = KafkaLog.put

    async def put(self: KafkaLog, topic: str, value: bytes) -> None:
        try:
            await whole(self, topic, value)
        except LogUnavailable as error:
            sys.stderr.write(f"planted: {error}\n")

    log_writer.KafkaLog.put = put  # type: ignore[method-assign]
    return asyncio.run(receive(read_settings(os.environ)))


if __name__ == "__main__":
    sys.exit(main())
