"""The job with nothing between it and Kafka: aiokafka, rocksdict, a changelog of its own, written behind once a commit.

It knows no rebalance, no recovery and no standby: what Python could do at best, not what anybody could run.
"""

import asyncio
import signal
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rocksdict import Options, Rdict, WriteBatch

from benchmarks.carriers import job

POLL_MS = 200
RECORDS_MAX = 4_000


async def run(place: job.Place) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    consumer = AIOKafkaConsumer(
        f"{place.name}-in", bootstrap_servers=place.bootstrap, group_id=place.name, enable_auto_commit=False,
        auto_offset_reset="earliest",
    )  # fmt: skip
    producer = AIOKafkaProducer(bootstrap_servers=place.bootstrap, linger_ms=5, acks="all")
    await consumer.start()
    await producer.start()
    store = Rdict(str(job.fresh(place.folder) / "people"), Options(raw_mode=True))
    try:
        await _work(place, consumer, producer, store, stopped)
    finally:
        await consumer.stop()
        await producer.stop()
        store.close()


async def _work(
    place: job.Place, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, store: Rdict, stopped: asyncio.Event
) -> None:
    work, read = job.Job(place.first), msgspec.json.Decoder().decode
    cache: dict[bytes, job.Record] = {}
    dirty: dict[bytes, int] = {}
    offsets: dict[TopicPartition, int] = {}
    sent = []
    committed_at = time.monotonic()
    while not stopped.is_set():
        for partition, records in (await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)).items():
            for record in records:
                state = cache.get(record.key)
                if state is None:
                    kept = store.get(record.key)
                    state = read(kept) if kept is not None else None
                state = work.fold(state, read(record.value))
                cache[record.key] = state
                dirty[record.key] = partition.partition
                if job.tells(state):
                    sent.append(await producer.send(f"{place.name}-out", job.told(state), record.key))
            offsets[partition] = records[-1].offset + 1
        if time.monotonic() - committed_at >= job.COMMIT_SECONDS and offsets:
            batch = WriteBatch(raw_mode=True)
            for key, number in dirty.items():
                value = msgspec.json.encode(cache[key])
                sent.append(await producer.send(f"{place.name}-people-changelog", value, key, partition=number))
                batch.put(key, value)
            await asyncio.gather(*sent)
            store.write(batch)
            await consumer.commit(offsets)
            dirty, offsets, sent, committed_at = {}, {}, [], time.monotonic()


if __name__ == "__main__":
    sys.exit(asyncio.run(run(job.place())))
