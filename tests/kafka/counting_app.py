"""A small worker for the tests of the carrier: counts records per key, and tells every tenth. Arguments as JSON."""

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from agents.reliable import Codec, Limits, Output, Record, Store, create_app
from tests.kafka.plants import plant

CODEC = Codec(encode=lambda record: json.dumps(record).encode(), decode=json.loads)
DAY_SECONDS = 86_400


def main(options: dict[str, Any]) -> int:
    if "plant" in options:
        plant(options["plant"])
    name, partitions = options["name"], options["partitions"]
    datadir = Path(options["datadir"])
    app = create_app(
        name=name, bootstrap=options["bootstrap"], datadir=datadir, partitions=partitions, commit_seconds=0.3,
        replication=1, standbys=options.get("standbys", 0), session_seconds=6.0,
        gaps_allowed=options.get("gaps_allowed", False), limits=Limits(**options.get("limits", {})),
    )  # fmt: skip
    out = options.get("out", f"{name}-out")

    @app.agent(f"{name}-in", partitions=partitions, table="counts", codec=CODEC)
    def count(store: Store | None, records: Sequence[Record]) -> Iterable[Output]:
        assert store is not None
        outputs = []
        for record in records:
            assert record.key is not None
            match record.value:
                case b"bad" if options.get("poison"):
                    raise ValueError("a poisoned record")
                case b"endless":
                    time.sleep(DAY_SECONDS)
                case b"slow":
                    time.sleep(1)
            seen = store.get(record.key) or {"n": 0, "offset": -1}
            if record.offset <= seen["offset"]:
                continue
            store.put(record.key, {"n": seen["n"] + 1, "offset": record.offset})
            if record.offset % 10 == 0:
                outputs.append(Output(out, record.key, f"{record.partition}@{record.offset}".encode()))
        return outputs

    @app.task
    async def tell() -> None:
        os.close(os.open(options["ready"], os.O_CREAT))

    return app.run()


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
