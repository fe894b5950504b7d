"""The statistics of lift: numbers that other tools publish come out to five decimals; test_alike simulates what they promise."""

import numpy as np
import pytest
from scipy import stats

from backtests import cuped, samples
from backtests.balance import balance
from backtests.estimates import Estimate, Refused, absolute, relative
from backtests.extremes import winsorised
from backtests.holm import holm
from backtests.plans import people_needed, people_needed_of_share, weeks_to_go
from backtests.samples import Sample, mean, mean_of, ratio, ratio_of, share
from backtests.sequences import look

FIVE = 5e-6

REVENUE = mean(1396.87, 52377.9767, 3407), mean(2422.7, 134698.29, 3461)
SMALL = mean(270, 848.79, 100), mean(300, 869, 120)


def agrees(found: Estimate, **published: float) -> None:
    for name, value in published.items():
        assert getattr(found, name) == pytest.approx(value, abs=FIVE), name


def test_a_relative_lift_of_means_is_the_published_one() -> None:
    agrees(relative(*REVENUE), value=0.70732, low=-0.03526, high=1.44989, se=0.37879, p=0.06191)


def test_an_absolute_lift_of_means_is_the_published_one() -> None:
    agrees(absolute(*REVENUE), value=0.29, low=0.04538, high=0.53462, se=0.12478, p=0.02016)


def test_a_relative_lift_of_proportions_is_the_published_one() -> None:
    found = relative(share(14, 28), share(16, 30))
    agrees(found, value=0.06667, low=-0.47767, high=0.61101, se=0.27170, p=0.80707)


def test_a_negative_lift_and_its_sequence_are_the_published_ones() -> None:
    found = relative(*SMALL)
    agrees(found, value=-0.074074074, p=0.145219005)
    sequence = look(found, tuned_for=600)
    assert (sequence.p, sequence.low) == pytest.approx((0.892332229, -0.233322085), abs=FIVE)


def test_a_lift_of_ratios_is_the_published_one() -> None:
    control = ratio((270, 848.79), (510, 810), -900, 100)
    treatment = ratio((300, 869), (500, 800), -905, 120)
    assert (control.value, treatment.value) == pytest.approx((0.529411765, 0.6), abs=FIVE)
    agrees(relative(control, treatment), value=0.133333333, p=0.610663339, above_zero=0.694926359)


def test_a_lift_adjusted_by_what_was_before_is_the_published_one() -> None:
    control = cuped.means((300, 600), (210, 415), -20, 3001)
    treatment = cuped.means((222, 555), (120, 405), -10, 3000)
    theta = cuped.theta_of_means(control, treatment)
    assert theta == pytest.approx(-0.0732119, abs=FIVE)
    agrees(relative(*cuped.adjusted(control, treatment, theta)), value=-0.281707154, p=0.003732549)


def test_a_sequence_is_the_published_one() -> None:
    found = relative(mean(1396.87, 52377.9767, 3000), mean(2422.7, 134698.29, 3461))
    assert found.value == pytest.approx(0.50336, abs=FIVE)
    assert look(found, tuned_for=1000)[:3] == pytest.approx((-0.55844, 1.56516, 1), abs=FIVE)


@pytest.mark.parametrize(
    ("counts", "weights", "p"),
    [
        ((1000, 1200), (0.5, 0.5), 0.000020079),
        ((135, 115), (0.5, 0.5), 0.205903211),
        ((310, 98), (0.75, 0.25), 0.647434186),
        ((9050, 950), (0.9, 0.1), 0.095580705),
        ((9100, 900), (0.9, 0.1), 0.000858121),
    ],
)
def test_a_sample_ratio_is_judged_as_published(counts: tuple[int, ...], weights: tuple[float, ...], p: float) -> None:
    found = balance(counts, weights)
    assert found.p == pytest.approx(p, abs=1e-9)
    assert found.alarm == (p < 0.001)


def test_an_arm_of_weight_zero_says_nothing_of_the_ratio() -> None:
    assert balance((135, 9000, 115), (0.5, 0, 0.5)) == balance((135, 115), (0.5, 0.5))
    assert balance((0, 0), (0.9, 0.1)).p == 1
    with pytest.raises(ValueError, match="negative"):
        balance((1, 1), (1.1, -0.1))


def test_holm_is_the_published_one() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005, 0.55, 0.6]) == pytest.approx([0.05, 0.12, 0.12, 0.03, 1, 1])
    assert holm([]) == []


@pytest.mark.parametrize(("before", "after", "lift"), [(-10, -5, 0.5), (-10, -15, -0.5), (-2, 3, 2.5)])
def test_a_lift_over_a_negative_baseline_keeps_its_direction(before: float, after: float, lift: float) -> None:
    spread = np.array([-1.0, 1.0] * 50)
    assert relative(mean_of(before + spread), mean_of(after + spread)).value == pytest.approx(lift)


def test_a_baseline_that_may_be_zero_has_no_relative_lift() -> None:
    wide = np.array([-10.0, 11.0] * 10)
    with pytest.raises(Refused, match="may be zero"):
        relative(mean_of(wide), mean_of(wide + 5))
    assert absolute(mean_of(wide), mean_of(wide + 5)).value == pytest.approx(5)


