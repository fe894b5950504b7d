"""Whose keys belong together is what the thinking does with them; words exist for whatever a decision may say."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests import story_words
from backtests.links import Links
from backtests.story import story
from backtests.trail import Trail, follow
from contracts.commands import Command
from contracts.decisions import Clause, Decision, Reason
from contracts.instant import from_rfc3339
from contracts.signals import Claimed, Delivered, Paged, PersonSignal, Signal
from tests.streams.histories import Run, added, histories, ordered, stamp, track

KEYS = ("id:me", "id:other", "email:me@x.org", "anon:a1", "cio:c1")


class Log(Run):
    """A partition that also keeps what it was told, with all that was passed on."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Signal] = []

    def take(self, signal: Signal) -> None:
        self.log.append(signal)
        super().take(signal)

    def owner(self, key: str) -> str:
        """Where a signal under this key ends up, by the records that the thinking keeps."""
        way = [key]
        while (person := self.people.get(way[-1])) is not None and person.forward is not None:
            if person.forward in way:
                return min(way[way.index(person.forward) :])
            way.append(person.forward)
        return way[-1]


@st.composite
def claimings(draw: st.DrawFn) -> list[PersonSignal]:
    """Signals of few keys, every other one a claim; some occurred earlier than those before."""
    signals: list[PersonSignal] = []
    for index in range(draw(st.integers(1, 15))):
        key, owner = draw(st.sampled_from(KEYS)), draw(st.sampled_from(KEYS))
        occurred = f"{draw(st.integers(0, 2 * index))}m"
        told = stamp(f"{2 * index}m", key, name=f"m{index}", occurred=occurred)
        claims = draw(st.booleans())
        signals.append(Claimed(owner=owner, **told) if claims else Paged(path="/help", **told))  # type: ignore[arg-type]
    return signals


@given(claimings() | histories())
@settings(max_examples=150, deadline=None)
def test_links_find_the_same_owner_as_the_thinking_whatever_is_read_first(history: list[PersonSignal]) -> None:
    run = Log().play(history, until="60d")
    assert isinstance(run, Log)
    by_partition = sorted(
        run.log, key=lambda signal: getattr(signal, "person", "")
    )  # stable: each key's own order stays
    for read in (run.log, by_partition, run.log + run.log, history):
        links = Links()
        for signal in read:
            links.take(signal)
        assert {key: links.owner(key) for key in KEYS} == {key: run.owner(key) for key in KEYS}


@given(claimings() | histories())
@settings(max_examples=100, deadline=None)
def test_following_key_by_key_finds_every_decision_of_the_person(history: list[PersonSignal]) -> None:
    run = Log().play(history, until="60d")
    assert isinstance(run, Log)
    for key in KEYS:
        trail = Trail(key, heard=True)
        follow(
            trail,
            lambda keys: [one for one in run.log if getattr(one, "person", None) in keys],
            lambda keys: [one for one in run.decisions if one.person in keys],
            lambda keys: [],
        )
        theirs = {one.id for one in run.decisions if run.owner(one.person) == run.owner(key)}
        assert {one.id for one in trail.decisions} == theirs


def test_a_loop_of_two_ids_is_one_person_under_the_smaller() -> None:
    links = Links()
    for key, owner in (("id:b", "id:a"), ("id:a", "id:b")):
        links.take(Claimed(owner=owner, **stamp("1m", key)))  # type: ignore[arg-type]
    assert links.owner("id:b") == links.owner("id:a") == "id:a" and links.keys("id:b") == {"id:a", "id:b"}


def test_a_browser_belongs_to_whoever_identified_last_by_occurrence_an_address_to_its_first() -> None:
    links = Links()
    for key in ("anon:a1", "email:me@x.org"):
        for owner, at in (("id:b", "2m"), ("id:c", "3m"), ("id:a", "1m")):
            links.take(Claimed(owner=owner, **stamp(at, key)))  # type: ignore[arg-type]
    assert (links.owner("anon:a1"), links.owner("email:me@x.org")) == ("id:c", "id:b")


def test_every_reason_has_its_words() -> None:
    assert story_words.REASONS.keys() == set(get_args(Reason))


@pytest.mark.parametrize("clause", ["window", "no stop", "inputs sound", "staffed", "below the cap", "arm"])
def test_the_steps_of_the_judgement_are_those_that_have_words(clause: str) -> None:
    run = Run().play([added("serum", 240, "0m")], until="3h")
    [decision] = run.decisions
    asked = {one.clause for one in decision.clauses}
    assert clause in asked and clause in story_words.STEPS
    assert asked - story_words.STEPS.keys() == {"cart_value > 150", "cart_value <= 120 or unknown"}


