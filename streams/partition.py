"""One partition of the log: people, forwards, time. `take(signal, position)` is the whole thinking.

A person's state is exact up to the log time; signals accepted later wait beside it. A mark moves log time on: the waiting
signals are applied in order of acceptance, and every instant in between is judged. What must stop waits for nothing: for a
person who is in a moment, an arriving signal is tried on a copy at once, and an end that it brings is written at once; the
exact judgement is silent about it later. docs/decisions/0001 says why.
"""

from collections.abc import Callable, Iterable, Mapping, MutableMapping

import msgspec

from contracts.commands import Command
from contracts.decisions import Arm, Decision
from contracts.policy import Policy
from contracts.signals import (
    Claimed,
    Marked,
    Moved,
    PersonSignal,
    Ruled,
    Scalar,
    Signal,
    addressed,
    strength,
)
from streams import contact, early, identity, judgement, telling
from streams.agenda import Agenda
from streams.arms import arm_by_hash
from streams.conditions import earlier, soonest
from streams.control import Control
from streams.drift import Trouble
from streams.fold import apply, concerns_judgement
from streams.judgement import Verdict
from streams.person import (
    ID_BYTES,
    NOT_SEEN,
    PASSES_MAX,
    RING_BYTES,
    Announced,
    Person,
    State,
    behind,
    copy_state,
    counted,
    heavy,
    in_order,
    is_erased,
    waiting_ms,
)
from streams.rulings import Rulings, meet
from streams.stops import in_conversation


class Effects(msgspec.Struct, gc=False):
    """decisions and commands in order; signals are to be appended to the log (passed on, handed over).

    troubles: of the inputs of audiences, begun or (with `until_ms`) ended by this record. stranded: signals that were
    passed on too often to be passed on again.
    """

    decisions: list[Decision] = []
    commands: list[Command] = []
    signals: list[PersonSignal] = []
    troubles: list[Trouble] = []
    stranded: list[PersonSignal] = []


