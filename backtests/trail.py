"""A person's trail: what the log, the decisions and the commands hold of one person, under all keys that they have.

`Trail` takes records in any order and any number of times. `follow` asks for records key by key, so that only a person's own
partitions need to be read; `replayed` judges a whole history by a policy instead. Neither sends or writes anything.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from backtests.links import Links
from backtests.replay import replay
from backtests.why import Why, absences
from contracts.commands import Command
from contracts.decisions import Decision
from contracts.policy import Policy
from contracts.signals import Claimed, Delivered, Erased, Marked, Moved, PersonSignal, Ruled, Signal, strength
from streams.partition import Partition

ROUNDS_MAX = 16  # each brings the keys that the one before has named; nobody has moved so often

Signals = Callable[[frozenset[str]], Iterable[Signal]]


class Outcome(NamedTuple):
    """What Intercom made of a revision of one contact; `key` is that of the command."""

    key: str
    revision: int
    outcome: str
    reason: str | None
    episode: str | None
    at_ms: int


class Trail:
    """key: as it was asked for. known: whether anything was told of the person at all.

    heard: whether outcomes would be known here; a replay asks Intercom nothing. from_ms: what was before was not read; None:
    all was. erased_ms: when the person was erased. absent: what keeps the person out of each audience at the end, where that
    is known; untold: why it is not.
    """

    def __init__(self, key: str, *, heard: bool, from_ms: int | None = None) -> None:
        self.key = key
        self.heard = heard
        self.from_ms = from_ms
        self.known = False
        self.erased_ms: int | None = None
        self.links = Links()
        self.absent: dict[str, Why] = {}
        self.untold: str | None = None
        self._decisions: dict[str, Decision] = {}
        self._commands: dict[tuple[str, int], Command] = {}
        self._outcomes: dict[Outcome, None] = {}

    @property
    def keys(self) -> frozenset[str]:
        return self.links.keys(self.key)

    def take(self, signal: Signal) -> None:
        """A signal of the person, or one that claims a key of theirs."""
        if isinstance(signal, Marked | Ruled):
            return
        self.known = True
        match signal:
            case Claimed() | Moved():
                self.links.take(signal)
            case Erased():
                self.erased_ms = min(signal.accepted_ms, self.erased_ms or signal.accepted_ms)
            case Delivered():
                origin = signal.via[0] if signal.via else signal.person
                outcome = (origin, signal.revision, signal.outcome, signal.reason, signal.episode, signal.accepted_ms)
                self._outcomes[Outcome(*outcome)] = None
            case _:
                pass

    def decide(self, made: Iterable[Decision]) -> None:
        """Decisions of the person; one that was written twice counts once."""
        for decision in made:
            self.known = True
            self._decisions.setdefault(decision.id, decision)

    def command(self, given: Iterable[Command]) -> None:
        for command in given:
            if not command.again:
                self._commands.setdefault((command.person, command.revision), command)

    @property
    def decisions(self) -> list[Decision]:
        """By instant; at the same one the weaker key's are first, since there it ends and goes on under the stronger."""
        return sorted(self._decisions.values(), key=lambda decision: (decision.at, strength(decision.person)))

    @property
    def commands(self) -> list[Command]:
        return [self._commands[place] for place in sorted(self._commands)]

    @property
    def outcomes(self) -> list[Outcome]:
        return sorted(self._outcomes, key=lambda outcome: (outcome.at_ms, outcome.revision))


def follow(
    trail: Trail,
    signals: Signals,
    decisions: Callable[[frozenset[str]], Iterable[Decision]],
    commands: Callable[[frozenset[str]], Iterable[Command]],
) -> None:
    """signals: those whose person is one of these keys, oldest first; the others likewise."""
    asked: frozenset[str] = frozenset()
    for _ in range(ROUNDS_MAX):
        fresh = frozenset(key for key in trail.keys - asked if key == trail.key or strength(key) > 0)
        if not fresh:
            break
        asked |= fresh
        for signal in signals(fresh):
            if not isinstance(signal, Marked | Ruled) and signal.person in fresh:
                trail.take(signal)
    trail.decide(one for one in decisions(asked) if one.person in asked)
    trail.command(one for one in commands(asked) if one.person in asked)


def replayed(
    trail: Trail,
    signals: Callable[[], Iterable[PersonSignal]],
    policy: Policy,
    *,
    until_ms: int | None,
    judging: Callable[[Iterable[PersonSignal]], Iterable[PersonSignal]],
) -> int | None:
    """signals: the history from its beginning, each time it is asked for. Returns the last instant of the replay.

    until_ms: time ends there, included; None: with the last signal.
    """
    last_ms: int | None = None
    for signal in signals():
        if until_ms is None or signal.accepted_ms <= until_ms:
            last_ms = signal.accepted_ms
            trail.links.take(signal)
    keys = trail.keys
    partition = Partition(policy, {})
    for effects in replay(_watched(trail, keys, judging(signals())), partition, until_ms=until_ms):
        trail.decide(one for one in effects.decisions if one.person in keys)
        trail.command(one for one in effects.commands if one.person in keys)
    end_ms = last_ms if until_ms is None else until_ms
    state = partition.state(trail.key)
    if end_ms is not None and state is not None and not state.erased:
        trail.absent = absences(state, end_ms, policy)
    return end_ms


def _watched(trail: Trail, keys: frozenset[str], history: Iterable[PersonSignal]) -> Iterable[PersonSignal]:
    for signal in history:
        if signal.person in keys:
            trail.take(signal)
        yield signal
