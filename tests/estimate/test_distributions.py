"""Shares, tails and quantiles: exact at the edges of bins, and intervals as wide as theory has them."""

import math

import numpy as np
import pytest

from jfsq_simpy.estimate import ccdf_of, empirical_ccdf, quantile_estimate, shares, upper_limit
from jfsq_simpy.tally import N_BINS, Tally, bin_edges, time_bin
from tests.estimate.units import NONE_SEEN, sample, tally


def with_times(times_of_units, band=0) -> list[Tally]:
    units = []
    for times in times_of_units:
        bins = np.zeros((2, N_BINS), np.int64)
        bins[band] = np.bincount(time_bin(times), minlength=N_BINS)
        units.append(tally([[len(times), 0], [0, 0]], wait_bins=bins, response_bins=bins))
    return units


def test_the_empirical_tail_is_exact_at_bin_edges_and_within_one_percent_between():
    rng = np.random.default_rng(8)
    times = np.concatenate([np.zeros(3000), rng.standard_exponential(7000)])
    counts = np.bincount(time_bin(times), minlength=N_BINS)
    edges = bin_edges()[1:-1]
    assert empirical_ccdf(counts, edges[1:]) == pytest.approx([(times >= e).mean() for e in edges[1:]], abs=1e-15)
    assert empirical_ccdf(counts, np.array([0.0]))[0] == 0.7
    assert empirical_ccdf(counts, np.array([-1.0]))[0] == 1.0
    assert empirical_ccdf(counts, np.array([np.inf]))[0] == 0.0
    between = np.array([0.123, 0.5001, 2.2])
    true = np.array([(times > t).mean() for t in between])
    assert empirical_ccdf(counts, between) == pytest.approx(true, rel=0.02)
    assert np.isnan(empirical_ccdf(np.zeros(N_BINS, int), between)).all()


def test_quantiles_of_an_exponential_sample():
    rng = np.random.default_rng(9)
    s = sample(with_times(rng.standard_exponential((20, 2000))))
    tail = ccdf_of(s, "wait", "empirical")
    for p in (0.5, 0.9, 0.99):
        e = quantile_estimate(s, p, tail)
        assert e.low < e.value < e.high
        assert abs(e.value - -math.log(1 - p)) < 4 * e.half_width  # 4 half widths: eight standard errors
        # the width by the quantile's own formula: sqrt(p (1 - p) / n) / density
        assert e.half_width == pytest.approx(1.96 * math.sqrt(p * (1 - p) / 40_000) / (1 - p), rel=0.7)
    assert quantile_estimate(s, 0.0, tail).value == 0.0


def test_a_quantile_inside_the_atom_at_zero():
    s = sample(with_times(np.array([[0.0] * 80 + [1.0] * 20, [0.0] * 70 + [1.0] * 30])))
    e = quantile_estimate(s, 0.5, ccdf_of(s, "wait", "empirical"))
    assert (e.value, e.low) == (0.0, 0.0)


def test_a_quantile_of_one_unit_has_no_interval():
    s = sample(with_times(np.array([[0.0, 1.0, 2.0]])))
    e = quantile_estimate(s, 0.5, ccdf_of(s, "response", "empirical"))
    assert e.value > 0
    assert math.isnan(e.low)


def test_distributions_report_the_limit_too():
    value, low, high = shares(sample(NONE_SEEN), lambda t: t.joins.sum(axis=0) / t.routed)
    limit = upper_limit(sample(NONE_SEEN))
    assert value.tolist() == [1.0, 0.0]
    assert low.tolist() == [1.0 - limit, 0.0]  # what may be at level 1 is not at level 0
    assert high.tolist() == [1.0, limit]


def test_a_quantile_of_waits_never_seen_is_known_as_far_as_their_limit():
    s = sample(with_times(np.zeros((4, 100))), looks=1000.0)
    limit = upper_limit(s)
    below, above = (quantile_estimate(s, 1 - share * limit, ccdf_of(s, "wait", "empirical")) for share in (2.0, 0.5))
    assert (below.value, below.low, below.high) == (0.0, 0.0, 0.0)  # more than may wait
    assert (above.value, above.low, above.high) == (0.0, 0.0, math.inf)


def test_a_quantile_beyond_the_few_waits_seen_may_lie_among_them():
    """4 in 1,000 waited, so 6 may: the quantile of 5 in 1,000 is seen as 0, and reaches up to the waits."""
    s = sample(with_times(np.array([[0.0] * 249 + [x] for x in (1.0, 2.0, 3.0, 4.0)])))
    tail = ccdf_of(s, "wait", "empirical")
    s_few = sample(with_times(np.array([[0.0] * (250 - k) + [2.0] * k for k in (0, 1, 1, 2)])))
    e = quantile_estimate(s_few, 0.995, ccdf_of(s_few, "wait", "empirical"))
    assert (e.value, e.low) == (0.0, 0.0)
    assert 0 < e.high < 4
    assert quantile_estimate(s, 0.5, tail).high == 0.0
