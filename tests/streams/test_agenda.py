"""The agenda hands out whoever is due, soonest first, whatever was put off, taken back or brought forward before."""

import random

import pytest

from streams.agenda import Agenda


def model(due: dict[str, int], time_ms: int) -> list[str]:
    """What a plain table of instants would hand out by then."""
    ready = sorted((due_ms, key) for key, due_ms in due.items() if due_ms <= time_ms)
    for _, key in ready:
        del due[key]
    return [key for _, key in ready]


@pytest.mark.parametrize("seed", range(20))
def test_an_agenda_hands_out_what_a_plain_table_would(seed: int) -> None:
    chance = random.Random(seed)
    agenda, due = Agenda(), dict[str, int]()
    now_ms = handed_out = 0
    for _ in range(500):
        key = chance.choice("abcdefgh")
        if chance.random() < 0.2:
            agenda.put(key, None)
            due.pop(key, None)
        else:
            at_ms = now_ms + chance.choice((1, 2, 5, 30, 100))
            agenda.put(key, at_ms, near=chance.random() < 0.5)
            due[key] = at_ms
        if chance.random() < 0.3:
            now_ms += chance.choice((0, 1, 3, 40))
            found = list(agenda.until(now_ms))
            assert found == model(due, now_ms)
            handed_out += len(found)
    assert handed_out > 50, "the histories must bring something"
    assert list(agenda.until(now_ms + 1000)) == model(due, now_ms + 1000)


def test_whoever_is_put_in_while_others_are_handed_out_comes_in_the_same_turn() -> None:
    agenda = Agenda()
    agenda.put("a", 10)
    agenda.put("c", 12)
    told = []
    for key in agenda.until(12):
        told.append(key)
        if key == "a":
            agenda.put("b", 11)
            agenda.put("d", 13)
    assert told == ["a", "b", "c"]
    assert list(agenda.until(13)) == ["d"]


def test_a_timer_that_is_put_off_again_and_again_is_kept_once() -> None:
    agenda = Agenda()
    for due_ms in range(1000, 2000):
        agenda.put("a", due_ms)
    assert len(agenda._timers) == 1
    assert list(agenda.until(1998)) == []
    assert list(agenda.until(1999)) == ["a"]
