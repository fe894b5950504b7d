"""How often is too often: the caps of moments, an audience's cool-down, the pressure of other messages.

Both answers are the instant at which the limit lets through again, or None where it does not hold back.
"""

from contracts.policy import Audience, Policy
from streams.person import State


def capped_until_ms(state: State, name: str, audience: Audience, at_ms: int, policy: Policy) -> int | None:
    until: list[int] = []
    standing = state.standings.get(name)
    if audience.cool_down and standing is not None and standing.ended_ms is not None:
        until.append(standing.ended_ms + audience.cool_down)
    if not audience.through_cap:
        counted = [a.at_ms for a in state.activations if a.kind == audience.kind and not a.void]
        for limit in policy.caps:
            recent = sorted(at for at in counted if at > at_ms - limit.within)
            if len(recent) >= limit.count:
                until.append(recent[-limit.count] + limit.within)
    return max((instant for instant in until if instant > at_ms), default=None)


def pressed_until_ms(state: State, at_ms: int, policy: Policy) -> int | None:
    sends = [sent_ms for sent_ms, channel in state.sends if channel in policy.pressure.channels]
    until = []
    for limit in policy.pressure.limits:
        recent = [sent_ms for sent_ms in sends if sent_ms > at_ms - limit.within]
        if len(recent) >= limit.count:
            until.append(recent[-limit.count] + limit.within)
    return max(until, default=None)
