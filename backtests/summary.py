"""The summary of a backtest: how many of what, so that a marketer sees the whole before any single person."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from contracts.decisions import Decision
from contracts.instant import to_rfc3339
from contracts.signals import strength
from streams.drift import Trouble
from streams.person import Person


class Summary:
    """Counts while the replay runs; `told` gives them as plain JSON values."""

    def __init__(self) -> None:
        self._decisions: Counter[tuple[str, str, str]] = Counter()
        self._people: dict[str, set[str]] = {}
        self._arms: dict[str, str] = {}
        self._troubles: dict[tuple[str, int], Trouble] = {}

    def count(self, decision: Decision) -> None:
        self._decisions[decision.audience, decision.outcome, decision.reason] += 1
        self._people.setdefault(decision.audience, set()).add(decision.person)
        self._arms[decision.person] = decision.arm

    def notice(self, trouble: Trouble) -> None:
        """An input that was in trouble; told again, with its end, when it is over."""
        self._troubles[trouble.input, trouble.from_ms] = trouble

    def told(self) -> dict[str, Any]:
        """decisions, by audience, outcome and reason; people with a decision by audience and by arm; inputs in trouble."""
        audiences: dict[str, Any] = {name: {"people": len(people)} for name, people in sorted(self._people.items())}
        for (audience, outcome, reason), count in sorted(self._decisions.items()):
            audiences[audience].setdefault(outcome, {})[reason] = count
        arms = Counter(self._arms.values())
        return {
            "decisions": self._decisions.total(),
            "audiences": audiences,
            "decided_people": {"assisted": arms["assisted"], "holdout": arms["holdout"]},
            "troubles": [
                {
                    "input": trouble.input,
                    "what": trouble.what,
                    "from": instant(trouble.from_ms),
                    "until": instant(trouble.until_ms),
                }
                for trouble in self._troubles.values()
            ],
        }


def population(people: Mapping[str, Person]) -> dict[str, Any]:
    """people: who could be addressed, by arm; anonymous: visitors who never said who they are."""
    arms: Counter[str] = Counter()
    visitors = 0
    for key, person in people.items():
        if person.state is None:
            continue
        if strength(key) > 0:
            arms[person.state.arm] += 1
        elif strength(key) == 0:
            visitors += 1
    return {
        "people": arms.total(),
        "arms": {"assisted": arms["assisted"], "holdout": arms["holdout"]},
        "anonymous": visitors,
    }


def instant(at_ms: int | None) -> str | None:
    return None if at_ms is None else to_rfc3339(at_ms)
