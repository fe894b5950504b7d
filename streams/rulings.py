"""Rulings: which policy judges which instant of one partition.

The policy of the worker's own file stands until the log names one (`Ruled`). A deployed policy rules from its instant on,
which is never one that log time has passed; what waits for an earlier instant is still judged by the policy before it. All of it
is a function of the log's prefix.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from contracts.decisions import Clause
from contracts.policy import Policy, PolicyError, parse
from contracts.signals import Ruled
from contracts.versions import newer
from streams import judgement
from streams.drift import Drift
from streams.inputs import Watch
from streams.judgement import NOTHING_STALE, Stale, Verdict
from streams.person import State

AS_IT_SAYS = Clause("moments go on under the new policy", False)
RULINGS_MAX = 8  # deployed within one mark's distance; of more, the last one takes the place of the one before


class Ruling(msgspec.Struct, array_like=True):
    """As it is stored: a deployed policy by its hash. The text is kept beside it, once."""

    from_ms: int
    policy: str


class Rules(NamedTuple):
    """One policy in force from `from_ms` on; text is empty for the worker's own file."""

    from_ms: int
    policy: Policy
    watch: Watch
    name: str = ""
    text: str = ""

    def stale(self, drift: Drift, at_ms: int) -> Stale:
        """The troubles of each audience's inputs at an instant; nearly always none."""
        if not drift.troubles:
            return NOTHING_STALE
        return {name: troubles for name, needs in self.watch.needs.items() if (troubles := drift.at(needs, at_ms))}


class Rulings:
    """kept: of the partition's control. texts: the deployed policies by their hashes.

    newest: of the last position; what is counted or kept as it comes goes by this one.
    """

    def __init__(self, own: Policy, kept: Sequence[Ruling], texts: Mapping[str, str]) -> None:
        self._all = [Rules(0, own, Watch(own))]
        self._all += [_rules(ruling.from_ms, ruling.policy, texts[ruling.policy]) for ruling in kept]
        self.newest = self._all[-1]

    @property
    def oldest(self) -> Rules:
        """Of the oldest instant that may still be judged."""
        return self._all[0]

    def at(self, at_ms: int) -> Rules:
        """Of an instant."""
        if self.newest.from_ms <= at_ms:
            return self.newest  # nearly always
        return next((rules for rules in reversed(self._all) if rules.from_ms <= at_ms), self._all[0])

    def next_after(self, from_ms: int) -> int | None:
        """When the first policy came, or comes, that is newer than the one that rules since `from_ms`."""
        if self.newest.from_ms <= from_ms:
            return None
        return next(rules.from_ms for rules in self._all if rules.from_ms > from_ms)

    def add(self, ruled: Ruled, time_ms: int | None) -> bool:
        """False where the record repeats the newest ruling. NewerRecord for a policy that this release cannot read."""
        last = self.newest
        if ruled.policy == last.name:
            return False
        from_ms = max(ruled.at_ms, last.from_ms + 1, (time_ms or 0) + 1)
        if len(self._all) > RULINGS_MAX:
            self._all.pop()
        self.newest = _rules(from_ms, ruled.policy, ruled.text)
        self._all.append(self.newest)
        return True

    def passed(self, time_ms: int) -> bool:
        """Forget what rules no instant after `time_ms`; whether anything was forgotten."""
        count = len(self._all)
        while len(self._all) > 1 and self._all[1].from_ms <= time_ms + 1:
            del self._all[0]
        return len(self._all) < count

    def kept(self) -> list[Ruling]:
        return [Ruling(rules.from_ms, rules.name) for rules in self._all if rules.text]

    def texts(self) -> dict[str, str]:
        return {rules.name: rules.text for rules in self._all if rules.text}


def meet(state: State, at_ms: int, policy: Policy) -> list[Verdict]:
    """A policy begins to rule at this instant: the active episode ends, or goes on under it, as the policy says."""
    ended = judgement.ends(state, at_ms, policy)
    current = judgement.active(state)
    if ended or current is None or policy.on_change == "go_on":
        return ended
    return [judgement.end(state, current[0], current[1], "policy_changed", at_ms, policy, clauses=(AS_IT_SAYS,))]


def _rules(from_ms: int, name: str, text: str) -> Rules:
    try:
        policy = parse(text, name=f"policy {name}")
    except PolicyError:
        raise newer(f"the log has brought the policy {name}, which this release cannot read") from None
    return Rules(from_ms, policy, Watch(policy), name, text)
