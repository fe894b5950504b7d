"""Both sides on one history: the product's decisions and the oracle's, and what only one of them has."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from contracts.decisions import Decision
from contracts.instant import DAY_MS, from_rfc3339
from contracts.policy import Policy
from contracts.signals import PersonSignal
from streams.arms import arm_by_hash
from tests.oracle.policies import drawn
from tests.oracle.reckon import Said, reckon
from tests.streams.histories import Run

SHIPPED = drawn(0)
AFTER_MS = 200 * DAY_MS  # longer than any window of the shipped policy, so that all that time alone brings has come


class Compared(NamedTuple):
    """facts: per person that is told of, what both would show when the history ends, where that differs."""

    product: Counter[Said]
    oracle: Counter[Said]
    facts: list[str]

    def difference(self) -> str:
        """One line per decision that only one side has, oldest first, and per fact; empty where they agree."""
        lines = [(said.at_ms, "only product", said) for said in self.product - self.oracle]
        lines += [(said.at_ms, "only oracle ", said) for said in self.oracle - self.product]
        return "\n".join([f"{side} {said}" for _, side, said in sorted(lines)] + self.facts)


def compare(history: Sequence[PersonSignal], policy: Policy = SHIPPED, *, outcomes: bool = False) -> Compared:
    last_ms = history[-1].accepted_ms
    run = start(policy, outcomes=outcomes)
    run.read(history)
    run.mark(last_ms)
    world = reckon(history, policy, outcomes=outcomes)
    world.advance(last_ms)
    facts = []
    for key, life in world.lives.items():
        ours, theirs = run.partition.facts(key, last_ms), life.shown(last_ms)
        facts += [
            f"{key} {name}: product {ours[name]}, oracle {fact}" for name, fact in theirs.items() if ours[name] != fact
        ]
    run.mark(last_ms + AFTER_MS)
    world.advance(last_ms + AFTER_MS)
    return Compared(Counter(said(decision) for decision in run.decisions), Counter(world.said), facts)


def start(policy: Policy, *, outcomes: bool) -> Run:
    return Run(policy, arm=lambda key: arm_by_hash(key, policy), outcomes=outcomes)


def said(decision: Decision) -> Said:
    return Said(
        decision.person,
        decision.audience,
        from_rfc3339(decision.episode.partition("@")[2]),
        decision.outcome,
        decision.reason,
        from_rfc3339(decision.at),
        decision.tier,
        decision.arm,
    )
