"""One person under several keys: who may claim a key, what is handed over, and which active episode goes on."""

from collections.abc import Callable

import msgspec

from contracts.decisions import Arm, Clause, Reason
from contracts.policy import Policy
from contracts.signals import Claimed, Moved, PersonSignal, strength
from streams import judgement, merge
from streams.fold import apply
from streams.judgement import Verdict
from streams.person import Episode, Moment, Person, Standing, State, copy_state, decode_state, encode_state

CAME_ALONG = Clause("moment came along with a weaker key", True)
Wish = tuple[str, Episode] | None  # an active episode that was handed over and wants to go on


def may_claim(key: str, owner: str) -> bool:
    """A stronger key claims a weaker one; two ids claim each other, since an alias says so."""
    ours, theirs = strength(key), strength(owner)
    return owner != key and (ours < theirs or ours == theirs == strength("id:"))


def shared(key: str) -> bool:
    """Keys of browsers and conversations follow the newest claim; an e-mail and a cio_id stay with their first."""
    return strength(key) <= 0


def email_of(key: str) -> tuple[Moment, str] | None:
    """The address that an `email:` key names its person by; one that was ever told goes before it. None otherwise."""
    kind, _, address = key.partition(":")
    return ((0, 0), address) if kind == "email" else None


def may_repoint(key: str, person: Person, claim: Claimed) -> bool:
    """Whether a key that was claimed before follows this claim: a shared one does, where the claim occurred later."""
    return shared(key) and claim.occurred_ms >= person.claimed_ms


def takes_back(key: str, person: Person, signal: PersonSignal) -> bool:
    """Ids that claim each other form no loop: when a signal has gone round, the smallest of the keys in the loop takes it."""
    if person.forward not in signal.via or key != min((*signal.via[signal.via.index(person.forward) :], key)):
        return False
    person.forward = None
    return True


def note(state: State, key: str, signal: PersonSignal, policy: Policy, arm: Callable[[str, Policy], Arm]) -> bool:
    """Note the key under which the person was seen; most signals come under the record's own and tell nothing new.

    True where the key told an address, which a stop may look at.
    """
    if state.own and not signal.via and signal.occurred_ms > state.first_ms:
        return False  # nearly always
    if isinstance(signal, Moved) or state.erased:  # of who is erased not even the address is kept
        return False
    origin = signal.via[0] if signal.via else key
    state.own = state.own or origin == key
    named, known = email_of(origin), state.email
    if named is not None:
        state.email = max(named, known or named)
    if strength(origin) >= 0:
        merge.seen(state, signal.occurred_ms, arm(origin, policy))
    return state.email != known


def handed_over(key: str, state: State, ids: bytes, claim: Claimed, at_ms: int) -> Moved:
    """The signal that carries the whole state, and the ring of message ids, to the owner.

    ids: without that of the claim itself, since one message may claim several keys, the owner's among them.
    """
    state.ids = ids
    return Moved(
        person=claim.owner,
        id=f"moved:{key}:{claim.id}",
        occurred_ms=claim.occurred_ms,
        accepted_ms=at_ms,
        source=key,
        state=encode_state(state),
        via=(key,),
    )


def ids_of(moved: Moved) -> bytes:
    """The ring of message ids that came along; empty where the state cannot be read."""
    try:
        return decode_state(moved.state).ids
    except msgspec.DecodeError:
        return b""


def absorb(state: State, signal: Moved, policy: Policy) -> Wish:
    """Apply a handed-over state; it says which of its episodes wants to go on. An unreadable one changes nothing."""
    try:
        weaker = decode_state(signal.state)
    except msgspec.DecodeError:
        return None
    current = judgement.active(weaker)
    apply(state, signal, policy)
    return (current[0], current[2]) if current is not None else None


def go_on(state: State, source: str, wish: Wish, at_ms: int, policy: Policy, *, own: bool) -> list[Verdict]:
    """End under its old key `source` the episode that came along, and let it go on: same anchor, not counted by the cap.

    What the merged facts end, ends with that reason; of two active ones the lower ends with `priority`, at equal priority
    the one that came. own: of two ids that claim each other one got its own state back, and nothing is said of it.
    """
    if wish is None:
        return []
    name, episode = wish
    ours = judgement.active(state)
    trial = copy_state(state)
    if ours is not None:
        trial.standings[ours[0]].active = None
    trial.standings.setdefault(name, Standing()).active = episode
    over = judgement.ends(
        trial, at_ms, policy, by_signal=own
    )  # to get it back is nothing new: time ends it after signals
    if over:
        return [_ended(state, source, wish, over[0].reason, over[0].clauses, at_ms, policy)]
    if ours is not None and policy.audiences[ours[0]].priority >= policy.audiences[name].priority:
        return [_ended(state, source, wish, "priority", (judgement.taken_over_by(ours[0]),), at_ms, policy)]
    moved = _ended(copy_state(state), source, wish, "moved", (Clause("key is claimed", True),), at_ms, policy)
    verdicts = [moved._replace(said=moved.said and not own)]
    if ours is not None:
        higher = (judgement.taken_over_by(name),)
        verdicts.append(judgement.end(state, ours[0], ours[1], "priority", at_ms, policy, clauses=higher))
    standing = state.standings.setdefault(name, Standing())
    standing.active = episode
    judgement.spend(state, name, standing, policy)
    if episode.arm == "assisted":
        standing.said[episode.anchor[0]] = ("activated", "qualified")
        verdicts.append(
            moved._replace(outcome="activated", reason="qualified", clauses=(CAME_ALONG,), under=None, said=not own)
        )
    return verdicts


def _ended(
    state: State,
    source: str,
    wish: tuple[str, Episode],
    reason: Reason,
    clauses: tuple[Clause, ...],
    at_ms: int,
    policy: Policy,
) -> Verdict:
    """The end of an episode that came along, also where the person is in a moment of the same audience."""
    if state.erased:
        state = copy_state(state)  # of an erased person nothing is kept
    name, episode = wish
    standing = state.standings.setdefault(name, Standing())
    ours, standing.active = standing.active, episode
    verdict = judgement.end(state, name, standing, reason, at_ms, policy, clauses=clauses)
    standing.active = ours
    return verdict._replace(under=source)
