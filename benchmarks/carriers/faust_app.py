"""The job as a Faust tutorial would write it: json, one table get and put per event, an output per ten events."""

from typing import Any

import faust

from benchmarks.carriers import job


def main() -> None:
    place = job.place()
    work = job.Job(place.first)
    app = faust.App(
        place.name, broker=f"aiokafka://{place.bootstrap}", store="rocksdb://", datadir=job.fresh(place.folder),
        topic_partitions=job.PARTITIONS, topic_allow_declare=False, broker_commit_interval=job.COMMIT_SECONDS,
        consumer_auto_offset_reset="earliest", web_enabled=False, stream_wait_empty=False,
        table_standby_replicas=0,
    )  # fmt: skip
    source = app.topic(f"{place.name}-in", key_type=bytes, key_serializer="raw", value_serializer="json")
    out = app.topic(f"{place.name}-out", key_type=bytes, key_serializer="raw", value_serializer="raw")
    people = app.Table("people", partitions=job.PARTITIONS)

    async def fold(stream: Any) -> None:
        async for key, call in stream.items():
            name = key.decode()
            record = work.fold(people.get(name), call)
            people[name] = record
            if job.tells(record):
                await out.send(key=key, value=job.told(record))

    app.agent(source, name="fold")(fold)
    worker = faust.Worker(app, loglevel="ERROR", quiet=True, redirect_stdouts=False)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
