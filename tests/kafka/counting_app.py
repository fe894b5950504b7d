"""A small worker for the tests of the carrier: counts records per key, and tells every tenth. Arguments as JSON."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from agents.reliable import Codec, Output, Record, Store, create_app

CODEC = Codec(encode=lambda record: json.dumps(record).encode(), decode=json.loads)


def main(options: dict[str, object]) -> int:
    name, partitions = str(options["name"]), int(str(options["partitions"]))
    app = create_app(
        name=name,
        bootstrap=str(options["bootstrap"]),
        datadir=Path(str(options["datadir"])),
        partitions=partitions,
        commit_seconds=0.3,
        replication=1,
        standbys=int(str(options.get("standbys", 0))),
        session_seconds=6.0,
    )
    out = str(options.get("out", f"{name}-out"))
    poison = str(options.get("poison", "")).encode()

    @app.agent(f"{name}-in", partitions=partitions, table="counts", codec=CODEC)
    def count(store: Store | None, records: Sequence[Record]) -> Iterable[Output]:
        assert store is not None
        outputs = []
        for record in records:
            assert record.key is not None
            if poison and record.value == poison:
                raise ValueError("poison")
            seen = store.get(record.key) or {"n": 0, "offset": -1}
            if record.offset <= seen["offset"]:
                continue
            store.put(record.key, {"n": seen["n"] + 1, "offset": record.offset})
            if record.offset % 10 == 0:
                outputs.append(Output(out, record.key, f"{record.partition}@{record.offset}".encode()))
        return outputs

    return app.run()


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
