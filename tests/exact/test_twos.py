"""Equal servers with two places: the published figures, and identities that only full precision can meet."""

import math

import numpy as np
import pytest

from jfsq_simpy import System, exact, rates
from tests.exact.cases import POLICIES


def solved(n, **load):
    return exact.solve(System(rates.homogeneous(n), places=2, **load))


@pytest.fixture(scope="module")
def large():
    """N = 10^4, alpha = 1/4: a job waits with probability 2e-26."""
    return solved(10_000, alpha=0.25)


def test_a_probability_of_two_in_1e26_comes_out(large):
    assert large.method == "excursions"
    assert large.waiting_probability == pytest.approx(2.1111e-26, rel=5e-5)
    assert large.mean_wait == pytest.approx(2.1111e-26, rel=5e-5)
    assert large.mean_queue == pytest.approx(0.9, rel=1e-12)


def test_its_digits_are_right(large):
    """A job waits as often as second jobs leave: lambda N p_wait = E[servers with two jobs], both about 1e-22."""
    twos = large.solution.levels[0, 2]
    assert large.system.arrival_rate * large.buffered_probability == pytest.approx(twos, rel=1e-12)
    # and p_W is a little above Erlang B, the loss without waiting room: 1.0093 times
    b = 1.0
    for k in range(1, 10_001):
        b = 9000 * b / (k + 9000 * b)
    assert large.waiting_probability / b == pytest.approx(1.0093, abs=5e-5)


TRUTH = [  # N, alpha, E[W], p_W, E[mean queue]
    (1_000, 0.25, 2.0216e-10, 2.0216e-10, 0.822172),
    (1_000, 0.5, 0.02415031, 0.02415031, 0.991764),
    (1_000, 0.75, 0.26722591, 0.26726277, 1.260036),
    pytest.param(10_000, 0.5, 0.00797723, 0.00797723, 0.997897, marks=pytest.mark.verify),
    pytest.param(10_000, 0.75, 0.17511875, 0.17511891, 1.173943, marks=pytest.mark.verify),
]


@pytest.mark.parametrize(("n", "alpha", "wait", "p_w", "queue"), TRUTH)
def test_figures_used_to_judge_the_bounds(n, alpha, wait, p_w, queue):
    law = solved(n, alpha=alpha)
    assert law.mean_wait == pytest.approx(wait, rel=5e-5 if wait < 1e-3 else 5e-7, abs=6e-9 if wait > 1e-3 else 0)
    assert law.waiting_probability == pytest.approx(p_w, rel=5e-5 if p_w < 1e-3 else 5e-7, abs=6e-9 if p_w > 1e-3 else 0)
    assert law.mean_queue == pytest.approx(queue, abs=6e-7)


@pytest.mark.parametrize(("beta", "scaled"), [(0.5, 2.618411), (1.0, 0.763700), (2.0, 0.073430)])
def test_halfin_whitt_figures(beta, scaled):
    law = solved(1_000, load=1 - beta / math.sqrt(1000))
    assert math.sqrt(1000) * law.waiting_probability == pytest.approx(scaled, abs=6e-7)
    if beta == 1:
        assert law.variance_of_jobs / 1000 == pytest.approx(2.36855, abs=6e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 25])
@pytest.mark.parametrize("load", [1e-3, 0.7, 1.0, 4.0])
def test_excursions_agree_with_elimination(n, load):
    system = System(rates.homogeneous(n), load=load, places=2)
    special, general = exact.solve(system, method="excursions"), exact.solve(system, method="elimination")
    for metric, value in general.metrics().items():
        assert special[metric] == pytest.approx(value, rel=1e-12), metric
    order = np.lexsort(special.levels[:, 0].T), np.lexsort(general.levels[:, 0].T)
    np.testing.assert_array_equal(special.levels[order[0]], general.levels[order[1]])
    np.testing.assert_allclose(special.probabilities[order[0]], general.probabilities[order[1]], rtol=1e-11)


@pytest.mark.parametrize("load", [0.05, 0.3, 5.0])
def test_scales_beyond_floats_do_not_break_it(load):
    """The block masses span up to thousands of orders of magnitude; what fits in a float must still be right."""
    law = solved(2_000, load=load)
    assert law.jobs_distribution.sum() == pytest.approx(1, rel=1e-12)
    assert law.busy_capacity == pytest.approx(law.system.arrival_rate * (1 - law.blocking_probability), rel=1e-9)
    # far below capacity nobody waits; far above, the free places are a geometric number of mean 1 / (load - 1)
    expected = 2_000 * load if load < 1 else 4_000 - 1 / (load - 1)
    assert law.mean_jobs == pytest.approx(expected, rel=1e-5)


def test_the_law_is_never_held_but_can_be_gone_through(large):
    assert large.n_states == 10_001 * 10_002 // 2
    small = solved(200, alpha=0.5)
    total, idle = small.expect(lambda counts: np.stack([np.ones(len(counts)), counts[:, 0, 0]], axis=1))
    assert total == pytest.approx(1, rel=1e-12)
    assert idle == pytest.approx(200 - small.mean_busy, rel=1e-12)


def test_every_policy_that_joins_a_shortest_queue_is_the_same_here():
    fleet = rates.homogeneous(80)
    laws = [exact.solve(System(fleet, load=0.9, places=2, policy=POLICIES[p])) for p in ("jfsq", "jsq", "sed", "sed_all")]
    assert {law.method for law in laws} == {"excursions"}
    assert len({law.waiting_probability for law in laws}) == 1
    assert exact.solve(System(fleet, load=0.9, places=2, policy=POLICIES["jiq"])).method != "excursions"