def test_what_says_nothing_is_refused() -> None:
    some = mean_of(np.array([1.0, 2.0]))
    with pytest.raises(Refused, match="two people"):
        absolute(mean_of(np.array([1.0])), some)
    with pytest.raises(Refused, match="nobody differs"):
        absolute(mean_of(np.array([1.0, 1.0])), mean_of(np.array([1.0, 1.0])))
    with pytest.raises(ValueError, match="denominator is zero"):
        ratio_of(np.array([1.0, 2.0]), np.array([0.0, 0.0]))


def test_rounding_is_no_evidence() -> None:
    alone = ratio_of(np.array([0, 33.3, 0]), np.array([0, 0.7, 0]))
    other = ratio_of(np.array([12.1, 0, 0, 0]), np.array([0.3, 0, 0, 0]))
    assert alone.variance == other.variance == 0, "who alone has a denominator makes the ratio, whoever that is"
    with pytest.raises(Refused, match="nobody differs"):
        absolute(alone, other)
    tenths = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert mean_of(tenths).variance == mean(0.7, 0.07, 7).variance == 0
    same = cuped.means_of(np.array([0.1, 0.7, 0.3]), np.array([0.3, 2.1, 0.9]))
    assert cuped.adjusted(same, same, 1 / 3)[0].variance == 0


def test_people_one_by_one_give_what_their_sums_give() -> None:
    chance = np.random.default_rng(7)
    orders, earlier = chance.poisson(1.3, 200).astype(float), chance.poisson(1.1, 200).astype(float)
    worth = orders * chance.gamma(4, 20, 200)

    def told(values: samples.Values) -> tuple[float, float]:
        return float(values.sum()), float((values**2).sum())

    def same(found: tuple[float, ...], summed: tuple[float, ...]) -> None:
        assert found == pytest.approx(summed)

    same(mean_of(worth), mean(*told(worth), 200))
    same(ratio_of(worth, orders), ratio(told(worth), told(orders), float((worth * orders).sum()), 200))
    products = float((orders * earlier).sum())
    same(cuped.means_of(orders, earlier), cuped.means(told(orders), told(earlier), products, 200))


def test_welch_agrees_with_scipy() -> None:
    chance = np.random.default_rng(3)
    first, second = chance.normal(5, 1, 40), chance.normal(5.3, 3, 25)
    theirs = stats.ttest_ind(second, first, equal_var=False)
    ours = absolute(mean_of(first), mean_of(second))
    assert (ours.p, ours.degrees) == pytest.approx((theirs.pvalue, theirs.df))


def test_the_threshold_of_extremes_is_one_for_both_arms() -> None:
    (first, second), threshold = winsorised([np.arange(50.0), np.arange(50.0, 101.0)], quantile=0.9)
    assert threshold == 90
    assert (first.max(), second.max()) == (49, 90)
    with pytest.raises(ValueError, match="quantile"):
        winsorised([first, second], quantile=0)


def test_the_plan_says_how_many_people_a_tenth_held_out_takes() -> None:
    assert people_needed_of_share(0.08, lift=0.1, holdout=0.1) == 101_198
    assert people_needed(100, 400, lift=0.1, holdout=0.5) == round(7.848879734 * 4 * 400 / 100)
    assert weeks_to_go(4_000, 101_198, per_week=2_000) == 49
    assert weeks_to_go(101_198, 101_198, per_week=0) == 0
    assert weeks_to_go(5, 10, per_week=0) is None
    with pytest.raises(ValueError, match="holdout"):
        people_needed(100, 400, lift=0.1, holdout=0)


def test_what_people_did_before_makes_the_error_smaller_and_hides_no_lift() -> None:
    chance = np.random.default_rng(11)
    before = chance.gamma(2, 50, 4000)
    after = before + chance.normal(0, 20, 4000)
    control, treatment = cuped.means_of(after[:2000], before[:2000]), cuped.means_of(after[2000:] + 5, before[2000:])
    found = absolute(*cuped.adjusted(control, treatment, cuped.theta_of_means(control, treatment)))
    plain = absolute(mean_of(after[:2000]), mean_of(after[2000:] + 5))
    assert found.se < plain.se / 2
    assert found.low < 5 < found.high
    still = cuped.means_of(after[:2000], np.ones(2000))
    assert cuped.theta_of_means(still, still) == cuped.theta_of_ratios(still, still) == 0


def test_a_ratio_is_adjusted_by_the_ratio_before() -> None:
    chance = np.random.default_rng(5)
    basket, orders = chance.gamma(9, 10, 3000), np.array(1.0 + chance.poisson(1, 3000), dtype=np.float64)
    worth, earlier, ordered = basket * orders, basket * (orders + 1), np.add(orders, 1.0, dtype=np.float64)
    held: slice = slice(0, 1000)
    rest: slice = slice(1000, None)
    arms = [cuped.ratios_of((worth[s], orders[s]), (earlier[s], ordered[s])) for s in (held, rest)]
    found = absolute(*cuped.adjusted(arms[0], arms[1], cuped.theta_of_ratios(arms[0], arms[1])))
    plain = absolute(ratio_of(worth[held], orders[held]), ratio_of(worth[rest], orders[rest]))
    assert found.se < plain.se / 2
    assert found.low < 0 < found.high


def test_an_arm_is_read_as_it_is() -> None:
    assert mean(10, 30, 5) == Sample(2, 2.5, 5, 2, 2.5)
