"""How fast raw calls are read into signals and folded into decisions, beside plain JSON decoding of the same lines.

A run on a shared machine says little by itself; the ratio to decoding, measured in turns within one run, says more. One core,
no Kafka, no disk: an upper bound of what a worker's thinking could do, not what a worker does.

    python -m benchmarks.fold [--calls 20000] [--rounds 5] [--seed 1]
"""

import argparse
import gc
import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.table import Table, plain
from contracts import policy as policies
from contracts.calls import parse
from contracts.instant import from_rfc3339
from contracts.signals import Marked
from streams.partition import Partition

PEOPLE_PER_CALL = 0.1  # ten calls a person, as in a day of a shop
SKEW = 2  # the busiest tenth of the people make about a third of the calls
CALLS_PER_MARK = 500  # about a second of a large shop
STEP_MS = 2
KINDS = ("Product Viewed", "Product Added", "Checkout Started", "Order Completed", "page")
WEIGHTS = (62, 9, 3, 2, 24)
START_MS = from_rfc3339("2026-03-02T09:00:00Z")

Line = tuple[int, bytes]


def lines(count: int, seed: int, people_per_call: float = PEOPLE_PER_CALL) -> list[Line]:
    """(acceptance in ms, one Data Pipelines call as it comes), in order."""
    chance = random.Random(seed)  # noqa: S311  # a benchmark's data needs no secrecy
    people = max(int(count * people_per_call), 1)
    return [
        (START_MS + number * STEP_MS, _call(chance, number, f"u-{int(people * chance.random() ** SKEW)}"))
        for number in range(count)
    ]


def _call(chance: random.Random, number: int, person: str) -> bytes:
    kind = chance.choices(KINDS, WEIGHTS)[0]
    call: dict[str, Any] = {"messageId": f"m-{number}", "userId": person, "context": {"library": {"name": "web"}}}
    if kind == "page":
        path = chance.choice(["/", "/products/serum", "/pages/shipping", "/pages/faq"])
        return json.dumps(call | {"type": "page", "properties": {"path": path}}).encode()
    price = chance.randrange(10, 120)
    product = {"product_id": f"p-{chance.randrange(200)}", "price": price, "quantity": 1, "category": "serums"}
    properties: dict[str, Any] = product | {"currency": "USD"}
    if kind in ("Checkout Started", "Order Completed"):
        properties = {"order_id": f"o-{number}", "currency": "USD", "total": 2 * price, "products": [product, product]}
    return json.dumps(call | {"type": "track", "event": kind, "properties": properties}).encode()


def decoded(told: list[Line]) -> int:
    for _, line in told:
        msgspec.json.decode(line)
    return len(told)


def parsed(told: list[Line]) -> int:
    return sum(len(parse(line, accepted_ms=at_ms).signals) for at_ms, line in told)


def folded(told: list[Line], policy: policies.Policy) -> int:
    partition = Partition(policy, {})
    position = decisions = 0
    for number, (at_ms, line) in enumerate(told):
        for signal in parse(line, accepted_ms=at_ms).signals:
            position += 1
            decisions += len(partition.take(signal, position).decisions)
        if number % CALLS_PER_MARK == CALLS_PER_MARK - 1:
            position += 1
            mark = Marked(source="sources.customerio/0", at_ms=at_ms, of=1, outcomes=False)
            decisions += len(partition.take(mark, position).decisions)
    return decisions


def per_second(job: Callable[[], int], count: int) -> float:
    gc.collect()
    start = time.perf_counter()
    job()
    return count / (time.perf_counter() - start)


def measure(calls: int = 20_000, rounds: int = 5, seed: int = 1) -> Table:
    policy = policies.load(Path(policies.__file__).parent.parent / "policies" / "skincare.yaml")
    told = lines(calls, seed)
    jobs: dict[str, Callable[[], int]] = {
        "decode JSON, nothing else": lambda: decoded(told),
        "read into signals": lambda: parsed(told),
        "read and fold": lambda: folded(told, policy),
    }
    turns = [{name: per_second(job, len(told)) for name, job in jobs.items()} for _ in range(rounds)]
    rows = []
    for name in jobs:
        rates = [one[name] for one in turns]
        ratio = statistics.median(one["decode JSON, nothing else"] / one[name] for one in turns)
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        rows.append([name, f"{statistics.median(rates):,.0f}", spread, f"{ratio:.1f}"])
    conditions = f"Seed {seed}, {calls:,} calls, {rounds} rounds in turns, one core, no Kafka, no disk"
    return Table("fold", conditions, ["what", "calls/s", "lowest to highest", "x the time of decoding"], rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    print(plain(measure(asked.calls, asked.rounds, asked.seed)))


if __name__ == "__main__":
    main()
