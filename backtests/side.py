"""One side of a comparison: a policy over the history, and who entered which moment, when, and until when.

An *entrant* is an episode that passed every check before the arm: activated where the person is assisted, virtual where held out.
"""

from collections import Counter
from dataclasses import dataclass

from backtests.delivery import DryRun
from backtests.replay import Course
from backtests.why import Why, cause_of
from contracts.decisions import Arm, Decision, Tier
from contracts.instant import from_rfc3339
from contracts.policy import Policy
from contracts.signals import PersonSignal
from streams.partition import Effects, Partition
from streams.person import State

Place = tuple[str, str]  # person, audience


@dataclass
class Entrant:
    """anchor: as the episode's name has it. end_ms: when it ended, or would by its window, None while it is open.

    absent: why the other side had no such entrant at that instant; None where it had.
    """

    person: str
    audience: str
    anchor: str
    at_ms: int
    tier: Tier
    arm: Arm
    end_ms: int | None
    absent: Why | None = None


class Side:
    """entrants: in the order in which they entered. taken: (who lost, who had the place) -> episodes."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.partition = Partition(policy, {})
        self.entrants: dict[Place, list[Entrant]] = {}
        self.fresh: list[Entrant] = []  # since they were last looked at
        self.words: Counter[tuple[str, str, str]] = Counter()  # audience, outcome, reason -> decisions
        self.taken: Counter[tuple[str, str]] = Counter()
        self.dry = DryRun(policy)
        self.made: list[Decision] = []  # likewise fresh
        self._course = Course(self.partition)
        self._moving: dict[tuple[str, str], Entrant] = {}  # audience, anchor: handed over to a stronger key right now
        self._taken: set[tuple[str, str, str]] = set()

    def reach(self, at_ms: int) -> None:
        self._note(self._course.reach(at_ms))

    def take(self, signal: PersonSignal) -> None:
        for effects in self._course.take(signal):
            self._note(effects)

    def entered(self, person: str, audience: str, anchor: str) -> Entrant | None:
        found = self.entrants.get((person, audience), ())
        return next((one for one in reversed(found) if one.anchor == anchor), None)

    def _note(self, effects: Effects) -> None:
        for decision in effects.decisions:
            self.made.append(decision)
            self.words[decision.audience, decision.outcome, decision.reason] += 1
            if decision.outcome == "activated" or decision.reason == "holdout":
                self._enter(decision)
            elif decision.outcome == "withdrawn":
                self._leave(decision)
            if decision.reason in ("priority", "cap"):
                self._lose(decision)
        for command in effects.commands:
            self.dry.take(command)

    def _enter(self, decision: Decision) -> None:
        anchor = _anchor(decision)
        moved = self._moving.pop((decision.audience, anchor), None)
        at_ms = from_rfc3339(decision.at)
        end_ms = from_rfc3339(decision.expires_at) if decision.expires_at is not None else None
        entrant = Entrant(decision.person, decision.audience, anchor, at_ms, decision.tier, decision.arm, end_ms)
        if moved is not None:
            entrant.at_ms, entrant.absent = moved.at_ms, moved.absent
        else:
            self.fresh.append(entrant)
        self.entrants.setdefault((decision.person, decision.audience), []).append(entrant)

    def _leave(self, decision: Decision) -> None:
        entrant = self.entered(decision.person, decision.audience, _anchor(decision))
        if entrant is None:
            return
        entrant.end_ms = from_rfc3339(decision.at)
        if decision.reason == "moved":
            self.entrants[decision.person, decision.audience].remove(entrant)
            self._moving[decision.audience, entrant.anchor] = entrant

    def _lose(self, decision: Decision) -> None:
        """Somebody else's moment has the place: the one that took over, that is active, or that the cap counts."""
        state = self.state(decision.person)
        thief = cause_of(decision, state, self.policy)
        key = (decision.person, decision.episode, thief)
        if key not in self._taken:
            self._taken.add(key)
            self.taken[decision.audience, thief] += 1

    def state(self, person: str) -> State | None:
        return self.partition.state(person)


def _anchor(decision: Decision) -> str:
    return decision.episode.removeprefix(f"{decision.audience}@")
