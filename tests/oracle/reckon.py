"""The oracle: what the page of meanings says must be decided, by the slowest and plainest way.

Collect a person's signals, list every instant at which anything could change, loop over the instants, and at each one
recompute all facts from the list of signals applied so far. Kept between instants: the episode that is active, what was
said last of each, and which anchors are spent. Nothing here is shared with the thinking but the contracts.
"""

import hashlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from contracts.decisions import Arm, episode_name
from contracts.policy import Audience, Policy
from contracts.signals import Claimed, Delivered, Erased, PersonSignal, Scalar, strength
from tests.oracle.asking import Asking, stops_of, tier_of
from tests.oracle.facts import Facts, Handed, Told, When, learn
from tests.oracle.hours import next_change_ms, staffed
from tests.oracle.instants import anchor_of, edge_of, spans_of
from tests.oracle.showing import shown


class Said(NamedTuple):
    person: str
    audience: str
    anchor_ms: int
    outcome: str
    reason: str
    at_ms: int
    tier: str
    arm: str


class Episode(NamedTuple):
    audience: str
    anchor: When
    arm: Arm


@dataclass
class Activation:
    """void: withdrawn before it was delivered."""

    at_ms: int
    kind: str
    episode: str
    arm: Arm
    delivered: bool
    void: bool = False


class World:
    """Who is who: a life for each key that was told something, and the claims that joined them."""

    def __init__(self, policy: Policy, *, outcomes: bool) -> None:
        self.policy, self.outcomes, self.spans = policy, outcomes, spans_of(policy)
        self.by_priority = sorted(policy.audiences.items(), key=lambda pair: -pair[1].priority)
        self.lives: dict[str, Life] = {}
        self.owners: dict[str, tuple[str, When]] = {}
        self.claims: set[tuple[str, str]] = set()
        self.messages: set[tuple[str, str]] = set()  # the key that was told, and the message
        self.said: list[Said] = []

    def hear(self, when: When, signal: PersonSignal) -> None:
        if isinstance(signal, Claimed):
            self._claim(when, signal)
        elif (signal.person, signal.id) not in self.messages:
            self.messages.add((signal.person, signal.id))
            self._life(self._follow(signal.person, ())).hear(when, signal)

    def advance(self, until_ms: int) -> None:
        """What time alone brings to everybody, up to and including that instant."""
        for life in self.lives.values():
            life.advance(until_ms)

    def _life(self, key: str) -> "Life":
        if key not in self.lives:
            self.lives[key] = Life(key, self)
        return self.lives[key]

    def _claim(self, when: When, claim: Claimed) -> None:
        """The first claimer gets what is known; a shared key's later signals follow the newest claim."""
        key, ours, theirs = claim.person, strength(claim.person), strength(claim.owner)
        allowed = ours < theirs or (ours == theirs == strength("id:") and key != claim.owner)
        if not allowed or (key, claim.id) in self.claims:
            return
        self.claims.add((key, claim.id))
        if key in self.owners:
            if ours <= strength("anon:") and when >= self.owners[key][1]:
                self.owners[key] = (claim.owner, when)
            return
        self.owners[key] = (claim.owner, when)
        weaker = self.lives.get(key)
        if weaker is None:
            return
        weaker.advance(claim.accepted_ms - 1)
        del self.lives[key]
        if weaker.facts.erased:
            return
        owner = self._follow(claim.owner, (key,))
        if owner == key:  # two ids that claim each other: it was given back at once
            self.lives[key] = weaker
        else:
            self._life(owner).take_over(weaker, claim.accepted_ms)

    def _follow(self, key: str, way: tuple[str, ...]) -> str:
        """To whom a key's signals go. Of ids that claim each other the smallest takes the person back."""
        if key not in self.owners:
            return key
        owner = self.owners[key][0]
        if owner in way:
            smallest = min((*way[way.index(owner) :], key))
            del self.owners[smallest]
            return smallest
        return self._follow(owner, (*way, key))


def arm_of(key: str, policy: Policy) -> Arm:
    return _arm_of(key, policy.holdout.salt, policy.holdout.share)