def test_values_read_as_money_counts_and_words() -> None:
    saw = {"cart_value": 240.0, "visits": 3.0, "opened": True, "value": None, "until": "2026-03-02T11:00:00.000Z"}
    told = story_words.clause(Clause("pages", True, saw), "2026-03-02")
    assert told == "pages (cart_value 240.00, visits 3, opened yes, value unknown, until 11:00:00)"
    assert story_words.clause(Clause("pages", True, saw)).endswith("until 2026-03-02 11:00:00)")


def _told(decisions: list[Decision], at: str) -> dict[str, object]:
    trail = Trail("id:me", heard=False)
    trail.decide(decisions)
    return story(trail, from_rfc3339(at))


def test_a_moment_whose_end_is_not_written_yet_is_over_when_its_time_is_over() -> None:
    run = Run().play([added("serum", 240, "0m")], until="3h")
    assert _told(run.decisions, "2026-03-02T20:59:59.999Z")["now"] == "in_moment"
    told = _told(run.decisions, "2026-03-02T21:00:00Z")
    assert told["now"] == "out" and "(over by now; its end is not written yet)" in str(told["sentence"])


def test_what_held_a_moment_back_is_told_with_its_reason() -> None:
    history = [ordered("o-1", 20, "0m"), added("serum", 240, "10m")]
    run = Run().play(history, until="3h")
    told = _told(run.decisions, "2026-03-02T12:00:00Z")
    assert told["sentence"] == (
        "Not in any moment now. Last: high_aov_abandoner was held back at 2026-03-02 11:10 UTC: the person has bought, "
        "until 2026-03-03 09:00 UTC."
    )


def test_a_moment_that_ended_before_another_was_held_back_is_told_with_it() -> None:
    history = [
        track("Subscription Cancel Started", "0m"),
        added("serum", 240, "10m"),
        track("Subscription Kept", "60m"),
    ]
    run = Run().play(history, until="3h")
    told = _told(run.decisions, "2026-03-02T12:00:00Z")
    assert told["sentence"] == (
        "Not in any moment now. Last: high_aov_abandoner was held back at 2026-03-02 11:10 UTC: the person has had as many "
        "moments as the cap allows, until 2026-03-03 09:00 UTC. Before: subscription_save, 2026-03-02 09:00 UTC to 10:00, "
        "withdrawn: it is not true any more."
    )


def test_of_a_moment_shorter_than_ten_minutes_the_seconds_are_told() -> None:
    history = [track("Subscription Cancel Started", "0m"), track("Subscription Kept", "1m")]
    told = _told(Run().play(history, until="3h").decisions, "2026-03-02T12:00:00Z")
    assert "subscription_save, 2026-03-02 09:00:00 UTC to 09:01:00, withdrawn" in str(told["sentence"])


CART = "high_aov_abandoner@2026-03-02T09:00:00.000Z"


def heard(revision: int, at: str, outcome: str, reason: str | None = None, episode: str | None = None) -> Delivered:
    told = {**stamp(at, name=f"delivered:{revision}"), "revision": revision, "outcome": outcome, "reason": reason}
    return Delivered(episode=episode, **told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcomes", "bought", "says"),
    [
        ([heard(1, "125m", "shown", "event_parameter_invalid", CART)], False,
         "Shown in Intercom since 11:05; its event was refused (parameter_invalid)."),
        ([heard(1, "125m", "refused", "expired", CART)], False,
         "Intercom does not show it: its time was over before it could be shown."),
        ([heard(1, "125m", "refused", "teapot", CART)], False, "Intercom does not show it: teapot."),
        ([heard(1, "125m", "refused", "archived", CART), heard(1, "126m", "shown", None, CART)], False,
         "Shown in Intercom since 11:06."),
        ([heard(1, "125m", "shown", None, CART), heard(2, "151m", "refused", "archived")], True,
         "Intercom shows it since 11:05 and refused the end: the contact is archived there; restore it if that is wanted."),
        ([heard(1, "125m", "refused", "ambiguous", CART), heard(2, "151m", "shown")], True,
         "Intercom never showed it: several contacts have this e-mail address; merge them there."),
        ([heard(2, "151m", "shown")], True, "Intercom never showed it."),
        ([heard(1, "125m", "shown", None, CART), heard(4, "155m", "shown")], True,
         "Intercom showed it from 11:05 to 11:35."),
    ],
)  # fmt: skip
def test_the_sentence_ends_with_what_intercom_made_of_it(outcomes: list[Delivered], bought: bool, says: str) -> None:
    history = [added("serum", 240, "0m"), *([ordered("o-1", 240, "150m")] if bought else [])]
    run = Run(outcomes=True).play(history, until="3h")
    for commands in ([], run.commands):  # as when they are gone from their topic
        trail = Trail("id:me", heard=True)
        trail.decide(run.decisions)
        trail.command(one for one in commands if isinstance(one, Command))
        for outcome in outcomes:
            trail.take(outcome)
        assert str(story(trail, from_rfc3339("2026-03-02T12:00:00Z"))["sentence"]).endswith(says)
