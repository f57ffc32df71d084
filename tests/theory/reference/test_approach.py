"""The approach of runs to their mean field, against exact laws and against what it must refuse."""

import numpy as np
import pytest

from jfsq_simpy import System, exact, rates, simulate
from jfsq_simpy.errors import PlanError
from jfsq_simpy.theory import approach, mean_field
from jfsq_simpy.theory.scaling import slope

FALSE_ALARM = 1e-6
PAIR = {"name": "jsq_d", "d": 3, "replace": True}
SIZES = (5, 10, 20)


def runs_of(sizes, jobs, replications=20, **changes):
    systems = [System(rates.homogeneous(n), load=0.8, places=3, policy=PAIR) for n in sizes]
    return [simulate(s, jobs=jobs, replications=replications, warmup=50, rng=3, workers=1, **changes) for s in systems]


@pytest.fixture(scope="module")
def runs():
    return runs_of(SIZES, 20_000)


def test_errors_and_their_slope_are_those_of_exact_laws(runs):
    found = approach(runs, level=1 - FALSE_ALARM / (len(SIZES) + 1))
    true = np.array([exact.solve(run.system).mean_queue for run in runs]) - mean_field(runs[0].system).mean_queue
    assert found.n_servers.tolist() == list(SIZES)
    assert np.all((found.low <= true) & (true <= found.high))
    assert found.slope_low <= slope(SIZES, np.abs(true)) <= found.slope_high
    assert np.all(found.high - found.low < np.abs(true) / 2)  # a limit off by a quarter of the error would show
    assert found.slope_high - found.slope_low < 0.5
    assert found.coefficient == pytest.approx(20 * found.errors[-1])


def test_the_order_of_the_runs_does_not_matter(runs):
    assert approach(runs[::-1]).slope == approach(runs).slope


def test_runs_that_have_no_limit_in_common_are_refused(runs):
    other = System(rates.homogeneous(10), load=0.9, places=3, policy=PAIR)
    apart = simulate(other, jobs=500, replications=20, warmup=5, rng=3, workers=1)
    with pytest.raises(PlanError, match="one limit at several N"):
        approach([runs[0], apart])
    with pytest.raises(PlanError, match="at several N"):
        approach(runs[:1])
    with pytest.raises(PlanError, match="same replications"):
        approach([runs[0], *runs_of((10,), 500, replications=4)])