@cache
def _arm_of(key: str, salt: str, share: float) -> Arm:
    digits = hashlib.sha256(f"{salt}|{key}".encode()).hexdigest()[:16]
    return "holdout" if Fraction(int(digits, 16), 2**64) < Fraction(share) else "assisted"


def reckon(history: Sequence[PersonSignal], policy: Policy, *, outcomes: bool = False) -> World:
    """The world after the history; signals of one instant count in the order given."""
    world = World(policy, outcomes=outcomes)
    for position, signal in enumerate(sorted(history, key=lambda signal: signal.accepted_ms)):
        world.hear((min(signal.occurred_ms, signal.accepted_ms), position), signal)
    return world


class Life:
    """One person's instants, one after the other."""

    def __init__(self, key: str, world: World) -> None:
        self.key, self.world, self.policy = key, world, world.policy
        self.seen: list[tuple[int, str]] = []  # when, and under which key
        self.addressed = strength(key) > strength("anon:")
        self.applied: list[Told | Handed] = []
        self.ids: set[str] = set()
        self.facts = Facts()
        self.active: Episode | None = None
        self.begun: set[tuple[str, int]] = set()
        self.spent: dict[Episode, When] = {}  # the newest anchor that was seen while the episode was active
        self.last: dict[tuple[str, int], tuple[str, str]] = {}
        self.ended: dict[str, int] = {}
        self.activations: list[Activation] = []
        self.spans = world.spans
        self.windows: list[tuple[str, Audience, When, int, int]] = []  # by priority
        self.instants: list[int] = []

    @property
    def arm(self) -> Arm:
        """That of the key under which the person was seen first; at one instant `assisted` goes before `holdout`."""
        return min(
            ((at_ms, arm_of(key, self.policy)) for at_ms, key in self.seen), default=(0, arm_of(self.key, self.policy))
        )[1]

    def advance(self, until_ms: int) -> None:
        """What time brings at every instant up to and including that one."""
        last_ms = -1
        while self.instants and self.instants[0] <= until_ms:
            at_ms = heapq.heappop(self.instants)
            if at_ms != last_ms and self.addressed:
                self._end(self._ends(at_ms), at_ms)
                self._begin(at_ms)
            last_ms = at_ms

    def shown(self, at_ms: int) -> dict[str, Scalar]:
        """What Intercom would be shown; somebody is assisted from the first activation that is delivered or shown."""
        real = self.active is not None and self.active.arm == "assisted"
        assisted = any(each.delivered and each.arm == "assisted" for each in self.activations)
        return shown(self.facts, self.policy, at_ms, assisted=real or assisted)

    def hear(self, when: When, signal: PersonSignal) -> None:
        at_ms = signal.accepted_ms
        self.advance(at_ms - 1)
        if signal.id in self.ids or self.facts.erased:
            return
        self.ids.add(signal.id)
        if strength(signal.person) >= strength("anon:") and not isinstance(
            signal, Erased
        ):  # who is erased tells nothing
            self.seen.append((when[0], signal.person))
        if isinstance(signal, Delivered):
            for activation in self.activations:
                if signal.outcome == "shown" and activation.episode == signal.episode and not activation.void:
                    activation.delivered = True
        before = self._ends(at_ms)
        self.applied.append((when, signal))
        for instant in (at_ms, *(when[0] + span for span in self.spans)):
            heapq.heappush(self.instants, max(instant, at_ms))
        self._learn(at_ms)
        self._end([reason for reason in self._ends(at_ms) if reason not in before], at_ms)
        self._spend()

    def take_over(self, weaker: "Life", at_ms: int) -> None:
        """All that was known of a weaker key, and its active episode, which goes on where nothing ends it."""
        self.advance(at_ms - 1)
        came = weaker.active
        if self.facts.erased:
            self.facts = Facts(erased=True)  # nothing is known of who was erased
            if came is not None:
                self._withdraw(weaker.key, came, "erased", at_ms)
            return
        before = self._ends(at_ms)
        self.applied.append(Handed(weaker.applied))
        self.ids |= weaker.ids
        self.begun |= weaker.begun
        for episode, newest in weaker.spent.items():
            self.spent[episode] = max(newest, self.spent.get(episode, newest))
        self.last = {**weaker.last, **self.last}
        for audience, ended_ms in weaker.ended.items():
            self.ended[audience] = max(ended_ms, self.ended.get(audience, ended_ms))
        self.activations += weaker.activations
        self.seen += weaker.seen
        for instant in (at_ms, *weaker.instants):
            heapq.heappush(self.instants, max(instant, at_ms))
        self._learn(at_ms)
        self._end([reason for reason in self._ends(at_ms) if reason not in before], at_ms)
        self._spend()
        if came is not None:
            self._go_on(weaker.key, came, at_ms)
            self._spend()

    def _go_on(self, old_key: str, came: Episode, at_ms: int) -> None:
        over = self._ends(at_ms, came)
        if self.active is not None and self._priority(self.active) >= self._priority(came):
            over.append("priority")
        if over:
            self._withdraw(old_key, came, over[0], at_ms)
            return
        self._tell(old_key, came, "withdrawn", "moved", at_ms)
        self._end(["priority"], at_ms)
        self.active = came
        self._tell(self.key, came, "activated", "qualified", at_ms)
        self._learn(at_ms)

    def _spend(self) -> None:
        """An anchor that came while an episode is active starts none; what ended the episode did not come while it was."""
        if self.active is None:
            return
        name = self.active.audience
        anchor = anchor_of(self.policy.audiences[name], self.facts, self.policy)
        if anchor is not None and anchor > self.active.anchor:
            self.spent[self.active] = max(anchor, self.spent.get(self.active, anchor))

    def _priority(self, episode: Episode) -> int:
        return self.policy.audiences[episode.audience].priority

    def _learn(self, at_ms: int) -> None:
        named = [key.removeprefix("email:") for _, key in self.seen if key.startswith("email:")]
        self.facts = learn(self.applied, self.policy, ((-1, -1), max(named)) if named else None)
        self.windows = []
        for name, audience in self.world.by_priority:
            anchor = anchor_of(audience, self.facts, self.policy)
            if anchor is None:
                continue
            enter_ms = edge_of(audience.enter_after, anchor, self.facts)
            leave_ms = edge_of(audience.leave_after, anchor, self.facts)
            if enter_ms is None or leave_ms is None:
                continue
            self.windows.append((name, audience, anchor, enter_ms, leave_ms))
            for instant in (enter_ms, leave_ms) if self.facts.cycle_ms is not None else ():
                heapq.heappush(self.instants, max(at_ms, instant))

    def _ends(self, at_ms: int, episode: Episode | None = None) -> list[str]:
        """All reasons at that instant for which the episode cannot go on, first to be named first."""
        episode = episode or self.active
        if episode is None:
            return []
        name, anchor, _ = episode
        audience, facts = self.policy.audiences[name], self.facts
        reasons = stops_of(audience, anchor, facts, self.policy, at_ms)
        asks = Asking(facts, self.policy, anchor, at_ms)
        gone = audience.anchor.order is not None and all(order.when != anchor for order in facts.counted)
        untrue = asks.all(audience.exit) if audience.exit else not asks.all(audience.when)
        if gone or untrue:
            reasons.append("no_longer_true")
        leave = edge_of(audience.leave_after, anchor, facts)
        if leave is not None and at_ms >= leave:
            reasons.append("expired")
        return reasons

    def _end(self, reasons: list[str], at_ms: int) -> None:
        if self.active is not None and reasons:
            ended, self.active = self.active, None
            self._withdraw(self.key, ended, reasons[0], at_ms)

    def _withdraw(self, key: str, episode: Episode, reason: str, at_ms: int) -> None:
        self.ended[episode.audience] = at_ms
        heapq.heappush(self.instants, at_ms + self.policy.audiences[episode.audience].cool_down)
        for activation in self.activations:
            if activation.episode == episode_name(episode.audience, episode.anchor[0]) and not activation.delivered:
                activation.void = True
        self._tell(key, episode, "withdrawn", reason, at_ms)

    def _begin(self, at_ms: int) -> None:
        if self.facts.erased:
            return
        for name, audience, anchor, enter_ms, leave_ms in self.windows:
            if not enter_ms <= at_ms < leave_ms or self._over(name, anchor):
                continue
            if self.active is not None and self.active.audience == name:
                continue
            asks = Asking(self.facts, self.policy, anchor, at_ms)
            if not asks.all(audience.when) or (audience.exit and asks.all(audience.exit)):
                continue
            self._judge(Episode(name, anchor, self.arm), audience, at_ms)

    def _over(self, name: str, anchor: When) -> bool:
        """Begun before, or spent: no newer than the newest that was seen while another of the audience was active."""
        spans = ((each.anchor, newest) for each, newest in self.spent.items() if each.audience == name)
        return (name, anchor[0]) in self.begun or any(low < anchor <= high for low, high in spans)

    def _judge(self, episode: Episode, audience: Audience, at_ms: int) -> None:
        reason = self._held(episode, audience, at_ms)
        if reason is not None:
            if self.last.get((episode.audience, episode.anchor[0])) != ("withheld", reason):
                self._tell(self.key, episode, "withheld", reason, at_ms, always=True)
            return
        self._end(["priority"], at_ms)
        self.active = episode
        self.begun.add((episode.audience, episode.anchor[0]))
        heapq.heappush(self.instants, at_ms + 1)  # those of higher priority were asked before it counted for the cap
        at_once = self.arm == "holdout" or not self.world.outcomes
        name = episode_name(episode.audience, episode.anchor[0])
        self.activations.append(Activation(at_ms, audience.kind, name, self.arm, at_once))
        for limit in self.policy.caps:
            heapq.heappush(self.instants, at_ms + limit.within)
        if self.arm == "assisted":
            self._tell(self.key, episode, "activated", "qualified", at_ms)
        elif self.last.get((episode.audience, episode.anchor[0])) != ("withheld", "holdout"):
            self._tell(self.key, episode, "withheld", "holdout", at_ms, always=True)

    def _held(self, episode: Episode, audience: Audience, at_ms: int) -> str | None:
        stops = stops_of(audience, episode.anchor, self.facts, self.policy, at_ms)
        if stops:
            return stops[0]
        if (change_ms := next_change_ms(audience, self.policy, at_ms)) is not None:
            heapq.heappush(self.instants, change_ms)
        if not staffed(audience, self.policy, at_ms):
            return "outside_hours"
        ended_ms = self.ended.get(episode.audience)
        times = [each.at_ms for each in self.activations if each.kind == audience.kind and not each.void]
        full = any(rolling(times, limit.within, at_ms) >= limit.count for limit in self.policy.caps)
        if (full and not audience.through_cap) or (ended_ms is not None and at_ms < ended_ms + audience.cool_down):
            return "cap"
        passes = audience.through_pressure or tier_of(self.facts, self.policy, at_ms) == "vip"
        if not passes and any(
            rolling(self.facts.sends, limit.within, at_ms) >= limit.count for limit in self.policy.pressure.limits
        ):
            return "pressure"
        if self.active is not None and self._priority(self.active) > audience.priority:
            return "priority"
        return None

    def _tell(self, key: str, episode: Episode, outcome: str, reason: str, at_ms: int, *, always: bool = False) -> None:
        """always: also of a held-out person, whose virtual episodes begin and end in silence."""
        if episode.arm == "assisted" or always:
            self.last[episode.audience, episode.anchor[0]] = (outcome, reason)
            tier = tier_of(self.facts, self.policy, at_ms)
            self.world.said.append(
                Said(key, episode.audience, episode.anchor[0], outcome, reason, at_ms, tier, episode.arm)
            )


def rolling(times_ms: Sequence[int], span_ms: int, at_ms: int) -> int:
    """How many lie in `(at - span, at]`."""
    return sum(at_ms - span_ms < time_ms <= at_ms for time_ms in times_ms)
