"""MMPP and batches: moments by another road, the state carried from block to block, structure that must be exact."""

import math

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy.draws import BLOCK, JobDraws, Seed
from jfsq_simpy.laws import MMPP, Batch, Deterministic, Erlang, Periodic
from jfsq_simpy.system import System

FALSE_ALARM = 1e-6  # a red run means a bug, not bad luck

TWO = MMPP([0.5, 3.0], [[-0.01, 0.01], [0.04, -0.04]])
THREE = MMPP([0.0, 1.0, 8.0], [[-0.3, 0.2, 0.1], [0.5, -0.6, 0.1], [0.0, 2.0, -2.0]])


def half_width(values):
    """Student t over independent values."""
    return stats.t.isf(FALSE_ALARM / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))


# ---- MMPP ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", [TWO, THREE], ids=["two", "three"])
def test_mmpp_moments_by_integrating_the_survival_function(law):
    """P(gap > t) = phi exp(D0 t) 1, by eigenvalues and quadrature; the law itself inverts a matrix."""
    d0, d1 = law.matrices
    share = law.state_shares
    assert share @ (d0 + d1) == pytest.approx(0, abs=1e-14)
    phi = share @ d1

    nodes, weights = np.polynomial.legendre.leggauss(20)  # on panels of length 1/2
    times = np.concatenate([low + 0.25 * (1 + nodes) for low in np.arange(0, 150, 0.5)])
    weights = np.tile(0.25 * weights, 300)
    values, vectors = np.linalg.eig(d0)
    survival = np.real(np.exp(np.outer(times, values)) @ ((phi @ vectors) * np.linalg.solve(vectors, np.ones(len(phi)))))
    assert weights @ survival == pytest.approx(1, rel=1e-9)
    assert 2 * weights @ (times * survival) - 1 == pytest.approx(law.variance, rel=1e-9)


def test_mmpp_with_a_silent_state_is_renewal_and_hyperexponential(blocks):
    """Kuczura 1973: a Poisson process switched on and off has independent gaps, each one of two exponentials."""
    law = MMPP([2.0, 0.0], [[-0.5, 0.5], [0.25, -0.25]])
    for lag in (1, 2, 7):
        assert law.autocorrelation(lag) == pytest.approx(0, abs=1e-13)
    d0, _ = law.matrices
    fast, slow = sorted(-np.linalg.eigvals(d0).real, reverse=True)
    weight = (1 - slow) * fast / (fast - slow)  # the mixture with mean 1 and these rates

    def cdf(x):
        return 1 - weight * np.exp(-fast * x) - (1 - weight) * np.exp(-slow * x)

    assert law.variance == pytest.approx(2 * (weight / fast**2 + (1 - weight) / slow**2) - 1, rel=1e-12)
    gaps = blocks(law, 4).ravel()
    assert stats.kstest(gaps, cdf).pvalue > FALSE_ALARM
    assert stats.kstest(gaps, lambda x: cdf(x / 1.05)).pvalue < FALSE_ALARM


def test_mmpp_with_equal_rates_is_the_poisson_process_it_is_read_from():
    """Switching between equal rates changes nothing: gaps are the unit exponentials, across every switch."""
    law = MMPP([7.0, 7.0, 7.0], [[-3.0, 2.0, 1.0], [1.0, -2.0, 1.0], [0.0, 4.0, -4.0]])
    rng, twin = np.random.default_rng(4), np.random.default_rng(4)
    gaps, _ = law.draw_block(rng, BLOCK, law.start())
    twin.random()
    assert np.allclose(gaps, twin.standard_exponential(BLOCK), rtol=0, atol=BLOCK * 4e-16 * 30)


class Scripted:
    """A generator that says what it is told: units of rate for the arrivals, then equal stays."""

    def __init__(self, units, stay):
        self.units, self.stay = units, stay

    def random(self, n=None):
        return 0.0 if n is None else np.zeros(n)

    def standard_exponential(self, n):
        return np.array(self.units) if n == len(self.units) else np.full(n, self.stay)


def test_mmpp_never_steps_back_where_a_switch_falls_between_two_arrivals():
    """One job at the very end of a stay, one right after it: rounded each on its own side, time could run backwards."""
    law = MMPP([0.2, 1.8], [[-1.0, 1.0], [1.0, -1.0]])
    slow, fast = law.describe()["rates"]
    stays = np.random.default_rng(1).uniform(0.5, 2.0, 4000)
    backwards = [stay for stay in stays if (stay * slow) / slow > stay + np.spacing(stay * slow) / fast]
    assert backwards  # else the rounding in question never happens, and this proves nothing
    for stay in backwards:
        end = stay * slow
        gaps, _ = law.draw_block(Scripted([end, np.spacing(end)], stay), 2, 0)
        assert (gaps >= 0).all()


@pytest.mark.parametrize(("law", "lags"), [(TWO, (1, 5)), (THREE, (1, 3))], ids=["two", "three"])
def test_mmpp_gaps_have_the_mean_variance_and_correlations_they_should(law, lags, blocks):
    streams = np.array([blocks(law, 1, seed=seed)[0] for seed in range(20)])
    for lag in (0, *lags):
        products = ((streams - 1)[:, : BLOCK - lag] * (streams - 1)[:, lag:]).mean(axis=1)
        expected = law.variance * law.autocorrelation(lag)
        assert abs(products.mean() - expected) <= half_width(products)
        assert half_width(products) < 0.3 * expected  # a wrong lag, or none, could not hide
    means = streams.mean(axis=1)
    assert abs(means.mean() - 1) <= half_width(means) < 0.1


