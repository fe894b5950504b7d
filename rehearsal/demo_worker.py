"""`concierge work` on the embedded broker: the same worker, which asks that broker again sooner.

The embedded broker answers a fetch that found nothing only when its wait is over, whatever is written meanwhile, and Faust
waits 1.5 s; Kafka answers at once. Without this, three hops would take seconds that no real broker takes.
"""

import os
from typing import Any

import aiokafka

from agents import logs
from agents.settings import read_settings
from agents.worker import run

FETCH_WAIT_MS = 100


class _Impatient(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, *topics: str, **options: Any) -> None:
        super().__init__(*topics, **{**options, "fetch_max_wait_ms": FETCH_WAIT_MS})


def main() -> int:
    """The worker's exit code."""
    logs.configure()
    aiokafka.AIOKafkaConsumer = _Impatient
    return run(read_settings(os.environ))


if __name__ == "__main__":
    raise SystemExit(main())
