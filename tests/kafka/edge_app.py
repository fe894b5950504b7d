"""A worker for two edges of the carrier: a topic that nothing was written to, and an output that Kafka cannot take."""

import asyncio
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from agents.reliable import Codec, Output, Record, Store, create_app

CODEC = Codec(encode=lambda record: json.dumps(record).encode(), decode=json.loads)
TOO_LARGE_BYTES = 3_000_000  # above the megabyte that a record may have


def main(name: str, bootstrap: str, datadir: str) -> int:
    folder = Path(datadir)
    app = create_app(
        name=name, bootstrap=bootstrap, datadir=folder, partitions=4, commit_seconds=0.3,
        replication=1, standbys=0, session_seconds=6.0,
    )  # fmt: skip

    @app.agent(f"{name}-in", partitions=4, table="counts", codec=CODEC)
    def keep(store: Store | None, records: Sequence[Record]) -> Iterable[Output]:
        assert store is not None
        for record in records:
            store.put(record.key or b"", {"n": 1})
        return [Output(f"{name}-out", b"k", b"x" * TOO_LARGE_BYTES)]

    @app.task
    async def tell() -> None:
        while not app.ready:  # noqa: ASYNC110  (the carrier offers a state, not an event)
            await asyncio.sleep(0.05)
        told = {"positions": app.positions(f"{name}-in"), "ends": await app.end_offsets(f"{name}-in")}
        (folder / "told").write_text(json.dumps(told, sort_keys=True))

    return app.run()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
