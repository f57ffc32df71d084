"""Pairs: exact against scipy's paired t-test, and what pairing must do whatever the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from jfsq_simpy.compare.paired import Pair, all_pairs, holm

LEVEL = 0.9
X = np.array([3.1, 2.7, 3.6, 2.9, 3.3])
Y = np.array([2.0, 1.5, 2.7, 1.9, 2.1])
probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def without(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means with each value left out."""
    return (values.sum() - values) / (values.size - 1)


def of_means(x: NDArray[np.float64], y: NDArray[np.float64], level: float = LEVEL) -> Pair:
    return Pair(float(x.mean()), float(y.mean()), without(x), without(y), level)


def test_a_difference_of_means_is_the_paired_t_test() -> None:
    pair, known = of_means(X, Y), stats.ttest_rel(X, Y)
    expected = known.confidence_interval(LEVEL)
    assert pair.difference == pytest.approx((X - Y).mean())
    assert pair.interval() == pytest.approx((expected.low, expected.high))
    assert pair.p_value == pytest.approx(known.pvalue)


def test_several_intervals_that_hold_together_are_wider() -> None:
    pair = of_means(X, Y)
    wide = stats.ttest_rel(X, Y).confidence_interval(1 - (1 - LEVEL) / 7)
    assert pair.interval(7) == pytest.approx((wide.low, wide.high))


def test_the_variance_saved_is_what_covariance_takes_away() -> None:
    saved = 2 * np.cov(X, Y)[0, 1] / (X.var(ddof=1) + Y.var(ddof=1))
    assert of_means(X, Y).variance_saved == pytest.approx(saved)
    assert of_means(X, -Y).variance_saved == pytest.approx(-saved), "company that makes things worse is said to"


def test_a_ratio_is_the_jackknifes_on_the_log_scale() -> None:
    value, low, high = of_means(X, Y).ratio()
    left_out = without(X) / without(Y)
    n = X.size
    se = math.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * se / value
    assert value == X.mean() / Y.mean()
    assert (low, high) == pytest.approx((value * math.exp(-half), value * math.exp(half)))


def test_a_ratio_to_nothing_is_not_a_number() -> None:
    assert all(math.isnan(part) for part in of_means(X, np.zeros(5)).ratio())
    assert of_means(np.zeros(5), Y).ratio()[:2] == (0.0, 0.0)


def test_a_policy_and_itself_do_not_differ() -> None:
    pair = of_means(X, X)
    assert (pair.difference, pair.interval(), pair.p_value, pair.variance_saved) == (0.0, (0.0, 0.0), 1.0, 1.0)


@pytest.mark.parametrize(("x", "y", "p"), [(200.0, 4.0, 0.0), (4.0, 4.0 * (1 + 1e-15), 1.0), (0.0, 0.0, 1.0), (math.nan, 1.0, 1.0)])
def test_what_does_not_vary_differs_for_sure_or_not_at_all(x: float, y: float, p: float) -> None:
    pair = Pair(x, y, np.full(10, x), np.full(10, y), LEVEL)
    assert pair.p_value == pytest.approx(p, abs=1e-30 if p == 0 else 1e-2)
    assert math.isnan(pair.variance_saved), "nothing varied, so nothing could be saved"


# ---- many tests at once --------------------------------------------------------------------------------------


@given(probabilities)
def test_holm_lies_between_each_p_value_and_bonferroni(p: list[float]) -> None:
    adjusted = holm(p)
    for raw, now in zip(p, adjusted, strict=True):
        assert raw <= now <= max(min(raw * len(p), 1.0), max(q for q in adjusted if q <= now))
    assert [b for _, b in sorted(zip(p, adjusted, strict=True))] == sorted(adjusted), "the order stays"
    assert min(adjusted) == min(len(p) * min(p), 1.0)


def test_holm_rejects_in_order_until_one_is_kept() -> None:
    # 0.01 < 0.05 / 4 and 0.016 < 0.05 / 3, but 0.03 > 0.05 / 2, so 0.04 falls with it
    assert [p < 0.05 for p in holm([0.01, 0.04, 0.03, 0.016])] == [True, False, False, True]


def test_every_pair_once() -> None:
    assert all_pairs(3) == [(0, 1), (0, 2), (1, 2)]


FALSE_ALARM = 1e-6


def test_holm_errs_as_seldom_as_it_says() -> None:
    """Of five equal policies compared in all pairs, a share of at most 1 - level of experiments tells any two apart."""
    rng, experiments, wrong = np.random.default_rng(20), 1500, 0
    for _ in range(experiments):
        jobs, policies = rng.normal(size=12), rng.normal(size=(5, 12))
        values = [jobs + own for own in policies]  # the same jobs for all, and noise of their own
        wrong += min(holm([of_means(values[i], values[j]).p_value for i, j in all_pairs(5)])) < 1 - LEVEL
    allowed = stats.binom.ppf(1 - FALSE_ALARM, experiments, 1 - LEVEL)
    assert wrong <= allowed
    assert wrong > stats.binom.ppf(FALSE_ALARM, experiments, 0.4 * (1 - LEVEL)), "so cautious that it finds nothing"
