"""The story of one person: in a moment or not, why, since and until when, what was decided, and what Intercom made of it.

`story` is pure and gives plain JSON values: the sentence for whoever asked, the decisions in order with their reasons in
words, and the outcomes of deliveries. Of an erased person it tells the erasure alone.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from backtests import story_words
from backtests.story_words import Clock
from backtests.trail import Outcome, Trail
from backtests.why import Why
from contracts.decisions import Decision
from contracts.instant import MINUTE_MS, from_rfc3339, to_rfc3339
from contracts.signals import strength

SENTENCE = "cio_moment_reason"
SHORT_MS = 10 * MINUTE_MS  # of a shorter moment the seconds are told
UNHEARD = "event_"  # before the reason for which Intercom refused the event of a contact that shows its moment


def story(trail: Trail, at_ms: int, *, from_ms: int | None = None) -> dict[str, Any]:
    """As of the instant `at_ms`, included: what was decided and heard later is left out. from_ms: nor is what was earlier listed.

    now: `in_moment`, `held_out` (the same, of a person whom Intercom is not to show), `out`, `never`, `unknown` or `erased`.
    decisions: as they stand in their topic, each with `words`, `because` (the sentence that Intercom was to show, where it is
    known) and `intercom` (what became of it there, None where that is unknown or nothing was to be shown). absent: for each
    other audience of the policy, highest first, what keeps the person out (the words of backtests/why.py), as far as that was
    asked; `absent_refused`: why it cannot be told.
    """
    told = _Told(trail, at_ms)
    since_ms = from_ms or 0
    erased = trail.erased_ms is not None
    return {
        "asked": trail.key,
        "person": trail.key if erased else trail.links.owner(trail.key),
        "keys": [trail.key] if erased else sorted(key for key in trail.keys if strength(key) >= 0),
        "as_of": to_rfc3339(at_ms),
        "from": None if from_ms is None else to_rfc3339(from_ms),
        "now": told.now,
        "sentence": told.sentence(),
        "decisions": [told.decision(one) for one in told.made if _ms(one.at) >= since_ms],
        "absent": [told.absence(*one) for one in trail.absent.items() if told.outside(one[0])],
        "absent_refused": trail.untold,
        "deliveries": [
            _delivery(one._replace(key=trail.key) if erased else one) for one in told.heard if one.at_ms >= since_ms
        ],
    }


class _Told:
    def __init__(self, trail: Trail, at_ms: int) -> None:
        self._trail = trail
        self._at_ms = at_ms
        since_ms = trail.erased_ms or 0
        self.made = [one for one in trail.decisions if _ms(one.at) <= at_ms and trail.erased_ms is None]
        self.heard = [one for one in trail.outcomes if since_ms <= one.at_ms <= at_ms]
        self._current = _current(self.made)
        decisive = any(_begins(one) or one.outcome == "withdrawn" for one in self.made)
        self._blind = trail.from_ms is not None and trail.erased_ms is None and not decisive
        self.now = self._now()

    def outside(self, audience: str) -> bool:
        inside = self._current is not None and self._current.audience == audience and not self._over(self._current)
        return self._trail.erased_ms is None and not inside

    def absence(self, audience: str, why: Why) -> dict[str, Any]:
        return {"audience": audience, "why": why.word, "detail": why.detail}

    def decision(self, one: Decision) -> dict[str, Any]:
        outcome = self._outcome(one)
        return {
            **msgspec.to_builtins(one),
            "words": story_words.reason(one),
            "because": self._because(one),
            "intercom": None if outcome is None else _delivery(outcome),
        }

    def sentence(self) -> str:
        clock = Clock()
        if self._trail.erased_ms is not None:
            cleared = next((one for one in self.heard if one.outcome == "shown"), None)
            heard = f" Intercom was cleared at {clock.at(cleared.at_ms)}." if cleared else ""
            return f"Erased at {Clock().at(self._trail.erased_ms)}; what was known before is not told.{heard}"
        if self._blind:
            return self._unread(clock)
        if not self.made:
            known = "Never in a moment: nothing was decided about this person."
            return known if self._trail.known else "Nothing is known of this person."
        if self._current is not None:
            return self._inside(self._current, clock)
        return f"Not in any moment now. {self._last(self.made[-1])}"

    def _unread(self, clock: Clock) -> str:
        """A moment may have begun before what was read."""
        since = clock.at(self._trail.from_ms or 0)
        if not self.made:
            return f"Nothing was decided about this person from {since} on; what was before was not read."
        return f"Not known: a moment may have begun before {since}, which was not read. {self._last(self.made[-1])}"

    def _now(self) -> str:
        if self._trail.erased_ms is not None:
            return "erased"
        if self._blind:
            return "unknown"
        if not self.made:
            return "never" if self._trail.known else "unknown"
        if self._current is None or self._over(self._current):
            return "out"
        return "held_out" if self._current.arm == "holdout" else "in_moment"

    def _over(self, current: Decision) -> bool:
        return current.expires_at is not None and _ms(current.expires_at) <= self._at_ms

    def _inside(self, current: Decision, clock: Clock) -> str:
        over = self._over(current)
        since = clock.at(_ms(self._begun(current).at))
        until = clock.at(_ms(current.expires_at)) if current.expires_at is not None else "it is taken back"
        why = self._because(current) or story_words.conditions(current) or story_words.REASONS["qualified"]
        if current.arm == "holdout":
            words = "Was held out of" if over else "Held out of"  # what ends a virtual moment early is not told
            return (
                f"{words} {current.audience} since {since}, at most until {until}: {why}. Intercom shows nothing of it."
            )
        words = "Was in" if over else "In"
        end = " (over by now; its end is not written yet)" if over else ""
        told = f"{words} {current.audience} since {since} until {until}{end}: {why.rstrip('.')}."
        return f"{told}{self._shown(current, clock)}"

    def _shown(self, current: Decision, clock: Clock) -> str:
        outcome = self._outcome(current)
        if outcome is None:
            return " Intercom has not answered for it yet." if self._trail.heard else ""
        if outcome.outcome != "shown":
            return f" Intercom does not show it: {story_words.refusal(outcome.reason)}."
        first = min(one.at_ms for one in self.heard if one.episode == current.episode and one.outcome == "shown")
        unheard = (outcome.reason or "").removeprefix(UNHEARD)
        event = f"; its event was refused ({unheard})" if outcome.reason else ""
        return f" Shown in Intercom since {clock.at(first)}{event}."

    def _last(self, last: Decision) -> str:
        words = story_words.reason(last)
        if last.outcome != "withdrawn":
            ended = next((one for one in reversed(self.made) if one.outcome == "withdrawn"), None)
            before = f" Before: {self._last(ended).removeprefix('Last: ')}" if ended is not None else ""
            return f"Last: {last.audience} was held back at {Clock().at(_ms(last.at))}: {words}.{before}"
        begun = self._begun(last)
        if begun is last and self._trail.from_ms is not None:
            return (
                f"Last: {last.audience}, begun before what was read, withdrawn at {Clock().at(_ms(last.at))}: {words}."
            )
        clock = Clock(seconds=_ms(last.at) - _ms(begun.at) < SHORT_MS)
        told = f"Last: {last.audience}, {clock.at(_ms(begun.at))} to {clock.at(_ms(last.at))}, withdrawn: {words}."
        return f"{told}{self._taken_back(last, clock)}"

    def _taken_back(self, last: Decision, clock: Clock) -> str:
        if not self._trail.heard:
            return ""
        shown = [one for one in self.heard if one.episode == last.episode and one.outcome == "shown"]
        if not shown:
            refused = [one for one in self.heard if one.episode == last.episode]
            why = f": {story_words.refusal(refused[-1].reason)}" if refused else ""
            return f" Intercom never showed it{why}."
        since = clock.at(shown[0].at_ms)
        outcome = self._outcome(last)
        if outcome is None:
            return f" Intercom shows it since {since} and has not answered yet for the end."
        if outcome.outcome != "shown":
            return f" Intercom shows it since {since} and refused the end: {story_words.refusal(outcome.reason)}."
        return f" Intercom showed it from {since} to {clock.at(outcome.at_ms)}."

    def _begun(self, one: Decision) -> Decision:
        """The first decision that let the episode in; one that was handed over goes on."""
        return next((other for other in self.made if other.episode == one.episode and _begins(other)), one)

    def _because(self, one: Decision) -> str | None:
        if not _begins(one) or one.arm == "holdout":
            return None
        for command in self._trail.commands:
            if command.activates and (command.person, command.episode) == (one.person, one.episode):
                text = command.attributes.get(SENTENCE)
                return text if isinstance(text, str) else None
        return None

    def _outcome(self, one: Decision) -> Outcome | None:
        """What Intercom made of this decision; of an end, the first revision that holds it.

        Which revision that is, the commands say. Where they are gone, it is the next of that contact after the moment's.
        """
        if one.arm == "holdout" or one.outcome == "withheld":
            return None
        theirs = [other for other in self.heard if other.key == one.person and other.at_ms >= _ms(one.at)]
        if one.outcome == "activated":
            return next((other for other in reversed(theirs) if other.episode == one.episode), None)
        holding = [c for c in self._trail.commands if c.person == one.person and c.decided_ms >= _ms(one.at)]
        shown = [other.revision for other in self.heard if other.key == one.person and other.episode == one.episode]
        least = min((c.revision for c in holding), default=max(shown, default=0) + 1)
        return next((other for other in theirs if other.revision >= least), None)


def _current(made: Iterable[Decision]) -> Decision | None:
    """The decision that let the person into the moment that has not ended; virtual where held out."""
    current: Decision | None = None
    for one in made:
        if _begins(one):
            current = one
        elif one.outcome == "withdrawn" and current is not None and one.episode == current.episode:
            current = None
    return current


def _begins(one: Decision) -> bool:
    return one.outcome == "activated" or one.reason == "holdout"


def _delivery(one: Outcome) -> dict[str, Any]:
    refused = one.outcome != "shown"
    return {
        "person": one.key,
        "revision": one.revision,
        "outcome": one.outcome,
        "reason": one.reason,
        "words": story_words.refusal(one.reason) if refused else "Intercom shows this revision",
        "episode": one.episode,
        "at": to_rfc3339(one.at_ms),
    }


def _ms(text: str) -> int:
    return from_rfc3339(text)
