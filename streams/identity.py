"""One person under several keys: who may claim a key, what is handed over, and which active episode goes on."""

import msgspec

from contracts.decisions import Clause
from contracts.policy import Policy
from contracts.signals import Claimed, Moved, PersonSignal, strength
from streams import contact, judgement
from streams.fold import apply
from streams.judgement import Verdict
from streams.person import Episode, Standing, State, copy_state, decode_state, encode_state

CAME_ALONG = Clause("moment came along with a weaker key", True)
Wish = tuple[str, Episode] | None  # an active episode that was handed over and wants to go on


def may_claim(key: str, owner: str) -> bool:
    """A stronger key claims a weaker one; two ids claim each other, since an alias says so."""
    ours, theirs = strength(key), strength(owner)
    return owner != key and (ours < theirs or ours == theirs == strength("id:"))


def shared(key: str) -> bool:
    """Keys of browsers and conversations follow the newest claim; an e-mail and a cio_id stay with their first."""
    return strength(key) <= 0


def handed_over(key: str, state: State, ids: bytes, claim: Claimed, at_ms: int) -> Moved:
    """The signal that carries the whole state, and the ring of message ids, to the owner."""
    state.ids = ids
    return Moved(
        person=claim.owner,
        id=f"moved:{key}",
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


def fold(state: State, signal: PersonSignal, policy: Policy) -> Wish:
    """Apply one signal; a handed-over state says which of its episodes wants to go on. An unreadable one changes nothing."""
    if not isinstance(signal, Moved):
        apply(state, signal, policy)
        return None
    try:
        weaker = decode_state(signal.state)
    except msgspec.DecodeError:
        return None
    current = judgement.active(weaker)
    apply(state, signal, policy)
    return (current[0], current[2]) if current is not None else None


def go_on(state: State, wish: Wish, at_ms: int, policy: Policy) -> list[Verdict]:
    """Let a handed-over episode go on: same anchor, not counted by the cap, unless the merged facts end it.

    Of two active ones the lower is withdrawn with `priority`; at equal priority the one that was here stays.
    """
    if wish is None or wish[0] not in policy.audiences:
        return []
    name, episode = wish
    ours = judgement.active(state)
    if ours is not None and policy.audiences[ours[0]].priority >= policy.audiences[name].priority:
        return []
    trial = copy_state(state)
    if ours is not None:
        trial.standings[ours[0]].active = None
    trial.standings.setdefault(name, Standing()).active = episode
    if judgement.ends(trial, at_ms, policy):
        return []
    verdicts = []
    if ours is not None:
        higher = (judgement.taken_over_by(name),)
        verdicts.append(judgement.end(state, ours[0], ours[1], "priority", at_ms, policy, clauses=higher))
    standing = state.standings.setdefault(name, Standing())
    standing.active = episode
    if episode.arm == "assisted":
        standing.said[episode.anchor[0]] = ("activated", "qualified")
        expires_ms = contact.expiry(state, name, episode, policy)
        tier = judgement.tier(state, at_ms, policy)
        verdicts.append(
            Verdict(
                name, episode.anchor[0], "activated", "qualified", at_ms, expires_ms, episode.arm, tier, (CAME_ALONG,)
            )
        )
    return verdicts
