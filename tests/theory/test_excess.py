"""Jobs beyond N: the balance behind the approximation is exact, and the approximation is close where there is a truth."""

import numpy as np
import pytest

from jfsq_simpy import exact, rates
from jfsq_simpy.errors import ModelError
from jfsq_simpy.system import System
from jfsq_simpy.theory import states
from jfsq_simpy.theory.reference.excess import excess
from jfsq_simpy.theory.reference.limits import gamma_conjecture


@pytest.mark.parametrize("fleet", [rates.homogeneous(5), rates.two_speed(6, ratio=3), rates.from_speeds([3.0, 2.0, 1.0, 1.0])])
def test_the_balance_holds_on_exact_laws(fleet):
    # P(s + 1 jobs) (N - C(s + 1)) = P(s jobs) lambda N, C the mean rate of idle servers given the jobs present
    system = System(fleet, load=0.9, places=3)
    law = exact.solve(system)
    jobs, idle = states.jobs(law.levels), fleet.n_servers - states.capacity(law.levels, law.units)
    p = np.bincount(jobs, law.probabilities)
    rate = np.bincount(jobs, law.probabilities * idle) / p
    assert p[1:] * (fleet.n_servers - rate[1:]) == pytest.approx(p[:-1] * system.arrival_rate, rel=1e-9)


@pytest.mark.parametrize(("n", "within"), [(400, 0.04), (1000, 0.025), (4000, 0.012)])
def test_equal_servers_against_the_exact_law(n, within):
    law = exact.solve(System(rates.homogeneous(n), alpha=0.75, places=2))
    found = excess(rates.homogeneous(n), 0.75)
    assert found.mean == pytest.approx((law.mean_jobs - n) / n**0.75, rel=within)
    assert found.waiting_constant == pytest.approx(law["waiting_probability"] * n**0.25, rel=within)
    assert found.balance == pytest.approx(1.0, abs=within)
    jobs = np.arange(law.jobs_distribution.size)
    variance = law.jobs_distribution @ jobs**2 - law.mean_jobs**2
    assert found.variance == pytest.approx(variance / n**1.5, rel=within)


def test_two_speeds_against_long_runs():
    # eight replications of 10^8 jobs at N = 1,000 and of 7 x 10^8 at 10,000: value and half of the 95 % interval
    measured = {(1000, 3): (1.092, 0.042), (1000, 9): (1.125, 0.039), (10_000, 3): (1.344, 0.076), (10_000, 9): (1.316, 0.051)}
    for (n, ratio), (value, half) in measured.items():
        assert abs(excess(rates.two_speed(n, ratio=ratio), 0.75).mean - value) <= 1.5 * half


def test_the_mean_overshoots_the_conjectured_limit_and_comes_back():
    limit = gamma_conjecture(rates.two_speed(100, ratio=9)).mean
    means = [excess(rates.two_speed(n, ratio=9), 0.75, points=60).mean for n in (10**3, 10**5, 10**7)]
    assert means[0] < means[1] > means[2] > limit
    assert means[1] > 1.15 * limit


def test_equal_servers_lead_to_the_proved_limit():
    means = [excess(rates.homogeneous(n), 0.75, points=150).mean for n in (10**3, 10**5, 10**7)]
    assert means == sorted(means)
    assert 1.95 < means[-1] < 2


@pytest.mark.parametrize("alpha", [0.5, 0.3, 1.0])
def test_other_loads_are_refused(alpha):
    with pytest.raises(ModelError, match="alpha"):
        excess(rates.homogeneous(100), alpha)
