"""Both sides on one history: the product's decisions and the oracle's, and what only one of them has."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from contracts.decisions import Decision
from contracts.instant import DAY_MS, from_rfc3339
from contracts.policy import Policy
from contracts.signals import PersonSignal
from streams.partition import arm_by_hash
from tests.oracle.policies import drawn
from tests.oracle.reckon import Said, reckon
from tests.streams.histories import Run

SHIPPED = drawn(0)
AFTER_MS = 200 * DAY_MS  # longer than any window of the shipped policy, so that all that time alone brings has come


class Compared(NamedTuple):
    product: Counter[Said]
    oracle: Counter[Said]

    def difference(self) -> str:
        """One line per decision that only one side has, oldest first; empty where they agree."""
        lines = [(said.at_ms, "only product", said) for said in self.product - self.oracle]
        lines += [(said.at_ms, "only oracle ", said) for said in self.oracle - self.product]
        return "\n".join(f"{side} {said}" for _, side, said in sorted(lines))


def compare(history: Sequence[PersonSignal], policy: Policy = SHIPPED, *, outcomes: bool = False) -> Compared:
    until_ms = history[-1].accepted_ms + AFTER_MS
    run = played(history, policy, outcomes=outcomes)
    product = Counter(said(decision) for decision in run.decisions)
    return Compared(product, Counter(reckon(history, policy, until_ms, outcomes=outcomes)))


def played(history: Sequence[PersonSignal], policy: Policy, *, outcomes: bool) -> Run:
    run = Run(policy, arm=lambda key: arm_by_hash(key, policy), outcomes=outcomes)
    run.read(history)
    run.mark(history[-1].accepted_ms + AFTER_MS)
    return run


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
