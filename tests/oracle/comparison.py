"""Both sides on one history: the product's decisions and the oracle's, and what only one of them has."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from contracts.decisions import Arm
from contracts.instant import DAY_MS, from_rfc3339
from contracts.signals import PersonSignal
from tests.oracle.reckon import Told, reckon
from tests.streams.histories import POLICY, Run

AFTER_MS = 200 * DAY_MS  # longer than any window of the shipped policy, so that all that time alone brings has come


class Compared(NamedTuple):
    product: Counter[Told]
    oracle: Counter[Told]

    def difference(self) -> str:
        """One line per decision that only one side has, oldest first; empty where they agree."""
        lines = [(told.at_ms, "only product", told) for told in self.product - self.oracle]
        lines += [(told.at_ms, "only oracle ", told) for told in self.oracle - self.product]
        return "\n".join(f"{side} {told}" for _, side, told in sorted(lines))


def compare(history: Sequence[PersonSignal], arm: Arm = "assisted") -> Compared:
    until_ms = history[-1].accepted_ms + AFTER_MS
    run = Run(POLICY, arm=lambda key: arm)
    run.read(history)
    run.mark(until_ms)
    product = Counter(
        Told(
            d.person,
            d.audience,
            from_rfc3339(d.episode.partition("@")[2]),
            d.outcome,
            d.reason,
            from_rfc3339(d.at),
            d.tier,
        )
        for d in run.decisions
    )
    return Compared(product, Counter(reckon(history, POLICY, until_ms, lambda key: arm)))
