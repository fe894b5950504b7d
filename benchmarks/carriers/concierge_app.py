"""The job on our carrier: `agents/reliable`, parser and state as the product has them (msgspec)."""

import sys
from collections.abc import Iterable, Sequence

import msgspec

from agents.reliable import Codec, Output, Record, Store, create_app
from benchmarks.carriers import job


def main() -> int:
    place = job.place()
    work = job.Job(place.first)
    read = msgspec.json.Decoder().decode
    codec = Codec(encode=msgspec.json.encode, decode=read)
    app = create_app(
        name=place.name, bootstrap=place.bootstrap, datadir=job.fresh(place.folder), partitions=job.PARTITIONS,
        commit_seconds=job.COMMIT_SECONDS, replication=1, standbys=0, session_seconds=20.0,
    )  # fmt: skip

    @app.agent(f"{place.name}-in", partitions=job.PARTITIONS, table="people", codec=codec)
    def fold(store: Store | None, records: Sequence[Record]) -> Iterable[Output]:
        assert store is not None
        outputs = []
        for record in records:
            assert record.key is not None and record.value is not None
            state = work.fold(store.get(record.key), read(record.value))
            store.put(record.key, state)
            if job.tells(state):
                outputs.append(Output(f"{place.name}-out", record.key, job.told(state)))
        return outputs

    return app.run()


if __name__ == "__main__":
    sys.exit(main())
