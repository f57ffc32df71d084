"""Limits beside the values they are limits of: each speaks on its own side of Halfin-Whitt, and is neared there."""

import math

import numpy as np
import pytest

from jfsq_simpy import exact, rates
from jfsq_simpy.simulate import simulate
from jfsq_simpy.system import System
from jfsq_simpy.theory.reference import limits


def equal(n: int, alpha: float, **more) -> System:
    return System(rates.homogeneous(n), alpha=alpha, **{"places": 2, **more})


def spoken(system: System) -> dict[str, tuple[float, str, str]]:
    return {found.metric: (found.value, found.kind, found.source) for found in limits.speaking(system)}


@pytest.mark.parametrize(("alpha", "source"), [(0.3, "Erlang B"), (0.5, "Halfin-Whitt"), (0.7, "Gamma law")])
def test_each_side_has_its_own_limit(alpha, source):
    found = spoken(equal(100, alpha))
    assert {name: s for name, (_, _, s) in found.items()} == {"waiting_probability": source, "mean_wait": source}


def test_the_halfin_whitt_constant_by_extrapolation_of_exact_laws():
    # p_W sqrt N in powers of N^-1/2: three sizes, two powers taken out
    n = np.array([225.0, 900.0, 3600.0])
    value = np.array([exact.solve(equal(int(k), 0.5))["waiting_probability"] * math.sqrt(k) for k in n])
    once = 2 * value[1:] - value[:-1]  # each size has half the other's N^-1/2
    twice = (4 * once[1] - once[0]) / 3
    assert twice == pytest.approx(limits.HALFIN_WHITT_WAITING, abs=4e-4)
    assert value[-1] < 0.99 * limits.HALFIN_WHITT_WAITING, "no size used is at the limit by itself"


def test_places_do_not_matter_there():
    two, three = (exact.solve(equal(30, 0.5, places=b)) for b in (2, 3))
    assert three["waiting_probability"] == pytest.approx(two["waiting_probability"], rel=0.02)


@pytest.mark.parametrize("alpha", [0.3, 0.5, 0.75])
@pytest.mark.parametrize("metric", ["waiting_probability", "mean_wait"])
def test_limits_are_neared(alpha, metric):
    gaps = [abs(math.log(exact.solve(equal(n, alpha))[metric] / spoken(equal(n, alpha))[metric][0])) for n in (250, 1000)]
    assert gaps[1] < 0.8 * gaps[0]


def test_ordered_entry_is_silent_where_jobs_wait():
    # N = 256, alpha = 3/4: X = 4 servers idle in all, and ordered entry would have 11 idle among the N2 fastest
    below, above = (equal(256, a, policy={"name": "jfsq", "ties": "index"}) for a in (0.25, 0.75))
    assert "idle_among_n2" in spoken(below)
    assert "idle_among_n2" not in spoken(above)
    lost = limits.ordered_idle(above.n2.floor, above.arrival_rate)
    run = simulate(above, horizon=60, warmup=60, replications=16, engine="lockstep", rng=1, workers=1, start="busy")
    assert lost > 2.5 * above.spare_capacity
    assert run["idle_among_n2"].high < lost / 2


def test_unequal_servers_have_a_conjecture_above_and_nothing_below():
    two = rates.two_speed(100, ratio=3)
    assert not spoken(System(two, alpha=0.3, places=2))
    assert not spoken(System(two, alpha=0.5, places=2))
    value, kind, _ = spoken(System(two, alpha=0.75, places=2))["mean_wait"]
    assert kind == "conjecture"
    assert value == pytest.approx((1 + 0.5 / 1.5) / 100**0.25)


@pytest.mark.parametrize("changes", [{"policy": "random"}, {"size": "deterministic"}, {"load": 0.9999}, {"load": 1.2}])
def test_no_limit_speaks_of_another_model(changes):
    assert not spoken(equal(100, 0.75).replaced(**changes))
