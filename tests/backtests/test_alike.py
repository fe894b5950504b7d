"""Where helping changes nothing: one look is wrong in five of a hundred shops, the sequence in fewer, over all of fifty looks."""

import numpy as np
import pytest

from backtests.estimates import ALPHA
from backtests.metrics import NAMES
from backtests.sequences import STARTS_AT_PEOPLE
from tests.backtests.alike import KINDS, LOOKS, Seen, Shop, alarms, run, wrong

SEED = 2103


@pytest.fixture(scope="module")
def ends() -> dict[tuple[str, str], list[Seen]]:
    """A thousand shops, by metric and kind."""
    found: dict[tuple[str, str], list[Seen]] = {}
    for seed in range(SEED, SEED + 1000):
        for seen in run(seed, Shop(3000, 0.3, before=True), looks=1):
            found.setdefault((seen.name, seen.kind), []).append(seen)
    return found


def off(seen: list[Seen], *, error_times: float = 1.0) -> float:
    """How far the share of wrong ones is from five of a hundred, in its own standard errors."""
    share = sum(wrong(one.end, error_times=error_times) for one in seen) / len(seen)
    return float((share - ALPHA) / np.sqrt(ALPHA * (1 - ALPHA) / len(seen)))


def test_one_look_at_any_metric_is_wrong_in_five_of_a_hundred(ends: dict[tuple[str, str], list[Seen]]) -> None:
    assert len(ends) == len(NAMES) * len(KINDS)
    for key, seen in ends.items():
        assert len(seen) == 1000 and abs(off(seen)) < 3, f"{key}: {off(seen):+.1f}"


def test_an_error_that_is_wrong_by_a_part_would_be_noticed_in_any_metric(
    ends: dict[tuple[str, str], list[Seen]],
) -> None:
    for key, seen in ends.items():
        assert off(seen, error_times=0.85) > 3 and off(seen, error_times=1.3) < -3, key


def test_over_fifty_looks_only_the_sequence_stays_below_five_of_a_hundred() -> None:
    runs = [
        run(seed, Shop(1500, 0.1, before=False), looks=LOOKS, names=("margin",)) for seed in range(SEED, SEED + 300)
    ]
    for place, kind in enumerate(KINDS):
        seen = [one[place] for one in runs]
        assert {one.kind for one in seen} == {kind} and min(one.end.fewest for one in seen) > STARTS_AT_PEOPLE
        assert sum(one.sequence_ever for one in seen) / len(seen) < ALPHA
        assert sum(one.test_ever for one in seen) / len(seen) > 0.15, "looking fifty times would not have mattered"
    believed = sum(one[0].blind_ever for one in runs) / len(runs)
    assert believed > 2 * ALPHA, "it would not have mattered when a sequence begins to hold"


def test_a_split_as_meant_rings_once_in_a_thousand() -> None:
    rung = alarms(np.random.default_rng(SEED), runs=50_000, people=10_000, held_out=0.1)
    assert 0.0005 < rung < 0.002