@pytest.mark.parametrize("state", [0, 1])
def test_mmpp_carries_its_state_into_the_next_block(state):
    """A state that lasts ten million gaps outlives the block, so the next gaps must be of that state's rate."""
    law = MMPP([1.0, 4.0], [[-1e-7, 1e-7], [1e-7, -1e-7]])  # scaled: rates 0.4 and 1.6
    rng = np.random.Generator(np.random.PCG64DXSM(5))
    gaps, after = law.draw_block(rng, BLOCK, state)
    assert after == state
    rate = (0.4, 1.6)[state]
    assert abs(gaps.mean() * rate - 1) < 5 / math.sqrt(BLOCK)  # false alarm 6e-7, and the other rate is far off


def test_mmpp_begins_in_the_state_an_arrival_leaves_behind():
    """States weigh by share of time and by rate: 0.5 and 0.5 of the time, 0.2 and 0.8 of the arrivals."""
    law = MMPP([1.0, 4.0], [[-1e-7, 1e-7], [1e-7, -1e-7]])
    first = [law.draw_block(np.random.Generator(np.random.PCG64DXSM(seed)), 1, None)[1] for seed in range(4000)]
    assert abs(np.mean(first) - 0.8) < 5 * math.sqrt(0.16 / 4000)  # false alarm 6e-7


def test_mmpp_switching_fast_costs_more_but_stays_right(blocks):
    law = MMPP([0.5, 1.5], [[-40.0, 40.0], [40.0, -40.0]])
    gaps = blocks(law, 1)[0]
    assert law.variance == pytest.approx(1, abs=0.01)
    assert abs(gaps.mean() - 1) < 5 * math.sqrt(law.variance / BLOCK)


def test_mmpp_unit_of_time_does_not_matter():
    in_seconds = MMPP([0.5, 3.0], [[-0.01, 0.01], [0.04, -0.04]])
    in_hours = MMPP([1800.0, 10800.0], [[-36.0, 36.0], [144.0, -144.0]])
    assert in_hours.describe()["rates"] == pytest.approx(in_seconds.describe()["rates"], rel=1e-14)


# ---- batches -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 7, BLOCK, 3 * BLOCK + 5])
def test_batches_of_a_fixed_size_begin_exactly_that_far_apart(size, blocks):
    gaps = blocks(Batch(size, gaps="deterministic"), 8).ravel()
    begins = np.flatnonzero(gaps)
    assert np.array_equal(begins, np.arange(0, gaps.size, size))
    assert (gaps[begins] == size).all()


def test_geometric_batches_have_geometric_sizes_across_blocks(blocks):
    law = Batch(mean_size=4.0, gaps=Deterministic())
    gaps = blocks(law, 4).ravel()
    assert gaps[0] == 4.0  # the stream begins with a batch
    sizes = np.diff(np.flatnonzero(gaps))
    counts = np.bincount(np.minimum(sizes, 30))[1:]
    expected = 0.25 * 0.75 ** np.arange(30)
    expected[-1] = 0.75**29
    assert stats.chisquare(counts, expected * sizes.size).pvalue > FALSE_ALARM
    wrong = 0.26 * 0.74 ** np.arange(30)
    wrong[-1] = 0.74**29
    assert stats.chisquare(counts, wrong * sizes.size).pvalue < FALSE_ALARM  # a mean size of 3.85 could not hide


def test_gaps_between_batches_follow_the_law_between_batches(blocks):
    gaps = blocks(Batch(size=5, gaps={"law": "erlang", "k": 3}), 4).ravel()
    between = gaps[gaps > 0] / 5
    assert stats.kstest(between, stats.gamma(3, scale=1 / 3).cdf).pvalue > FALSE_ALARM


@pytest.mark.parametrize("law", [Batch(10), Batch(mean_size=10.0), Batch(10, gaps=Erlang(2))], ids=repr)
def test_batch_variance_is_that_of_a_long_stream(law, blocks):
    squares = ((blocks(law, 20) - 1) ** 2).mean(axis=1)
    assert abs(squares.mean() - law.variance) <= half_width(squares)
    assert half_width(squares) < 0.05 * law.variance


def test_batches_may_come_in_bursts(blocks):
    """Batches of an MMPP: the state inside is carried as well."""
    slow = MMPP([1.0, 4.0], [[-1e-7, 1e-7], [1e-7, -1e-7]])
    law = Batch(4, gaps=slow)
    rng = np.random.Generator(np.random.PCG64DXSM(5))
    gaps, after = law.draw_block(rng, BLOCK, (0, 1))
    assert after == (0, 1)
    assert abs(gaps.mean() * 1.6 - 1) < 5 / math.sqrt(BLOCK / 4)


def test_batches_keep_the_place_of_the_law_between_them(blocks):
    """Batches that pause half of the time pause in every block, not only in the first."""
    gaps = blocks(Batch(4, gaps=Periodic(levels=[1.0, 0.0], period=100.0)), 3).ravel()
    assert ((np.cumsum(gaps) / 4) % 100.0).max() <= 50.0 + 1e-6


def test_a_system_counts_what_batches_bring():
    """The arrival rate is lambda N jobs a unit of time, batches or not."""
    system = System(np.ones(4), load=0.5, places=3, arrivals={"law": "batch", "size": 4, "gaps": "deterministic"})
    gaps = next(JobDraws(system, Seed.of(1), 0).blocks()).gaps
    assert gaps[:5].tolist() == [2.0, 0.0, 0.0, 0.0, 2.0]
