"""Writes the golden log and state of this release: `python -m tests.golden.make NAME`. What stands there is never overwritten.

A golden folder is what a release really wrote: its log, what it decided and ordered, the state of a worker that stopped in
the middle, its data directory, and the fields that it knew. Later releases must read it, go on from it and come to the same
decisions; so it is made once, and kept.
"""

import base64
import json
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import yaml

from agents import desired, telling_back
from agents.desired import Contact
from agents.judge import CODEC, Judge
from agents.reliable import Record, Store
from agents.telling_back import Untold
from contracts import commands, decisions, quarantined, signals
from contracts.policy import parse
from contracts.signals import Claimed, Conversed, Erased, Marked, PersonSignal, Ruled, Signal
from tests.golden import directory
from tests.golden.fields import fields
from tests.reliable.memory import Local
from tests.streams.histories import POLICY, START_MS, added, ordered, page, stamp, track

ROOT = Path(__file__).parent
SHIPPED = (Path(__file__).parents[2] / "policies" / "skincare.yaml").read_text(encoding="utf-8")
STOPPED_AT = (
    15,
    31,
)  # offsets that the worker had committed when its state was taken: before the policy, and right after it
ENDS_MS = START_MS + 3 * 86_400_000


def history() -> list[Signal]:
    """Two days of six people who meet most kinds of signals, with a policy deployed on the second."""
    people: list[PersonSignal] = [
        added("serum", 200, "0m", key="id:leaves"),
        added("serum", 180, "5m", key="id:buys"),
        ordered("o1", 180, "200m", key="id:buys"),
        added("cream", 160, "10m", key="email:first@example.org"),
        Claimed(owner="id:second", **stamp("30m", "email:first@example.org", name="claim")),  # type: ignore[arg-type]  # a stamp is typed loosely
        added("mask", 300, "20m", key="id:speaks"),
        Conversed(conversation="c1", open=True, topic="opened", **stamp("150m", "id:speaks")),  # type: ignore[arg-type]
        Conversed(conversation="c1", open=False, topic="closed", **stamp("170m", "id:speaks")),  # type: ignore[arg-type]
        added("oil", 400, "25m", key="id:forgotten"),
        Erased(**stamp("180m", "id:forgotten")),  # type: ignore[arg-type]
        page("/pages/shipping", "26h", key="id:reads"),
        track("Checkout Started", "26h", key="id:reads", name="checkout"),
        added("serum", 250, "27h", key="id:leaves"),
        added("cream", 10, "40m", key="anon:browser"),
    ]
    ruled = Ruled(policy=parse(changed(), name="changed").hash, text=changed(), at_ms=START_MS + 30 * 3_600_000)
    log: list[Signal] = []
    for signal in sorted(people, key=lambda signal: signal.accepted_ms):
        if signal.accepted_ms > ruled.at_ms and ruled not in log:
            log += [mark(ruled.at_ms - 1), ruled]
        log += [mark(signal.accepted_ms - 1), signal]
    if ruled not in log:
        log += [mark(ruled.at_ms - 1), ruled]
    return [*log, mark(ENDS_MS)]


def changed() -> str:
    document = yaml.safe_load(SHIPPED)
    document["audiences"]["high_aov_abandoner"]["leave_after"] = "20h"
    return yaml.safe_dump(document, sort_keys=False)


def mark(at_ms: int) -> Marked:
    return Marked(source="sources.customerio/0", at_ms=at_ms, of=1, outcomes=False)


def run(judge: Judge, store: Store, log: list[bytes], begin: int) -> dict[str, list[bytes]]:
    """What a worker writes to each topic for these records of partition 0; what it passes on is read behind each."""
    outputs: dict[str, list[bytes]] = {"decisions": [], "commands": [], "signals": []}
    for offset, value in enumerate(log, begin):
        for output in judge.batch(store, [Record("signals", 0, offset, None, value)]):
            assert output.value is not None
            outputs[output.topic].append(output.value)
    return outputs


def log_of(history: list[Signal]) -> list[bytes]:
    """The whole log: what the judge passes on stands right behind what made it do so."""
    judge, store = Judge(POLICY), new_store({})
    judge.assigned(store, 0, None)
    log: list[bytes] = []
    for signal in history:
        waiting = [signals.encode(signal)]
        while waiting:
            value = waiting.pop(0)
            waiting = run(judge, store, [value], len(log))["signals"] + waiting
            log.append(value)
    return log


def new_store(held: dict[bytes, bytes]) -> Store:
    return Store(0, Local(held), encode=CODEC.encode, decode=CODEC.decode, hidden=frozenset())


def make(folder: Path) -> None:
    folder.mkdir(parents=True)
    log = log_of(history())
    judge, store = Judge(POLICY), new_store({})
    judge.assigned(store, 0, None)
    written: dict[str, list[bytes]] = {"decisions": [], "commands": []}
    held: dict[bytes, bytes | None] = {}
    for begin, end in pairwise((0, *STOPPED_AT, len(log))):
        outputs = run(judge, store, log[begin:end], begin)
        for topic in written:
            written[topic] += outputs[topic]
        judge.before_flush(store, end)
        held |= store.snapshot()
        if end in STOPPED_AT:
            (folder / f"people-at-{end}.txt").write_text(dump(held))
    (folder / "policy.yaml").write_text(SHIPPED, encoding="utf-8")
    tables = (held, contacts(written["commands"]), untold(written["decisions"]))
    for name, state in zip(directory.TABLES_ALL, tables, strict=True):
        (folder / f"{name}.txt").write_text(dump(state))
        directory.write(folder / "data", name, state)
    (folder / "fields.json").write_text(json.dumps(fields(), indent=1) + "\n")
    written["signals"] = log
    written["quarantine"] = [
        quarantined.encode(part)
        for part in quarantined.in_parts(
            stage="ingest", reason="not_json", source="sources.customerio/0/7", value=b"{x"
        )
    ]
    for topic, values in written.items():
        (folder / f"{topic}.jsonl").write_bytes(b"".join(value + b"\n" for value in values))


def contacts(ordered: list[bytes]) -> dict[bytes, bytes | None]:
    """The courier's records after each person's last command."""
    held: dict[str, Contact] = {}
    for value in ordered:
        command = commands.decode(value)
        held[command.person] = desired.desire(held.get(command.person, Contact()), command, command.decided_ms)
    return {person.encode(): desired.encode(contact) for person, contact in held.items()}


def untold(decided: list[bytes]) -> dict[bytes, bytes | None]:
    """What waits for Customer.io where nothing of these decisions was told yet."""
    held: dict[str, Untold] = {}
    for value in decided:
        decision = decisions.decode(value)
        waiting = telling_back.add(held.get(decision.person, Untold()), decision, START_MS)
        if isinstance(waiting, Untold):
            held[decision.person] = waiting
    return {person.encode(): telling_back.encode(waiting) for person, waiting in held.items()}


def dump(state: Mapping[bytes, bytes | None]) -> str:
    """As a changelog holds it: key and value of each record, in base64."""
    lines = (f"{_text(key)} {_text(value)}\n" for key, value in sorted(state.items()) if value is not None)
    return "".join(lines)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def main(name: str) -> int:
    if (ROOT / name).exists():
        print(f"{name} is there; a golden folder is never made again, so choose another name", file=sys.stderr)
        return 1
    make(ROOT / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
