"""Whom the background pass looks at: a fair sample within its bound, each person once, whatever is met again or taken away."""

from agents.reconciling import Rounds


def seen(rounds: Rounds, looks: int) -> list[tuple[int, str]]:
    return [place for _ in range(looks) if (place := rounds.next()) is not None]


def test_where_all_have_room_each_is_looked_at_once_a_round_however_often_met() -> None:
    rounds = Rounds(places_max=10)
    for number in range(10):
        rounds.meet(0, str(number))
        for _ in range(number):
            rounds.meet(0, "9")
    assert len(set(seen(rounds, 10))) == 10
    assert sorted(seen(rounds, 10)) == sorted(set(seen(rounds, 10)))


def test_the_draw_is_fair_within_its_bound_and_those_of_another_partition_change_nothing() -> None:
    counts = dict.fromkeys(range(100), 0)
    for _ in range(300):
        rounds = Rounds(places_max=10)
        for number in range(50):
            rounds.meet(0, str(number))
        rounds.meet(1, "soon gone")
        rounds.forget(1)
        for number in range(50, 100):
            rounds.meet(0, str(number))
        drawn = set(seen(rounds, 10))
        assert len(drawn) == 10
        for _, person in drawn:
            counts[int(person)] += 1
    assert min(counts.values()) >= 8 and max(counts.values()) <= 62, "each is drawn 30 times in 300, give or take"
    assert 1250 < sum(counts[number] for number in range(50)) < 1750, "who came before the change counts as much"


def test_partitions_take_turns_and_one_that_is_taken_away_is_looked_at_no_more() -> None:
    rounds = Rounds(places_max=10)
    for partition, people in ((0, 3), (1, 10), (2, 1)):
        for number in range(people):
            rounds.meet(partition, str(number))
    assert [partition for partition, _ in seen(rounds, 6)] == [0, 1, 2, 0, 1, 2]
    rounds.forget(1)
    assert {partition for partition, _ in seen(rounds, 6)} == {0, 2}
    rounds.forget(0)
    rounds.forget(2)
    assert rounds.next() is None


def test_who_is_met_again_may_still_be_drawn_so_that_no_sample_is_for_ever() -> None:
    rounds = Rounds(places_max=10)
    for number in range(20):
        rounds.meet(0, str(number))
    before = set(seen(rounds, 10))
    for _ in range(20):
        for number in range(20):
            rounds.meet(0, str(number))
    after = set(seen(rounds, 10))
    assert len(after) == 10 and after != before
