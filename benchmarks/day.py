"""How fast a recorded day is replayed on one core, beside bare `orjson.loads` of the same lines, in turns within one run.

The lines are records of the `signals` topic, in order: the rehearsal shop's day, and the real REES46 morning where its file
is given (`--rees46`, skipped with a word where it is missing). Replaying is decoding them and thinking, with a mark before each
instant, as `concierge backtest` does; nothing is written. Figures are CPU seconds of this process, so that a busy machine
distorts them less; the ratio distorts least.

    python -m benchmarks.day [--people 2000] [--rounds 5] [--seed 1] [--rees46 FILE]
"""

import argparse
import gc
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import orjson

from backtests import history, importing
from backtests.mapping import PRESETS
from backtests.replay import replay
from contracts import policy as policies
from contracts import signals
from contracts.calls import parse
from contracts.instant import from_rfc3339
from contracts.signals import PersonSignal
from rehearsal import shop
from streams.partition import Partition

ROOT = Path(__file__).resolve().parents[1]
REES46 = ROOT.parent / "shared" / "data" / "rees46-2019-10-01.csv.gz"
START_MS = from_rfc3339("2026-03-02T00:00:00Z")
DAY_HOURS = 24.0
AIM = 0.4  # of bare parsing


def of_the_shop(people: int, seed: int) -> list[bytes]:
    """The records of one simulated day."""
    chance = random.Random(seed)  # noqa: S311  # a benchmark's data needs no secrecy
    day = shop.day(chance, start_ms=START_MS, hours=DAY_HOURS, people=people)
    return [signals.encode(signal) for sent in day for signal in parse(sent.body, accepted_ms=sent.at_ms).signals]


def of_rees46(table: Path) -> list[bytes]:
    """The records of the real morning, as a backtest reads them."""
    with tempfile.TemporaryDirectory() as directory:
        calls = Path(directory) / "calls.jsonl"
        importing.write(table, PRESETS["rees46"], out=calls, rejects=Path(directory) / "rejects.jsonl")
        with (Path(directory) / "spool").open("w+b") as spool, (Path(directory) / "bad").open("wb") as bad:
            read = history.read(calls, spool=spool, quarantine=bad)
            return [signals.encode(signal) for signal in read.signals()]


def loaded(lines: list[bytes]) -> int:
    for line in lines:
        orjson.loads(line)
    return 0


def replayed(lines: list[bytes], policy: policies.Policy) -> int:
    """How many decisions."""
    told: Iterator[PersonSignal] = (cast(PersonSignal, signals.decode(line)) for line in lines)
    return sum(len(effects.decisions) for effects in replay(told, Partition(policy, {})))


def cpu_seconds(job: Callable[[], int]) -> tuple[float, int]:
    gc.collect()
    start = time.process_time()
    result = job()
    return time.process_time() - start, result


def compare(name: str, lines: list[bytes], policy: policies.Policy, rounds: int) -> str:
    bare, whole, decisions = [], [], 0
    for _ in range(rounds):
        bare.append(cpu_seconds(lambda: loaded(lines))[0])
        seconds, decisions = cpu_seconds(lambda: replayed(lines, policy))
        whole.append(seconds)
    count = len(lines)
    ratio = statistics.median(one / other for one, other in zip(bare, whole, strict=True))
    spread = f"{count / max(whole):,.0f} to {count / min(whole):,.0f}"
    return (
        f"{name:24} {count:>9,} signals, {decisions:>6,} decisions: replayed {count / statistics.median(whole):>9,.0f}/s a core "
        f"({spread}); orjson.loads {count / statistics.median(bare):>9,.0f}/s; ratio {ratio:.3f} (aim {AIM})"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=2_000, help="of the shop; a person makes about 15 signals")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--rees46", type=Path, default=REES46)
    asked = options.parse_args()
    print(
        f"seed {asked.seed}, {asked.rounds} rounds in turns, Python {platform.python_version()}, orjson {orjson.__version__}"
    )
    policy = policies.load(ROOT / "policies" / "skincare.yaml")
    print(compare("the rehearsal shop's day", of_the_shop(asked.people, asked.seed), policy, asked.rounds), flush=True)
    if asked.rees46.exists():
        print(compare("the REES46 morning", of_rees46(asked.rees46), policy, asked.rounds))
    else:
        print(f"the REES46 morning       not run: there is no {asked.rees46.name} here; name it with --rees46")


if __name__ == "__main__":
    main()