class Partition:
    """The people of one partition. `people` is written by `people[key] = person` whenever a record changed.

    policy: in force until the log names another. policies: the texts of the deployed ones that `control` names, by hash.
    """

    def __init__(
        self,
        policy: Policy,
        people: MutableMapping[str, Person],
        *,
        arm: Callable[[str], Arm] | None = None,
        control: Control | None = None,
        policies: Mapping[str, str] | None = None,
    ) -> None:
        self.control = control or Control()
        self.rulings = Rulings(policy, self.control.rulings, policies or {})
        self.rulings.passed(self.control.marks.time_ms or 0)
        self._people = people
        self._arm = arm_by_hash if arm is None else lambda person, _: arm(person)
        self._in_moment: set[str] = set()  # whom a new policy concerns at once
        self._agenda = Agenda()
        self._held: set[str] = set()  # people who wait for an input to be itself again

    def restore(self, people: Iterable[tuple[str, Person]]) -> None:
        """Build the index of due times from the records, after a start or a change of ownership."""
        for key, person in people:
            self._schedule(key, person)
            self._note_moment(key, person.state)
            if person.state is not None and judgement.waits_for_data(person.state):
                self._held.add(key)

    def take(self, signal: Signal, position: int) -> Effects:
        """Apply one record of the log. A position that a person's record has seen changes nothing."""
        effects = Effects()
        if isinstance(signal, Marked):
            time_ms = self.control.marks.move(signal)
            if time_ms is not None:
                self._advance(time_ms, position, effects)
            return effects
        if isinstance(signal, Ruled):
            self._rule(signal)
            return effects
        changed = self.control.drift.note(signal, self.rulings.newest.watch)
        if changed:
            effects.troubles.extend(changed)
            self._wake(changed)
        key = signal.person
        person = self._people.get(key)
        if person is None:
            person = Person()
        elif position <= person.position:
            return effects
        if isinstance(signal, Claimed):
            self._claim(key, person, signal, effects)
        elif key not in signal.via and counted(person, signal.id):
            pass  # told again, be it while the key was still nobody's
        elif person.forward is not None and not identity.takes_back(key, person, signal):
            self._pass_on(key, person.forward, signal, effects)
        else:
            self._accept(key, person, signal, effects)
        person.position = position
        self._people[key] = person
        self._schedule(key, person, near=True)
        return effects

    def facts(self, key: str, at_ms: int) -> dict[str, Scalar]:
        """What the record holds under the names of the Intercom attributes; follows forwards."""
        state = self.state(key) or State(at_ms, "assisted")
        return contact.attributes(state, at_ms, self.rulings.oldest.policy)

    def state(self, key: str) -> State | None:
        """The settled state behind a key; None when nothing is known."""
        found = behind(self._people, key)
        return None if found is None else found[1].state

    def erased(self, key: str) -> bool:
        """Follows forwards; False where they lead to another partition."""
        found = behind(self._people, key)
        return found is not None and is_erased(found[1])

    def _accept(self, key: str, person: Person, signal: PersonSignal, effects: Effects) -> None:
        if person.state is None:
            person.state = State(NOT_SEEN, self._arm(key, self.rulings.newest.policy))
        if not addressed(key):
            policy = self.rulings.newest.policy
            identity.note(person.state, key, signal, policy, self._arm)
            apply(person.state, signal, policy)
            return
        if isinstance(signal, Moved):
            person.ids = (identity.ids_of(signal) + person.ids)[-RING_BYTES:]
        person.pending.append(signal)
        if judgement.active(person.state) is not None:
            policy = self.rulings.at(signal.accepted_ms).policy
            if concerns_judgement(signal, policy):
                self._foresee(key, person, signal, effects)
        while heavy(person.pending):
            self._settle(key, person, min(signal.accepted_ms for signal in person.pending), effects)

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
        trial = copy_state(state)
        changes_ms = self.rulings.next_after(person.ruled_ms)
        for waiting in in_order(person.pending):
            at_ms = max(waiting.accepted_ms, state.judged_ms)
            if changes_ms is not None and changes_ms <= at_ms:
                changed_ms, changes_ms = max(changes_ms, state.judged_ms), self.rulings.next_after(changes_ms)
                rules = self.rulings.at(changed_ms)
                if self._announce(key, person, trial, meet(trial, changed_ms, rules.policy), None, effects):
                    return
            policy = self.rulings.at(at_ms).policy
            expires_ms = contact.expiry(state, name, episode, policy) if name in policy.audiences else None
            if expires_ms is not None and at_ms >= expires_ms:
                return  # time ended it earlier; the mark will say so
            trial.judged_ms = at_ms
            named = identity.note(trial, key, waiting, policy, self._arm)
            tried = arrived not in (None, waiting)
            quiet = not named and (tried or not concerns_judgement(waiting, policy))
            verdicts = early.applied(key, trial, waiting, at_ms, policy, ends_nothing=quiet)
            found = [v for v in verdicts if (v.audience, v.outcome, v.under) == (name, "withdrawn", None)]
            found = [v for v in found if v.reason != "priority"]  # a take-over is a beginning, and waits for the mark
            if self._announce(key, person, trial, found, waiting, effects) or arrived == waiting:
                return

    def _announce(
        self,
        key: str,
        person: Person,
        trial: State,
        found: list[Verdict],
        cause: PersonSignal | None,
        effects: Effects,
    ) -> bool:
        """Write the end that was found on a copy; whether there was one."""
        for verdict in found:
            trial.judged_ms = verdict.at_ms
            person.announced[verdict.audience] = Announced(verdict.anchor_ms, verdict.at_ms)
            self._decide(key, verdict, cause, effects)
            self._tell(key, person, trial, effects, changed=verdict.said, activates=False)
        return bool(found)

    def _rule(self, ruled: Ruled) -> None:
        """A policy was deployed. Whoever is in a moment meets it at its instant, everybody else when next judged."""
        if self.rulings.add(ruled, self.control.marks.time_ms):
            self.control.rulings = self.rulings.kept()
            for key in sorted(self._in_moment):
                person = self._people.get(key)
                assert person is not None, "who is in a moment has a record"
                self._schedule(key, person)

    def _advance(self, time_ms: int, position: int, effects: Effects) -> None:
        for key in self._agenda.until(time_ms):
            person = self._people.get(key)
            if person is None or position <= person.position:
                continue
            due_ms = self._settle(key, person, time_ms, effects)
            person.position = position
            self._people[key] = person
            self._agenda.put(key, due_ms)
        self.control.drift.forget(time_ms)
        if self.rulings.passed(time_ms):
            self.control.rulings = self.rulings.kept()

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

    def _settle(self, key: str, person: Person, until_ms: int, effects: Effects) -> int | None:
        """Apply what waits and judge every instant up to and including `until_ms`; which instant is the next."""
        state = person.state
        assert state is not None, "only a person with a state is due"
        pending = person.pending
        if len(pending) > 1:
            pending = person.pending = in_order(pending)
        shown = activated = False
        while True:
            next_ms, changes_ms = state.due_ms, None
            if pending and (next_ms is None or pending[0].accepted_ms < next_ms):
                next_ms = pending[0].accepted_ms
            if person.ruled_ms < self.rulings.newest.from_ms:
                changes_ms = self._changes_ms(person)
                next_ms = earlier(next_ms, changes_ms)
            if next_ms is None or next_ms > until_ms:
                break
            at_ms = next_ms if next_ms > state.judged_ms else state.judged_ms
            rules = self.rulings.at(at_ms)
            policy = rules.policy
            cause: PersonSignal | None = None
            verdicts: list[tuple[Verdict, PersonSignal | None]] = []
            concerned = state.due_ms is not None and state.due_ms <= at_ms
            if changes_ms is not None and changes_ms <= at_ms:  # before the instant's signals: they find the new policy
                concerned = True
                verdicts += [(verdict, None) for verdict in meet(state, at_ms, policy)]
            person.ruled_ms = rules.from_ms
            while pending and pending[0].accepted_ms <= at_ms:
                cause = pending.pop(0)
                named = identity.note(state, key, cause, policy, self._arm)
                if named or concerns_judgement(cause, policy):
                    concerned = True
                    ended = early.applied(key, state, cause, at_ms, policy)
                    verdicts += [(verdict, cause) for verdict in ended] if ended else ()
                else:
                    apply(state, cause, policy)
            if not concerned:
                continue
            judged = judgement.judge(
                state,
                at_ms,
                policy,
                delivered_at_once=not self.control.marks.outcomes,
                stale=rules.stale(self.control.drift, at_ms),
            )
            state.due_ms = judged.due_ms
            verdicts += [(verdict, cause) for verdict in judged.verdicts] if judged.verdicts else ()
            for verdict, signal in early.unannounced(person, verdicts) if verdicts else ():
                self._decide(key, verdict, signal, effects)
                if verdict.outcome != "withheld" and verdict.under is None:
                    activated = verdict.outcome == "activated"
                    shown = shown or verdict.said or activated
            if person.announced:
                early.close_announced(person, state, at_ms, policy)
            self._note_moment(key, state)
        if self.control.drift.troubles and judgement.waits_for_data(state):
            self._held.add(key)
        if shown or state.conversations:
            self._tell(key, person, state, effects, changed=shown, activates=activated)
        if activated and pending:
            self._foresee(key, person, None, effects)
        return next_ms

    def _claim(self, key: str, person: Person, claim: Claimed, effects: Effects) -> None:
        """The first claimer gets the state; a shared browser's later signals go to the newest who identified there."""
        if not identity.may_claim(key, claim.owner) or counted(person, claim.id):
            return
        if person.forward is not None:
            if identity.may_repoint(key, person, claim):
                person.forward, person.claimed_ms = claim.owner, claim.occurred_ms
            return
        if person.state is not None:
            self._hand_over(key, person, person.state, claim, effects)
        person.forward, person.claimed_ms = claim.owner, claim.occurred_ms
        person.state, person.pending, person.announced = None, [], {}
        self._note_moment(key, None)

    def _hand_over(self, key: str, person: Person, state: State, claim: Claimed, effects: Effects) -> None:
        """What was due before the claim was this key's own and is judged here. An episode that is active comes along; its
        end under this key is said where the facts are merged. The contact shows nothing of it from now on."""
        if strength(key) > 0:
            self._settle(key, person, claim.accepted_ms - 1, effects)
        at_ms = max(claim.accepted_ms, state.judged_ms)
        policy = self.rulings.at(at_ms).policy
        waiting = in_order(person.pending)
        changes_ms = self._changes_ms(person)
        verdicts: list[early.Told] = []
        if changes_ms is not None and changes_ms <= at_ms:
            verdicts += [(verdict, None) for verdict in meet(state, at_ms, policy)]
        for signal in waiting:
            named = identity.note(state, key, signal, policy, self._arm)
            quiet = not (named or concerns_judgement(signal, policy))
            verdicts += [(v, signal) for v in early.applied(key, state, signal, at_ms, policy, ends_nothing=quiet)]
        for verdict, cause in early.unannounced(person, verdicts):
            self._decide(key, verdict, cause, effects)
        early.close_announced(person, state, at_ms, policy)
        if state.erased:
            return
        effects.signals.append(identity.handed_over(key, state, person.ids[:-ID_BYTES], claim, at_ms))
        current = judgement.active(state)
        if current is not None:
            verdict = judgement.end(state, current[0], current[1], "moved", at_ms, policy, clauses=())
            self._tell(key, person, state, effects, changed=verdict.said, activates=False)

    def _pass_on(self, key: str, owner: str, signal: PersonSignal, effects: Effects) -> None:
        if len(signal.via) < PASSES_MAX:
            effects.signals.append(msgspec.structs.replace(signal, person=owner, via=(*signal.via, key)))
        else:
            effects.stranded.append(signal)

    def _decide(self, key: str, verdict: Verdict, cause: PersonSignal | None, effects: Effects) -> None:
        if verdict.said:
            policy = self.rulings.at(verdict.at_ms).policy
            effects.decisions.append(telling.decision(verdict.under or key, verdict, cause, policy))

    def _tell(
        self, key: str, person: Person, state: State, effects: Effects, *, changed: bool, activates: bool
    ) -> None:
        """A command when a decision changed what the contact shows, and while its conversation is open."""
        never_told = not person.told and not activates
        if in_conversation(state) or (changed and not never_told):
            policy = self.rulings.at(state.judged_ms).policy
            command = telling.command(key, person, state, state.judged_ms, policy, activates=activates)
            if command is not None:
                effects.commands.append(command)

    def _changes_ms(self, person: Person) -> int | None:
        """The instant of the policy that the person's moment has not met yet."""
        changes_ms = self.rulings.next_after(person.ruled_ms)
        if person.state is None or judgement.active(person.state) is None:
            return None
        return changes_ms

    def _schedule(self, key: str, person: Person, *, near: bool = False) -> None:
        """At the next instant at which something of a person is applied or judged; a key that nobody addresses has none."""
        due_ms = None
        if person.state is not None:
            due_ms = earlier(waiting_ms(person), person.state.due_ms)
            if person.ruled_ms < self.rulings.newest.from_ms:
                due_ms = earlier(due_ms, self._changes_ms(person))
        self._agenda.put(key, due_ms, near=near)

    def _note_moment(self, key: str, state: State | None) -> None:
        if state is not None and state.standings and judgement.active(state) is not None:
            self._in_moment.add(key)
        else:
            self._in_moment.discard(key)
