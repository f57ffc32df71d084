"""Exact laws against formulas that owe nothing to a chain solver."""

import functools

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import System, exact, rates
from tests.exact.cases import POLICIES


def mm1b(load, places):
    """P(0 .. places jobs) in M/M/1/b."""
    p = load ** np.arange(places + 1)
    return p / p.sum()


def erlang_b(n, offered):
    b = 1.0
    for k in range(1, n + 1):
        b = offered * b / (k + offered * b)
    return b


@pytest.mark.parametrize("method", ["birth_death", "elimination", "sweeps"])
@pytest.mark.parametrize(("load", "places"), [(0.9, 1), (0.5, 7), (1.0, 4), (3.0, 20), (0.01, 30)])
def test_one_server_is_mm1b(load, places, method):
    law = exact.solve(System(rates.homogeneous(1), load=load, places=places), method=method)
    p = mm1b(load, places)
    np.testing.assert_allclose(law.jobs_distribution, p, rtol=1e-12)
    assert law.blocking_probability == pytest.approx(p[-1], rel=1e-12)
    found = np.arange(places)
    ccdf = [(p[:-1] @ np.where(found > 0, stats.poisson.cdf(found - 1, t), 0.0)) / (1 - p[-1]) for t in (0.0, 0.5, 3.0)]
    np.testing.assert_allclose(law.wait_ccdf([0.0, 0.5, 3.0])["value"], ccdf, rtol=1e-11)


@pytest.mark.parametrize(("n", "load"), [(5, 0.9), (50, 0.5), (300, 0.9), (300, 0.3), (20_000, 0.98)])
def test_no_waiting_room_is_erlang_b(n, load):
    law = exact.solve(System(rates.homogeneous(n), load=load, places=1))
    assert law.blocking_probability == pytest.approx(erlang_b(n, n * load), rel=1e-10)
    assert law.waiting_probability == law.blocking_probability


def test_loss_probability_is_right_where_it_is_tiny():
    law = exact.solve(System(rates.homogeneous(300), load=0.1, places=1))
    assert law.blocking_probability == pytest.approx(erlang_b(300, 30.0), rel=1e-11)
    assert law.blocking_probability < 1e-150


@pytest.mark.parametrize("method", ["elimination", "sweeps"])
@pytest.mark.parametrize("policy", ["random", "weighted_random"])
def test_blind_routing_makes_independent_queues(policy, method):
    fleet, load, places = rates.classes([2, 1, 2], [3.0, 1.0, 0.5]), 0.8, 3
    system = System(fleet, load=load, places=places, policy=POLICIES[policy])
    law = exact.solve(system, method=method)
    arriving = np.full(5, load) if policy == "random" else load * fleet.vector()
    alone = np.array([mm1b(a / mu, places) for a, mu in zip(arriving, fleet.vector(), strict=True)])
    np.testing.assert_allclose(law.utilisation_by_server(), 1 - alone[:, 0], rtol=1e-11)
    np.testing.assert_allclose(law.mean_queue_by_server(), alone @ np.arange(places + 1), rtol=1e-11)
    np.testing.assert_allclose(law.jobs_distribution, functools.reduce(np.convolve, alone), rtol=1e-11)
    assert law.blocking_probability == pytest.approx(float(arriving @ alone[:, -1]) / (5 * load), rel=1e-11)
    full = exact.solve(system, method=method, form="servers")
    product = alone[np.arange(5), full.queue_lengths].prod(axis=1)
    np.testing.assert_allclose(full.probabilities, product, rtol=1e-10)
