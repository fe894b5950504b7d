"""How often is too often: the caps of moments, an audience's cool-down, the pressure of other messages.

Both answers are the instant at which the limit lets through again, or None where it does not hold back.
"""

from collections.abc import Iterable, Iterator

from contracts.policy import Audience, Policy
from contracts.policy_sections import Limit
from streams.person import State


def capped_until_ms(state: State, name: str, audience: Audience, at_ms: int, policy: Policy) -> int | None:
    until: list[int] = []
    standing = state.standings.get(name)
    if audience.cool_down and standing is not None and standing.ended_ms is not None:
        until.append(standing.ended_ms + audience.cool_down)
    if not audience.through_cap:
        counted = sorted(a.at_ms for a in state.activations if a.kind == audience.kind and not a.void)
        until += _reached(policy.caps, counted, at_ms)
    return max((instant for instant in until if instant > at_ms), default=None)


def pressed_until_ms(state: State, at_ms: int, policy: Policy) -> int | None:
    sends = [sent_ms for sent_ms, channel in state.sends if channel in policy.pressure.channels]
    return max(_reached(policy.pressure.limits, sends, at_ms), default=None)


def _reached(limits: Iterable[Limit], times_ms: list[int], at_ms: int) -> Iterator[int]:
    """When each limit that is reached is so no longer. times_ms: oldest first."""
    for limit in limits:
        recent = [time_ms for time_ms in times_ms if time_ms > at_ms - limit.within]
        if len(recent) >= limit.count:
            yield recent[-limit.count] + limit.within
