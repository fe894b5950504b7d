"""What the demo saw: what the shop sent, what log, decisions and commands say, what Intercom showed.

Only gathers; `demo_checks` judges it and `view` draws it. Times named `wall_ms` are of the wall, all others are simulated.
"""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from agents.clock import SimulatedClock
from contracts import commands, decisions, signals
from contracts.commands import Command
from contracts.decisions import Decision
from contracts.fields import segment_field
from contracts.instant import from_rfc3339
from contracts.policy import Policy
from contracts.topics import COMMANDS, DECISIONS, QUARANTINE, SIGNALS
from rehearsal.demo_shopper import Sent

LAST_DECISIONS = 200  # for the view; far more than any terminal shows


class Flag(NamedTuple):
    """A flag of one contact as Intercom showed it: from when, and until when (None: still)."""

    person: str
    audience: str
    on_wall_ms: int
    off_wall_ms: int | None = None


class Episode(NamedTuple):
    """An activation with the decision that ended it, None while it stands."""

    activated: Decision
    withdrawn: Decision | None = None

    @property
    def from_ms(self) -> int:
        return from_rfc3339(self.activated.at)

    @property
    def until_ms(self) -> int | None:
        return from_rfc3339(self.withdrawn.at) if self.withdrawn is not None else None


class Comparison(NamedTuple):
    """Intercom held against the decisions once. unsettled: people whose newest decision is too fresh to be held to it."""

    wall_ms: int
    compared: int
    unsettled: int
    differing: tuple[str, ...]


class Evidence:
    def __init__(self, policy: Policy, clock: SimulatedClock) -> None:
        self.policy, self.clock = policy, clock
        self.sent: dict[str, Sent] = {}  # what the receiver acknowledged, by message id
        self.acknowledged: Counter[str] = Counter()  # acknowledgements by kind
        self.acknowledged_wall_ms: dict[str, int] = {}
        self.refused: list[str] = []
        self.unsent = 0  # what the shop had no time for
        self.accepted_ms: dict[str, int] = {}  # by message id, as the log says
        self.in_log: Counter[str] = Counter()  # copies of a message in the log, as it came from its source
        self.people: set[str] = set()
        self.decisions: list[Decision] = []
        self.decided_wall_ms: dict[str, int] = {}  # when a decision was read, by its id
        self.recent: deque[Decision] = deque(maxlen=LAST_DECISIONS)
        self.episodes: dict[tuple[str, str], Episode] = {}  # by person and episode
        self.twice: list[str] = []  # episodes that were activated more than once
        self.changed_wall_ms: dict[str, int] = {}  # when the newest decision or command of a person was read
        self.commands: dict[str, list[Command]] = {}
        self.quarantined = 0
        self.flags: list[Flag] = []
        self.contacts: dict[str, dict[str, Any]] = {}  # attributes by person, as Intercom shows them now
        self.comparisons: list[Comparison] = []
        self._ids: set[str] = set()
        self._marks: dict[str, int] = {}
        self._sources = 0
        self._on: dict[tuple[str, str], int] = {}  # index in `flags` of what is on

    def wall_ms(self, at_ms: int) -> int:
        """The wall's instant of a simulated one."""
        return self.clock.started_wall_ms + round((at_ms - self.clock.origin_ms) / self.clock.speed)

    def delivered(self, sent: Sent, wall_ms: int) -> None:
        """The receiver acknowledged it."""
        self.acknowledged[sent.kind] += 1
        if sent.kind != "duplicate":
            self.sent[sent.message] = sent
        self.acknowledged_wall_ms.setdefault(sent.message, wall_ms)

    def taken_wall_ms(self, sent: Sent) -> int:
        """When the receiver had it: by its own stamp in the log, or by its answer where that is earlier."""
        return min(self.wall_ms(self.accepted_ms[sent.message]), self.acknowledged_wall_ms[sent.message])

    def record(self, topic: str, value: bytes, wall_ms: int) -> None:
        """One record of the log, the decisions, the commands or the quarantine."""
        if topic == SIGNALS.name:
            self._signal(signals.decode(value))
        elif topic == DECISIONS.name:
            self._decision(decisions.decode(value), wall_ms)
        elif topic == COMMANDS.name:
            command = commands.decode(value)
            self.commands.setdefault(command.person, []).append(command)
            self.changed_wall_ms[command.person] = wall_ms
        elif topic == QUARANTINE.name:
            self.quarantined += 1

    def shows(self, contacts: Mapping[str, dict[str, Any]], wall_ms: int) -> None:
        """What Intercom shows at an instant, attributes by person; a flag that changed since the last time is noted."""
        for person, attributes in contacts.items():
            for audience in self.policy.audiences:
                self._flag(person, audience, bool(attributes.get(segment_field(audience))), wall_ms)
        self.contacts = dict(contacts)

    @property
    def log_ms(self) -> int | None:
        """The log time; None until every source has spoken, which says that the worker is at work."""
        return min(self._marks.values()) if self._sources and len(self._marks) >= self._sources else None

    def in_a_moment(self) -> dict[str, Decision]:
        """By person, the activation that stands."""
        return {
            person: episode.activated for (person, _), episode in self.episodes.items() if episode.withdrawn is None
        }

    def reason_of(self, person: str) -> str:
        """The sentence that the newest command gives the agent."""
        newest = self.commands.get(person, [])
        sentence = newest[-1].attributes.get("cio_moment_reason") if newest else None
        return str(sentence or "")

    def _signal(self, signal: signals.Signal) -> None:
        if isinstance(signal, signals.Marked):
            self._sources = signal.of
            self._marks[signal.source] = max(signal.at_ms, self._marks.get(signal.source, 0))
            return
        if isinstance(signal, signals.Ruled):
            return
        if signals.strength(signal.person) == signals.strength("id:"):  # who has one is known by it in the end
            self.people.add(signal.person)
        if signal.via or isinstance(signal, signals.Claimed | signals.Moved | signals.Delivered):
            return
        self.in_log[signal.id] += 1
        self.accepted_ms.setdefault(signal.id, signal.accepted_ms)

    def _decision(self, decision: Decision, wall_ms: int) -> None:
        if decision.id in self._ids:
            return
        self._ids.add(decision.id)
        self.decided_wall_ms[decision.id] = wall_ms
        self.decisions.append(decision)
        self.recent.append(decision)
        self.changed_wall_ms[decision.person] = wall_ms
        key = (decision.person, decision.episode)
        if decision.outcome == "activated":
            if key in self.episodes:
                self.twice.append(f"{decision.person} {decision.episode}")
            self.episodes[key] = Episode(decision)
        elif decision.outcome == "withdrawn" and key in self.episodes:
            self.episodes[key] = Episode(self.episodes[key].activated, decision)

    def _flag(self, person: str, audience: str, on: bool, wall_ms: int) -> None:
        index = self._on.get((person, audience))
        if on and index is None:
            self._on[person, audience] = len(self.flags)
            self.flags.append(Flag(person, audience, wall_ms))
        elif not on and index is not None:
            self.flags[index] = self.flags[index]._replace(off_wall_ms=wall_ms)
            del self._on[person, audience]


def read_contact(contact: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """(person, attributes) of a contact as Intercom's API gives it."""
    external, email = contact.get("external_id"), contact.get("email")
    person = f"id:{external}" if external else f"email:{str(email).lower()}"
    return person, dict(contact.get("custom_attributes") or {})


def same(expected: object, shown: object) -> bool:
    """An attribute that was never written reads as false, 0 or null."""
    return (expected or None) == (shown or None)
