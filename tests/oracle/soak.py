"""Many random histories through product and oracle: `python -m tests.oracle.soak --count N --seed S [--first I]`.

Prints seed, count, time, what was met, and the first history that differs in a form that can be played again
(`--first I --count 1`); exit status 1 where there is one.
"""

import argparse
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from contracts.decisions import Decision
from contracts.instant import DAY_MS, HOUR_MS, SECOND_MS, from_rfc3339
from contracts.policy import Policy
from contracts.signals import Claimed, Delivered, PersonSignal
from tests.oracle import policies
from tests.oracle.comparison import AFTER_MS, compare, start
from tests.oracle.histories import Pick, history

CHUNK = 500  # histories that a process takes at a time
TELL_EVERY = 10_000  # histories, after which it is said how far it is
DELAYS_MS = (0, 1, SECOND_MS, 5 * SECOND_MS, HOUR_MS, 3 * HOUR_MS, DAY_MS)


class Drawn(NamedTuple):
    history: list[PersonSignal]
    policy: Policy
    outcomes: bool


class Soaked(NamedTuple):
    """met: how many histories hold it. difference: empty where both sides agree, and `differs` says at which history."""

    histories: int
    decisions: int
    met: Counter[str]
    difference: str = ""
    differs: int = -1


def drawn(seed: int, index: int) -> Drawn:
    """The history of that number, the same on any machine."""
    source = random.Random(f"{seed}/{index}")
    policy = policies.drawn(source.choice((0, 0, *range(1, policies.POLICIES))))
    pick = picker(source)
    signals = history(pick)
    outcomes = source.random() < 0.15
    if outcomes:
        run = start(policy, outcomes=True)
        run.read(signals)
        run.mark(signals[-1].accepted_ms + AFTER_MS)
        signals = sorted(signals + shown(pick, run.decisions), key=lambda signal: signal.accepted_ms)
    return Drawn(signals, policy, outcomes)


def picker(source: random.Random) -> Pick:
    """As `source.choice`, in a quarter of the time."""
    number = source.random
    return lambda choices: choices[int(number() * len(choices))]


def shown(pick: Pick, decisions: Sequence[Decision]) -> list[PersonSignal]:
    """What a courier would say of most activations, sooner or later, now and then that it was refused."""
    told: list[PersonSignal] = []
    for number, decision in enumerate(decisions):
        if decision.outcome == "activated" and pick((True, True, False)):
            at_ms = from_rfc3339(decision.at) + pick(DELAYS_MS)
            told.append(
                Delivered(
                    person=decision.person,
                    id=f"delivered {number}",
                    occurred_ms=at_ms,
                    accepted_ms=at_ms,
                    revision=number,
                    outcome=pick(("shown", "shown", "refused")),
                    episode=decision.episode,
                )
            )
    return told


def soak(count: int, seed: int, first: int = 0) -> Soaked:
    met: Counter[str] = Counter()
    decisions = 0
    for index in range(first, first + count):
        case = drawn(seed, index)
        compared = compare(case.history, case.policy, outcomes=case.outcomes)
        if difference := compared.difference():
            return Soaked(index - first + 1, decisions, met, difference, index)
        decisions += compared.oracle.total()
        met.update({f"{said.outcome} {said.reason}" for said in compared.oracle})
        met.update({f"audience {said.audience}" for said in compared.oracle})
        claims = {(signal.person, signal.accepted_ms) for signal in case.history if isinstance(signal, Claimed)}
        merged = any((said.person, said.at_ms) in claims for said in compared.oracle if said.outcome == "withdrawn")
        met.update(("a claim",) * bool(claims) + ("a claim in a moment",) * merged + ("outcomes",) * case.outcomes)
    return Soaked(count, decisions, met)


def _chunk(asked: tuple[int, int, int]) -> Soaked:
    return soak(*asked)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    given = parser.parse_args()
    begun = time.monotonic()
    end = given.first + given.count
    chunks = [(min(CHUNK, end - at), given.seed, at) for at in range(given.first, end, CHUNK)]
    histories, decisions, met, differs = 0, 0, Counter[str](), -1
    difference = ""
    with multiprocessing.Pool(min(given.processes, len(chunks))) as pool:
        for soaked in pool.imap(_chunk, chunks):
            histories, decisions, met = histories + soaked.histories, decisions + soaked.decisions, met + soaked.met
            if histories % TELL_EVERY == 0:
                print(f"{histories} of {given.count} alike after {time.monotonic() - begun:.0f} s", file=sys.stderr)
            if soaked.difference:
                difference, differs = soaked.difference, soaked.differs
                break
    seconds = time.monotonic() - begun
    print(
        f"seed {given.seed}, {histories} histories, {decisions} decisions, "
        f"{seconds:.1f} s, {histories / seconds:.0f} histories a second"
    )
    for what, number in sorted(met.items()):
        print(f"  {what:30} in {100 * number / histories:8.4f} % of the histories")
    if difference:
        case = drawn(given.seed, differs)
        print(f"history {differs} differs; alone: --seed {given.seed} --first {differs} --count 1")
        print(difference)
        print(f"policy {case.policy.holdout.salt}, outcomes {case.outcomes}")
        for signal in case.history:
            print(" ", signal)
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
