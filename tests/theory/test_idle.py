"""How many of the m fastest are idle, where the cut after m splits a speed class: counts say it in law only."""

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import exact, rates
from jfsq_simpy.simulate import simulate
from jfsq_simpy.system import System
from jfsq_simpy.tally import Observables
from jfsq_simpy.theory.evidence import FromLaw, FromRun
from tests.theory import brute

FALSE_ALARM = 1e-6
SPEEDS = [1.5, 1.5, 0.75, 0.75, 0.5]
CUTS = [(1, 1.0), (2, 2.0), (3, 1.0), (3, 2.0), (3, 3.0), (3, 1.5), (4, 2.0), (5, 4.0)]


@pytest.fixture(scope="module")
def law() -> brute.Law:
    return brute.solve(SPEEDS, 4.0, 2)


@pytest.mark.parametrize(("m", "t"), CUTS)
def test_the_tail_from_counts_is_that_of_servers_followed_one_by_one(law, m, t):
    system = System(rates.from_speeds(SPEEDS), load=0.8, places=2)
    found = FromLaw(exact.solve(system)).idle_tail(m, t)
    assert found.value == pytest.approx(law.pi @ ((law.q[:, :m] == 0).sum(axis=1) >= t), rel=1e-9)


@pytest.mark.parametrize("engine", ["process", "lockstep"])
def test_runs_of_both_views_count_it_too(law, engine):
    # the jobs view follows servers, the chain view counts and draws which of a class are idle
    system = System(rates.from_speeds(SPEEDS), load=0.8, places=2)
    run = simulate(
        system,
        horizon=400,
        warmup=20,
        replications=8,
        engine=engine,
        rng=3,
        workers=1,
        observe=Observables(idle_tails=tuple((m, t) for m, t in CUTS if t == int(t))),
    )
    wider = float(stats.t.isf(FALSE_ALARM / 2, 7) / stats.t.isf(0.025, 7))
    for m, t in CUTS:
        if t == int(t) and m in (1, 3, 4):
            truth, found = float(law.pi @ ((law.q[:, :m] == 0).sum(axis=1) >= t)), FromRun(run).idle_tail(m, t)
            assert found is not None
            assert abs(found.value - truth) <= wider * (found.high - found.low) / 2
            assert t > 1 or wider * (found.high - found.low) / 2 < truth


def test_under_index_ties_counts_do_not_say_it():
    system = System(rates.from_speeds(SPEEDS), load=0.8, places=2, policy={"name": "jfsq", "ties": "index"})
    known = FromLaw(exact.solve(system, form="classes"))
    assert known.idle_tail(3, 1.0) is None
    brute_law = brute.solve(SPEEDS, 4.0, 2, "jfsq index")
    whole = known.idle_tail(2, 1.0)
    assert whole is not None
    assert whole.value == pytest.approx(brute_law.pi @ (brute_law.q[:, :2] == 0).any(axis=1), rel=1e-9)
    assert np.isclose(brute_law.pi.sum(), 1)
