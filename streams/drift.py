"""Drift: how healthy the inputs of one partition are, by log position; `note(signal)` says what began or ended to be wrong.

A rename upstream may silence an audience, never mislead it: while an input that it needs is in trouble, it begins nothing
(`stale_data`). Trouble ends by itself when the input is itself again. All of it is a function of the log's prefix.
"""

from collections.abc import Iterable, Sequence

import msgspec

from contracts.signals import Claimed, Delivered, Messaged, Moved, Paged, PersonSignal, Scalar, Tracked
from streams.inputs import CLICKS, Health, Watch

RECENT_MAX = 16  # newest gaps between two events whose mean is held against the usual one
SLOWER_TIMES = 5  # so many times the usual gap, on the average of the recent ones, is trouble too
WEIGHT_MIN = 1 / 64  # of one gap in what is usual: the last hundred or so make it
USUAL_AGAIN_TIMES = 1.7  # trouble ends there: one long silence must have left the recent gaps, or been outweighed
RECOVERED = 0.85  # a share's trouble ends at this part of the limit that began it, so that it does not flap
WEIGHT_IN_TROUBLE = 1 / 256  # what goes on like that for hundreds of events becomes usual; an operator knows by then
NEW_NAME_MIN = 3  # occurrences of an event name never seen before that make it evidence of a rename
NEW_NAME_SHARE = 0.25  # with such evidence a quarter of the silence is enough
NAMES_MAX = 64  # unknown event names that are remembered; a stream with more of them gives no such evidence
NAME_CHARS_MAX = 60
MAY_BE_LEFT_OUT = frozenset(
    {"currency", "order_id"}
)  # left out, they have a meaning: the policy's; an order of its own
NOT_COUNTED = (Delivered, Claimed, Moved)
UNRELIABLE = -1
GIVEN_MAX = 1_000_000  # enough; a number that need not grow
TROUBLES_MAX = 64  # ended ones go first; more at once than a policy has inputs
KEPT_MS = 3_600_000  # an ended trouble is remembered so long beyond log time, for signals that come late


class Share(msgspec.Struct, array_like=True):
    """Occurrences and how many lacked the field, in the running half of the window and in the half before."""

    seen: int = 0
    missing: int = 0
    seen_before: int = 0
    missing_before: int = 0

    def add(self, missing: bool, half: int) -> tuple[int, int]:
        """half: of the window. How many lack the field now, of how many."""
        if self.seen >= half:
            self.seen_before, self.missing_before = self.seen, self.missing
            self.seen = self.missing = 0
        self.seen += 1
        self.missing += missing
        return self.missing + self.missing_before, self.seen + self.seen_before


class Gaps(msgspec.Struct, array_like=True):
    """Distances between two events of a kind, counted in signals of their stream (`at` is the last one's number)."""

    at: int
    count: int = 0
    mean: float = 0.0
    square: float = 0.0
    recent: list[int] = []

    def add(self, at: int, in_trouble: bool) -> None:
        gap, self.at = at - self.at, at
        self.recent = [*self.recent, gap][-RECENT_MAX:]
        self.count += 1
        weight = WEIGHT_IN_TROUBLE if in_trouble else max(1 / self.count, WEIGHT_MIN)
        self.mean += (gap - self.mean) * weight
        self.square += (gap * gap - self.square) * weight

    def usual(self) -> float:
        """The gap in which a signal finds itself on the average: bursts, such as three events of one order, do not lower it."""
        return self.square / self.mean if self.mean else 0.0

    def slower(self) -> float:
        """How many times the usual mean the recent gaps are."""
        return sum(self.recent) / len(self.recent) / self.mean if self.recent and self.mean else 0.0


class Trouble(msgspec.Struct, array_like=True):
    """`[from_ms, until_ms)` an input is not to be trusted; until_ms is None while that goes on."""

    input: str
    what: str
    from_ms: int
    until_ms: int | None = None


