"""Batches: synthetic correlation between neighbours is seen, and intervals cover in spite of it."""

import math

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy.estimate import (
    FEWEST_BATCHES,
    correlation_factor,
    estimate,
    joined_in_pairs,
    neighbour_correlation,
    spread,
)
from tests.estimate.units import FALSE_ALARM, sample, tally


def test_batches_are_joined_in_pairs_and_none_is_lost():
    units = [tally([[i, 0], [0, 0]]) for i in range(1, 8)]
    assert [t.joins[0, 0] for t in joined_in_pairs(units)] == [3, 7, 18]
    assert [t.joins[0, 0] for t in joined_in_pairs(units[:6])] == [3, 7, 11]


def test_correlation_of_neighbours_by_hand():
    x = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    assert neighbour_correlation(x).tolist() == [0.0, 0.0]
    assert neighbour_correlation(np.array([[-1.0], [1.0], [-1.0], [1.0]])).tolist() == [-0.75]


def test_correlation_that_is_left_widens_the_interval():
    """r = 1/4 + 1/4 among four batches: the variance of their mean is (1 + r) / (1 - r) = 3 times that of independent ones."""
    assert correlation_factor(np.array([0.25, -0.9, 5.0]), 4).tolist() == pytest.approx([3.0, 1.0, 9.0])
    levels = [[[10 - b, b, 0], [10, 0, 0]] for b in (3, 4, 6, 7, 6, 5, 3, 2)]  # up and down: neighbours are alike
    units = [tally([[1, 0], [0, 0]], levels=x, snapshots=10) for x in levels]
    r = float(neighbour_correlation(np.array([3.0, 4, 6, 7, 6, 5, 3, 2]))) + 1 / 8
    assert r > 0.5
    wide, plain = (spread(sample(units, what=what), lambda t: t.levels[0, 1] / t.snapshots) for what in ("batches", "replications"))
    assert wide.half == pytest.approx(plain.half * math.sqrt((1 + r) / (1 - r)))


def autoregressive_batches(rng, n_batches, relaxation_in_batches, per_batch=40):
    """Batch means of a stationary Gaussian process that forgets in so many batches, as tallies of mean jobs (2 of at most 4)."""
    phi = math.exp(-1 / (relaxation_in_batches * per_batch))
    noise = rng.standard_normal(n_batches * per_batch) * math.sqrt(1 - phi**2)
    x, path = rng.standard_normal(), []
    for e in noise.tolist():
        x = phi * x + e
        path.append(x)
    means = np.array(path).reshape(n_batches, per_batch).mean(axis=1)
    jobs = np.round((means / 10 + 2) * 1e6).astype(int).tolist()
    return [tally([[1, 0], [0, 0]], levels=[[0, j, 0], [0, 0, 0]], snapshots=10**6) for j in jobs]


def test_batches_cover_despite_correlation():
    """Batches as long as the relaxation time are correlated by 0.4; taken as independent they cover 80 %."""
    rng, n, covered, naive = np.random.default_rng(6), 400, 0, 0
    for _ in range(n):
        units = autoregressive_batches(rng, 32, relaxation_in_batches=1.0, per_batch=8)
        e = estimate(sample(units, what="batches"), "mean_jobs")
        covered += e.low <= 2 <= e.high
        plain = estimate(sample(units), "mean_jobs")
        naive += plain.low <= 2 <= plain.high
    assert stats.binomtest(covered, n, 0.90, alternative="less").pvalue > FALSE_ALARM
    assert stats.binomtest(naive, n, 0.90, alternative="less").pvalue < FALSE_ALARM


def test_strongly_correlated_batches_are_joined_and_the_method_says_so():
    units = autoregressive_batches(np.random.default_rng(7), 32, relaxation_in_batches=3.0, per_batch=8)
    found = spread(sample(units, what="batches"), lambda t: t.levels[0, 1] / t.snapshots)
    assert FEWEST_BATCHES <= found.n < 32
    e = estimate(sample(units, what="batches"), "mean_jobs")
    assert e.n == found.n
    assert "batch means (lag-1 correlation" in e.method
