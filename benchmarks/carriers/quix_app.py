"""The job on quix-streams, with its RocksDB state and changelog, as its documentation shows it."""

from typing import Any

from quixstreams import Application

from benchmarks.carriers import job


def main() -> None:
    place = job.place()
    work = job.Job(place.first)
    app = Application(
        broker_address=place.bootstrap, consumer_group=place.name, auto_offset_reset="earliest",
        state_dir=str(job.fresh(place.folder)), commit_interval=job.COMMIT_SECONDS, loglevel="ERROR",
    )  # fmt: skip
    source = app.topic(f"{place.name}-in", key_deserializer="bytes", value_deserializer="json")
    out = app.topic(f"{place.name}-out", key_serializer="bytes", value_serializer="bytes")

    def fold(call: dict[str, Any], state: Any) -> bytes | None:
        record = work.fold(state.get("record"), call)
        state.set("record", record)
        return job.told(record) if job.tells(record) else None

    frame = app.dataframe(source).apply(fold, stateful=True).filter(lambda value: value is not None)
    frame.to_topic(out)
    app.run()


if __name__ == "__main__":
    main()