class Drift(msgspec.Struct, array_like=True):
    """The health of the inputs of one partition. time_ms: the latest acceptance seen."""

    time_ms: int = 0
    shop: int = 0  # signals of what people do in the shop
    opens: int = 0  # e-mails opened: what clicks are counted against
    shares: dict[str, Share] = {}
    gaps: dict[str, Gaps] = {}
    given: dict[str, tuple[int, int]] = {}  # "input event": how often it was given and left out, until it is relied on
    relied: list[str] = []  # "input event" that carried the field once, so that leaving it out is missed
    names: dict[str, tuple[int, int]] = {}  # unknown event name: shop signals at its first occurrence, occurrences
    crowded: bool = False
    alarm: int = 0  # number of the shop signal at which some silence is too long
    troubles: list[Trouble] = []

    def note(self, signal: PersonSignal, watch: Watch) -> Sequence[Trouble]:
        """Count one record of the log, repeated or not; troubles that it begins or ends.

        What is passed on was counted where it came first.
        """
        if signal.accepted_ms > self.time_ms:
            self.time_ms = signal.accepted_ms
        if isinstance(signal, NOT_COUNTED):
            return ()
        if signal.via:
            return self._passed_on(signal, watch)
        event = signal.event if isinstance(signal, Tracked) else None
        if event in watch.silent:  # most of the traffic says nothing else
            self.shop += 1
            return self._listen(watch) if self.shop >= self.alarm else ()
        if isinstance(signal, Paged):
            return self._seen(signal, watch)
        changed: list[Trouble] = []
        opened = isinstance(signal, Messaged) and signal.channel == "email" and signal.metric == "opened"
        self.opens += opened
        self.shop += not isinstance(signal, Messaged)
        if event is not None and event not in watch.known:
            self._name(event, watch)
        for name, health in watch.shares(signal):
            if name in watch.watched:
                missing = health == "bad"
                if name in MAY_BE_LEFT_OUT:
                    missing = self._missed(name, health, signal, watch) or missing
                changed += self._share(name, missing, watch)
        for name in watch.heard(signal):
            if name in watch.watched:
                changed += self._heard(name, watch)
        if self.shop >= self.alarm or opened:
            changed += self._listen(watch)
        return changed

    def _seen(self, page: Paged, watch: Watch) -> Sequence[Trouble]:
        """Of a page nothing but its path says anything."""
        self.shop += 1
        changed: list[Trouble] = []
        for name, health in watch.shares(page):
            if name in watch.watched:
                changed += self._share(name, health == "bad", watch)
        if self.shop >= self.alarm:
            changed += self._listen(watch)
        return changed

    def _passed_on(self, signal: PersonSignal, watch: Watch) -> Sequence[Trouble]:
        """An order that named nobody, and whose person is known by a forward, is to be trusted: it evens the first count."""
        if not watch.is_order(signal) or "order_person" not in watch.watched:
            return []
        return self._share("order_person", False, watch)

    def at(self, needs: frozenset[str], at_ms: int) -> list[Trouble]:
        """The troubles of these inputs at an instant up to which the log has been read."""
        return [
            trouble
            for trouble in self.troubles
            if trouble.input in needs
            and trouble.from_ms <= at_ms
            and (trouble.until_ms is None or at_ms < trouble.until_ms)
        ]

    def forget(self, log_ms: int) -> None:
        """Drop what ended long before log time."""
        if self.troubles:
            self.troubles = [
                trouble for trouble in self.troubles if trouble.until_ms is None or trouble.until_ms + KEPT_MS > log_ms
            ]

    def _missed(self, name: str, health: Health, signal: PersonSignal, watch: Watch) -> bool:
        """Whether a field that has a meaning when left out is missed: only where events of this name once carried it."""
        assert isinstance(signal, Tracked), "only track events have such fields"
        key = f"{name} {signal.event}"
        if key in self.relied:
            return health == "absent"
        given, absent = self.given.pop(key, (0, 0))
        given, absent = given + (health == "good"), absent + (health == "absent")
        limit = watch.limits[name]
        if given + absent < limit.at_least:
            self.given[key] = (given, absent)
        elif absent <= limit.share * (given + absent):
            self.relied.append(key)
        return False

    def _share(self, name: str, missing: bool, watch: Watch) -> Sequence[Trouble]:
        share = self.shares.get(name)
        if share is None:
            share = self.shares[name] = Share()
        limit = watch.limits[name]
        lacking, seen = share.add(missing, limit.half)
        if seen < limit.at_least:
            return ()
        begins = lacking > limit.share * seen
        if not begins and not self.troubles:
            return ()  # nothing that could end
        return self._set(
            name,
            begins=begins,
            ends=lacking <= limit.share * seen * RECOVERED,
            what=f"missing in {lacking} of the newest {seen}",
        )

    def _heard(self, name: str, watch: Watch) -> Sequence[Trouble]:
        number = self._number(name)
        gaps = self.gaps.get(name)
        if gaps is None:
            self.gaps[name] = Gaps(number)
            return ()
        gaps.add(number, in_trouble=self._current(name) is not None)
        self.alarm = 0  # looked at again with the next signal
        if gaps.count < watch.policy.drift.at_least:
            return ()
        slower = gaps.slower()
        if slower <= SLOWER_TIMES and not self.troubles:
            return ()  # nothing that could end
        return self._set(
            name,
            begins=slower > SLOWER_TIMES,
            ends=slower <= USUAL_AGAIN_TIMES,
            what=f"{slower:.0f} times rarer than usual",
        )

    def _listen(self, watch: Watch) -> list[Trouble]:
        """Which silences are too long, and when to ask again."""
        changed: list[Trouble] = []
        alarms = []
        at_least, silent_after = watch.policy.drift.at_least, watch.policy.drift.silent_after
        for name, gaps in self.gaps.items():
            if gaps.count < at_least or name not in watch.watched or self._current(name) is not None:
                continue
            strangers = self._strangers(gaps) if self.names else ()
            usual = gaps.usual() * silent_after * (NEW_NAME_SHARE if strangers else 1)
            limit = max(usual, at_least)
            silence = self._number(name) - gaps.at
            if silence > limit:
                new = f", while `{strangers[0]}` is new" if strangers else ""
                what = f"none in {silence} signals, where one in {gaps.mean:.0f} is usual{new}"
                changed += self._set(name, begins=True, ends=False, what=what)
            elif name != CLICKS:
                alarms.append(gaps.at + int(limit) + 1)
        self.alarm = min(alarms, default=2**62)
        return changed

    def _number(self, name: str) -> int:
        return self.opens if name == CLICKS else self.shop

    def _name(self, event: str, watch: Watch) -> None:
        name = event[:NAME_CHARS_MAX]
        first, count = self.names.get(name, (self.shop, 0))
        if count == 0 and len(self.names) >= NAMES_MAX:
            self.crowded = True
            return
        self.names[name] = (first, count + 1)
        if count + 1 == NEW_NAME_MIN:
            self.alarm = 0

    def _strangers(self, gaps: Gaps) -> list[str]:
        """Event names that came up only after the last event of a kind."""
        if self.crowded:
            return []
        return [name for name, (first, count) in self.names.items() if first > gaps.at and count >= NEW_NAME_MIN]

    def _current(self, name: str) -> Trouble | None:
        for trouble in self.troubles:
            if trouble.input == name and trouble.until_ms is None:
                return trouble
        return None

    def _set(self, name: str, *, begins: bool, ends: bool, what: str) -> list[Trouble]:
        current = self._current(name)
        if current is None and begins:
            trouble = Trouble(name, what, self.time_ms)
            self.troubles = _bounded([*self.troubles, trouble])
            return [trouble]
        if current is not None and ends:
            current.until_ms = self.time_ms
            return [current]
        return []


def saw(troubles: Iterable[Trouble]) -> dict[str, Scalar]:
    """What a decision shows of them: input -> what is wrong with it."""
    return {trouble.input: trouble.what for trouble in troubles}


def _bounded(troubles: Sequence[Trouble]) -> list[Trouble]:
    while len(troubles) > TROUBLES_MAX:
        ended = next((trouble for trouble in troubles if trouble.until_ms is not None), troubles[0])
        troubles = [trouble for trouble in troubles if trouble is not ended]
    return list(troubles)
