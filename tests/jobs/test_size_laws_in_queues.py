"""Closed forms beyond the exponential: Pollaczek-Khinchine, the root equation of G/M/1, Erlang's insensitivity."""

import numpy as np
import pytest
from scipy import optimize

import jfsq_simpy as jfsq
from jfsq_simpy.laws import as_law

pytest.importorskip("numba")
FALSE_ALARM = 1e-6  # a red run means a bug, not bad luck

SIZES = [
    "deterministic",
    {"law": "erlang", "k": 3},
    {"law": "hyperexponential", "scv": 4},
    {"law": "lognormal", "scv": 2},
    {"law": "uniform", "width": 1.5},
    {"law": "coxian2", "scv": 0.8},
    {"law": "weibull", "shape": 1.5},
]
GAPS = ["deterministic", {"law": "erlang", "k": 4}, {"law": "hyperexponential", "scv": 3}, {"law": "gamma", "scv": 0.5}]
LOAD = 0.7


def measured(seed, **system):
    run = jfsq.simulate(
        jfsq.System(**system), jobs=100_000, warmup=500, replications=20, engine="events", rng=seed, level=1 - FALSE_ALARM
    )
    return run


def meets(estimate, truth, sharpness):
    assert abs(estimate.value - truth) <= estimate.half_width, (estimate, truth)
    assert estimate.half_width < sharpness * truth, "too blunt to catch a bug"


def named(spec):
    return spec if isinstance(spec, str) else spec["law"]


@pytest.mark.parametrize("size", SIZES, ids=named)
def test_mean_wait_of_one_server_is_pollaczek_khinchine(size):
    run = measured(11, rates=[1.0], load=LOAD, places=254, size=size)
    scv = as_law(size, "size").scv
    meets(run.mean_wait, LOAD * (1 + scv) / (2 * (1 - LOAD)), 0.15)
    meets(run.waiting_probability, LOAD, 0.02)  # an arrival waits when the server is busy: the load, whatever the law
    assert run.blocking_probability.value == 0


@pytest.mark.parametrize("gaps", GAPS, ids=named)
def test_arrivals_of_any_law_at_an_exponential_server_meet_the_root_equation(gaps):
    law = as_law(gaps, "arrivals")
    sigma = optimize.brentq(lambda s: law.laplace((1 - s) / LOAD) - s, 1e-9, 1 - 1e-9)
    run = measured(12, rates=[1.0], load=LOAD, places=254, arrivals=gaps)
    meets(run.waiting_probability, sigma, 0.05)
    meets(run.mean_wait, sigma / (1 - sigma), 0.15)
    tail = run.wait_ccdf([2.0])  # W > t with probability sigma exp(-(1 - sigma) t)
    truth = sigma * np.exp(-(1 - sigma) * 2.0)
    assert tail.low[0] <= truth <= tail.high[0]


@pytest.mark.parametrize("n_servers", [1, 5])
@pytest.mark.parametrize("size", ["exponential", *SIZES, {"law": "bounded_pareto", "shape": 1.5, "ratio": 1000}], ids=named)
def test_loss_does_not_feel_the_size_law(size, n_servers):
    run = measured(13, rates=np.ones(n_servers), load=0.8, places=1, size=size)
    a, blocking = 0.8 * n_servers, 1.0
    for k in range(1, n_servers + 1):
        blocking = a * blocking / (k + a * blocking)
    meets(run.blocking_probability, blocking, 0.05 if as_law(size, "size").scv < 5 else 0.1)
