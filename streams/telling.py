"""What goes out for a person: a Decision for a verdict, a Command for what the contact is to show."""

import hashlib

import msgspec

from contracts.commands import Command
from contracts.decisions import Decision, decision_id, episode_name
from contracts.instant import to_rfc3339
from contracts.policy import Policy
from contracts.signals import PersonSignal
from streams import contact, judgement
from streams.judgement import Verdict
from streams.person import ID_BYTES, Person, State


def decision(key: str, verdict: Verdict, cause: PersonSignal | None, policy: Policy) -> Decision:
    """The verdict in the words of the log; cause is None for what time alone brought."""
    episode = episode_name(verdict.audience, verdict.anchor_ms)
    at = to_rfc3339(verdict.at_ms)
    return Decision(
        person=key,
        audience=verdict.audience,
        episode=episode,
        outcome=verdict.outcome,
        reason=verdict.reason,
        at=at,
        occurred_at=to_rfc3339(cause.occurred_ms) if cause is not None else at,
        expires_at=to_rfc3339(verdict.expires_ms) if verdict.expires_ms is not None else None,
        arm=verdict.arm,
        tier=verdict.tier,
        cause=f"signal:{cause.id}" if cause is not None else "time",
        clauses=verdict.clauses,
        policy=policy.hash,
        id=decision_id(key, episode, verdict.outcome, verdict.reason, at),
    )


def command(key: str, person: Person, state: State, at_ms: int, policy: Policy, *, activates: bool) -> Command | None:
    """The contact as it is to be, with the next revision; None when Intercom was told the same already."""
    shown = contact.attributes(state, at_ms, policy)
    told = hashlib.blake2b(msgspec.json.encode(shown), digest_size=ID_BYTES).digest()
    if told == person.told:
        return None
    person.told = told
    person.revision += 1
    kind, _, value = key.partition(":")
    email = state.email[1] if state.email is not None else None
    current = judgement.active(state) if activates else None
    return Command(
        person=key,
        revision=person.revision,
        attributes=shown,
        decided_ms=at_ms,
        external_id=value if kind == "id" else key if kind == "cio" else None,
        email=value if kind == "email" else email,
        create=current is not None,
        activates=current is not None,
        episode=episode_name(current[0], current[2].anchor[0]) if current is not None else None,
        expires_ms=contact.expiry(state, current[0], current[2], policy) if current is not None else None,
        event=contact.event(state, at_ms, policy) if current is not None else None,
        erase=state.erased,
        talked_ms=max((at[0] for at, _ in state.conversations.values()), default=None),
    )
