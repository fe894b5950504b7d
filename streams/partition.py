"""One partition of the log: people, forwards, time. `take(signal, position)` is the whole thinking.

A person's state is exact up to the log time; signals accepted later wait beside it. A mark moves log time on: the waiting
signals are applied in order of acceptance, and every instant in between is judged. What must stop waits for nothing: for a
person who is in a moment, an arriving signal is tried on a copy at once, and an end that it brings is written at once; the
exact judgement is silent about it later. docs/decisions/0001 says why.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable, MutableMapping
from typing import NamedTuple

import msgspec

from contracts.commands import Command
from contracts.decisions import Arm, Clause, Decision
from contracts.policy import Policy
from contracts.signals import (
    Claimed,
    Erased,
    Marked,
    Moved,
    PersonSignal,
    Scalar,
    Signal,
    anonymous,
    strength,
)
from streams import contact, identity, judgement, telling
from streams.conditions import soonest
from streams.control import Control
from streams.drift import Trouble
from streams.fold import apply, concerns_judgement
from streams.inputs import Watch
from streams.judgement import NOTHING_STALE, Stale, Verdict
from streams.person import (
    ID_BYTES,
    IDS_MAX,
    NOT_SEEN,
    PASSES_MAX,
    PENDING_MAX,
    Announced,
    Person,
    State,
    copy_state,
)
from streams.stops import in_conversation

ARM_BITS = 64


class Effects(NamedTuple):
    """decisions and commands in order; signals are to be appended to the log (passed on, handed over).

    troubles: of the inputs of audiences, begun or (with `until_ms`) ended by this record. stranded: signals that were
    passed on too often to be passed on again.
    """

    decisions: list[Decision]
    commands: list[Command]
    signals: list[PersonSignal]
    troubles: list[Trouble]
    stranded: list[PersonSignal]


def arm_by_hash(person: str, policy: Policy) -> Arm:
    """SHA-256 of `salt|person`; its first 8 bytes, big-endian, over 2^64 below the share: holdout."""
    digest = hashlib.sha256(f"{policy.holdout.salt}|{person}".encode()).digest()
    return "holdout" if int.from_bytes(digest[:8], "big") / 2**ARM_BITS < policy.holdout.share else "assisted"


class Partition:
    """The people of one partition. `people` is written by `people[key] = person` whenever a record changed."""

    def __init__(
        self,
        policy: Policy,
        people: MutableMapping[str, Person],
        *,
        arm: Callable[[str], Arm] | None = None,
        control: Control | None = None,
    ) -> None:
        self.policy = policy
        self.control = control or Control()
        self._watch = Watch(policy)
        self._people = people
        self._arm = arm or (lambda person: arm_by_hash(person, policy))
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._held: set[str] = set()  # people who wait for an input to be itself again

    def restore(self, people: Iterable[tuple[str, Person]]) -> None:
        """Build the index of due times from the records, after a start or a change of ownership."""
        for key, person in people:
            self._schedule(key, person)
            if person.state is not None and judgement.waits_for_data(person.state):
                self._held.add(key)

    def take(self, signal: Signal, position: int) -> Effects:
        """Apply one record of the log. A position that a person's record has seen changes nothing."""
        effects = Effects([], [], [], [], [])
        if isinstance(signal, Marked):
            time_ms = self.control.marks.move(signal)
            if time_ms is not None:
                self._advance(time_ms, position, effects)
            return effects
        effects.troubles.extend(self.control.drift.note(signal, self._watch))
        if effects.troubles:
            self._wake(effects.troubles)
        key = signal.person
        person = self._people.get(key)
        if person is None:
            person = Person()
        elif position <= person.position:
            return effects
        if isinstance(signal, Claimed):
            self._claim(key, person, signal, effects)
        elif key not in signal.via and _counted(person, signal.id):
            pass  # told again, be it while the key was still nobody's
        elif person.forward is not None and not identity.takes_back(key, person, signal):
            self._pass_on(key, person.forward, signal, effects)
        else:
            self._accept(key, person, signal, effects)
        person.position = position
        self._people[key] = person
        self._schedule(key, person)
        return effects

    def facts(self, key: str, at_ms: int) -> dict[str, Scalar]:
        """What the record holds under the names of the Intercom attributes; follows forwards."""
        state = self.state(key)
        if state is None:
            state = State(at_ms, "assisted")
        return contact.attributes(state, at_ms, self.policy)

    def state(self, key: str) -> State | None:
        """The settled state behind a key; None when nothing is known."""
        for _ in range(PASSES_MAX):
            person = self._people.get(key)
            if person is None or person.forward is None:
                return person.state if person is not None else None
            key = person.forward
        return None

    def _accept(self, key: str, person: Person, signal: PersonSignal, effects: Effects) -> None:
        if person.state is None:
            person.state = State(NOT_SEEN, self._arm(key))
        if anonymous(key) or strength(key) < 0:
            identity.note(person.state, key, signal, self._arm)
            apply(person.state, signal, self.policy)
            return
        if isinstance(signal, Moved):
            person.ids = (identity.ids_of(signal) + person.ids)[-IDS_MAX * ID_BYTES :]
        person.pending.append(signal)
        if judgement.active(person.state) is not None and concerns_judgement(signal, self.policy):
            self._foresee(key, person, signal, effects)
        if len(person.pending) > PENDING_MAX:
            self._settle(key, person, person.pending[0].accepted_ms, effects)

    def _foresee(self, key: str, person: Person, arrived: PersonSignal | None, effects: Effects) -> None:
        """Try what waits on a copy, in order, and write at once the end that a signal brings.

        arrived: what has just come; the others were tried when they came. None: the moment has just begun, try all.
        """
        state = person.state
        assert state is not None, "only a person with a state is in a moment"
        current = judgement.active(state)
        if current is None or current[0] in person.announced:
            return
        name, _, episode = current
        expires_ms = contact.expiry(state, name, episode, self.policy) if name in self.policy.audiences else None
        trial = copy_state(state)
        for waiting in _in_order(person.pending):
            at_ms = max(waiting.accepted_ms, state.judged_ms)
            if expires_ms is not None and at_ms >= expires_ms:
                return  # time ended it earlier; the mark will say so
            trial.judged_ms = at_ms
            verdicts = self._applied(key, trial, waiting, at_ms, tried=arrived not in (None, waiting))
            found = [v for v in verdicts if (v.audience, v.outcome, v.under) == (name, "withdrawn", None)]
            found = [v for v in found if v.reason != "priority"]  # a take-over is a beginning, and waits for the mark
            for verdict in found:
                person.announced[name] = Announced(verdict.anchor_ms, verdict.at_ms)
                self._decide(key, verdict, waiting, effects)
                self._tell(key, person, trial, effects, changed=verdict.said, activates=False)
            if found or arrived == waiting:
                return

    def _advance(self, time_ms: int, position: int, effects: Effects) -> None:
        while self._heap and self._heap[0][0] <= time_ms:
            due_ms, key = heapq.heappop(self._heap)
            if self._due.get(key) != due_ms:
                continue
            del self._due[key]
            person = self._people.get(key)
            if person is None or position <= person.position:
                continue
            self._settle(key, person, time_ms, effects)
            person.position = position
            self._people[key] = person
            self._schedule(key, person)
        self.control.drift.forget(time_ms)

    def _wake(self, changed: Iterable[Trouble]) -> None:
        """Whoever waits for data is judged at the instant at which an input is itself again."""
        over_ms = [trouble.until_ms for trouble in changed if trouble.until_ms is not None]
        if not over_ms:
            return
        for key in sorted(self._held):
            person = self._people.get(key)
            if person is not None and person.state is not None:
                person.state.due_ms = soonest(person.state.due_ms, *over_ms)
                self._people[key] = person
                self._schedule(key, person)
        self._held.clear()

    def _stale(self, at_ms: int) -> Stale:
        """The troubles of each audience's inputs at an instant; nearly always none."""
        if not self.control.drift.troubles:
            return NOTHING_STALE
        return {
            name: troubles
            for name, needs in self._watch.needs.items()
            if (troubles := self.control.drift.at(needs, at_ms))
        }

    def _settle(self, key: str, person: Person, until_ms: int, effects: Effects) -> None:
        """Apply what waits and judge every instant up to and including `until_ms`."""
        state = person.state
        assert state is not None, "only a person with a state is due"
        person.pending = _in_order(person.pending)
        shown = activated = False
        while True:
            waiting_ms = person.pending[0].accepted_ms if person.pending else None
            next_ms = min((at for at in (waiting_ms, state.due_ms) if at is not None), default=None)
            if next_ms is None or next_ms > until_ms:
                break
            at_ms = max(next_ms, state.judged_ms)
            cause: PersonSignal | None = None
            verdicts: list[tuple[Verdict, PersonSignal | None]] = []
            concerned = state.due_ms is not None and state.due_ms <= at_ms
            while person.pending and person.pending[0].accepted_ms <= at_ms:
                cause = person.pending.pop(0)
                identity.note(state, key, cause, self._arm)
                if concerns_judgement(cause, self.policy):
                    concerned = True
                    verdicts += [(verdict, cause) for verdict in self._applied(key, state, cause, at_ms)]
                else:
                    apply(state, cause, self.policy)
            if not concerned:
                continue
            judged = judgement.judge(
                state, at_ms, self.policy, delivered_at_once=not self.control.marks.outcomes, stale=self._stale(at_ms)
            )
            state.due_ms = judged.due_ms
            verdicts += [(verdict, cause) for verdict in judged.verdicts]
            for verdict, signal in self._unannounced(person, verdicts):
                self._decide(key, verdict, signal, effects)
                if verdict.outcome != "withheld" and verdict.under is None:
                    activated = verdict.outcome == "activated"
                    shown = shown or verdict.said or activated
            self._close_announced(person, state, at_ms)
        if self.control.drift.troubles and judgement.waits_for_data(state):
            self._held.add(key)
        self._tell(key, person, state, effects, changed=shown, activates=activated)
        if activated and person.pending:
            self._foresee(key, person, None, effects)

    def _applied(
        self, key: str, state: State, signal: PersonSignal, at_ms: int, *, tried: bool = False
    ) -> list[Verdict]:
        """Apply one signal and end at once what it ends. tried: it is known to end nothing."""
        if isinstance(signal, Erased) and not state.erased and judgement.active(state) is not None:
            verdict = _erased(state, at_ms, self.policy)
            apply(state, signal, self.policy)
            return [verdict]
        wish = identity.fold(state, signal, self.policy)
        verdicts: list[Verdict] = []
        if not (tried or state.erased) and concerns_judgement(signal, self.policy):
            verdicts = judgement.ends(state, at_ms, self.policy, by_signal=True)
        if isinstance(signal, Moved):
            verdicts += identity.go_on(state, signal.source, wish, at_ms, self.policy, own=signal.source == key)
        return verdicts

    def _unannounced(
        self, person: Person, verdicts: list[tuple[Verdict, PersonSignal | None]]
    ) -> list[tuple[Verdict, PersonSignal | None]]:
        fresh = []
        for verdict, signal in verdicts:
            announced = person.announced.get(verdict.audience)
            written = announced is not None and verdict.anchor_ms == announced.anchor_ms and verdict.under is None
            if written and verdict.outcome == "withdrawn":
                del person.announced[verdict.audience]
            else:
                fresh.append((verdict, signal))
        return fresh

    def _close_announced(self, person: Person, state: State, at_ms: int) -> None:
        """An end that was written stays an end, even where signals that came late would not have brought it."""
        current = judgement.active(state)
        if current is None or (announced := person.announced.get(current[0])) is None or at_ms < announced.at_ms:
            return
        judgement.end(state, current[0], current[1], "no_longer_true", at_ms, self.policy, clauses=())  # said already
        del person.announced[current[0]]

    def _claim(self, key: str, person: Person, claim: Claimed, effects: Effects) -> None:
        """The first claimer gets the state; a shared browser's later signals go to the newest who identified there."""
        if not identity.may_claim(key, claim.owner) or _counted(person, claim.id):
            return
        if person.forward is not None:
            if identity.may_repoint(key, person, claim):
                person.forward, person.claimed_ms = claim.owner, claim.occurred_ms
            return
        if person.state is not None:
            self._hand_over(key, person, person.state, claim, effects)
        person.forward, person.claimed_ms = claim.owner, claim.occurred_ms
        person.state, person.pending, person.announced = None, [], {}

    def _hand_over(self, key: str, person: Person, state: State, claim: Claimed, effects: Effects) -> None:
        """What was due before the claim was this key's own and is judged here. An episode that is active comes along; its
        end under this key is said where the facts are merged. The contact shows nothing of it from now on."""
        if strength(key) > 0:
            self._settle(key, person, claim.accepted_ms - 1, effects)
        at_ms = max(claim.accepted_ms, state.judged_ms)
        waiting = _in_order(person.pending)
        verdicts: list[tuple[Verdict, PersonSignal | None]] = []
        for signal in waiting:
            identity.note(state, key, signal, self._arm)
            verdicts += [(verdict, signal) for verdict in self._applied(key, state, signal, at_ms)]
        for verdict, cause in self._unannounced(person, verdicts):
            self._decide(key, verdict, cause, effects)
        self._close_announced(person, state, at_ms)
        if state.erased:
            return
        effects.signals.append(identity.handed_over(key, state, person.ids, claim, at_ms))
        current = judgement.active(state)
        if current is not None:
            verdict = judgement.end(state, current[0], current[1], "moved", at_ms, self.policy, clauses=())
            self._tell(key, person, state, effects, changed=verdict.said, activates=False)

    def _pass_on(self, key: str, owner: str, signal: PersonSignal, effects: Effects) -> None:
        if len(signal.via) < PASSES_MAX:
            effects.signals.append(msgspec.structs.replace(signal, person=owner, via=(*signal.via, key)))
        else:
            effects.stranded.append(signal)

    def _decide(self, key: str, verdict: Verdict, cause: PersonSignal | None, effects: Effects) -> None:
        if verdict.said:
            effects.decisions.append(telling.decision(verdict.under or key, verdict, cause, self.policy))

    def _tell(
        self, key: str, person: Person, state: State, effects: Effects, *, changed: bool, activates: bool
    ) -> None:
        """A command when a decision changed what the contact shows, and while its conversation is open."""
        never_told = not person.told and not activates
        if in_conversation(state) or (changed and not never_told):
            command = telling.command(key, person, state, state.judged_ms, self.policy, activates=activates)
            if command is not None:
                effects.commands.append(command)

    def _schedule(self, key: str, person: Person) -> None:
        state = person.state
        due_ms = None
        if state is not None and not anonymous(key) and strength(key) >= 0:
            waiting_ms = min((signal.accepted_ms for signal in person.pending), default=None)
            due_ms = min((at for at in (waiting_ms, state.due_ms) if at is not None), default=None)
        if due_ms is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due_ms:
            self._due[key] = due_ms
            heapq.heappush(self._heap, (due_ms, key))


def _counted(person: Person, message_id: str) -> bool:
    """Whether the ring knows the message; else it does from now on."""
    digest = hashlib.blake2b(message_id.encode(), digest_size=ID_BYTES).digest()
    ids = person.ids
    found = ids.find(digest)
    while found >= 0 and found % ID_BYTES:
        found = ids.find(digest, found + 1)
    if found >= 0:
        return True
    person.ids = (ids + digest)[-IDS_MAX * ID_BYTES :]
    return False


def _in_order(signals: list[PersonSignal]) -> list[PersonSignal]:
    return sorted(signals, key=lambda signal: signal.accepted_ms)


def _erased(state: State, at_ms: int, policy: Policy) -> Verdict:
    trial = copy_state(state)
    current = judgement.active(trial)
    assert current is not None, "asked only of somebody in a moment"
    return judgement.end(trial, current[0], current[1], "erased", at_ms, policy, clauses=(Clause("stop erased", True),))
