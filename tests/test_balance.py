"""Every run is checked against what must balance."""

import dataclasses

import numpy as np
import pytest

import jfsq_simpy as jfsq
from jfsq_simpy.balance import balances, what_is_off
from jfsq_simpy.errors import IdentityError


def run(**plan):
    system = jfsq.System(rates=jfsq.rates.linear(6, ratio=4), load=0.8, places=4)
    return jfsq.simulate(system, rng=5, workers=1, engine="process", **plan)


def test_a_run_in_steady_state_balances():
    steady = run(horizon=300, warmup=40, replications=12)
    assert steady.identities().holds.all()
    assert not [w for w in steady.warnings if "steady state" in w]


def test_a_run_without_warm_up_is_told_its_two_possible_faults():
    cold = run(horizon=12, warmup=0, replications=150)
    (said,) = [w for w in cold.warnings if "steady state" in w]
    assert "warm-up is too short" in said
    assert "bug" in said


def test_counts_that_contradict_themselves_are_an_error():
    steady = run(horizon=50, warmup=10, replications=3)
    steady.tallies[1][0].levels[0, 0] += 7  # a server counted that is not there
    with pytest.raises(IdentityError, match="every server is counted once"):
        balances(steady.sample)


def test_a_wrong_rate_of_work_is_seen():
    steady = run(horizon=300, warmup=40, replications=12)
    wrong = dataclasses.replace(steady.sample, system=steady.system.replaced(load=0.9))  # as if more had come than did
    assert what_is_off(balances(wrong), wrong.system)


def test_one_unit_has_no_noise_to_judge_by():
    single = run(horizon=50, warmup=10, replications=[0], batches=1)
    assert np.isnan(single.identities().z).all()
    assert single.identities().holds.all()


def test_nobody_ever_idle_is_no_contradiction():
    """Idle capacity is then N - N, of which rounding leaves something on either side of 0."""
    system = jfsq.System(rates=jfsq.rates.linear(10, ratio=4), load=1.5, places=5)
    full = jfsq.simulate(system, jobs=2_000, replications=3, rng=2026, workers=1)
    assert full["mean_busy"].value == pytest.approx(10, abs=1e-12)
    assert [i for i in full.identities().itertuples() if i.kind == "pathwise" and not i.holds] == []


def test_noise_beyond_the_capacity_of_all_is_noise():
    """Just above load 1, the work accepted may come out above N in one run, which no servers could carry."""
    system = jfsq.System(rates=jfsq.rates.linear(10, ratio=4), load=1.1, places=5)
    over = jfsq.simulate(system, jobs=100_000, replications=10, rng=2026, workers=1)
    assert not [w for w in over.warnings if "steady state" in w]


class Twice(jfsq.laws.Law):
    """Sizes of mean 2, from a law with memory: these are not tried when a system is made."""

    name, variance = "twice", 1.0

    def draw(self, rng, n):
        return rng.exponential(2.0, n)

    def draw_block(self, rng, n, state):
        return self.draw(rng, n), state


def test_a_law_of_ones_own_whose_mean_is_not_1_is_suspected():
    system = jfsq.System(rates=jfsq.rates.homogeneous(5), load=0.4, places=5, size=Twice())
    (said,) = [w for w in jfsq.simulate(system, jobs=20_000, rng=1, workers=1).warnings if "steady state" in w]
    assert "law of your own" in said


class LargeToTheFirst:
    """Large jobs to one server, small ones to the other: of the large ones more are blocked."""

    name = "large_to_the_first"

    def choose(self, sight):
        return 0 if sight.size > np.log(2) else 1


def test_who_sees_sizes_may_block_large_jobs_more_often_and_is_not_held_to_the_balance_of_work():
    """Two servers without waiting room, each Erlang's loss system of its kind of jobs: p_B is known."""
    system = jfsq.System(rates=[1.0, 1.0], load=0.8, places=1, policy=LargeToTheFirst())
    run = jfsq.simulate(system, jobs=2_000, warmup=20, replications=20, rng=3, workers=1)
    large = (1 + np.log(2)) / 2  # E[size; size > log 2]
    offered = system.arrival_rate * np.array([large, 1 - large])
    blocked, busy = float(np.mean(offered / (1 + offered))), float(np.sum(offered / (1 + offered)))
    assert busy < 0.85 * system.arrival_rate * (1 - blocked), "work as counted in jobs must be off, or this shows nothing"
    found = run.controlled("blocking_probability")
    assert found == run["blocking_probability"]
    assert abs(found.value - blocked) < 3 * found.half_width  # six standard errors
    assert not [w for w in run.warnings if "steady state" in w]
    assert run.identities().identity.tolist()[-1] == "jobs = rate x E[T]"  # jobs balance whatever is known of them


def test_where_arrivals_have_a_rhythm_the_window_may_be_at_fault():
    system = jfsq.System(rates=[1.5, 0.5], load=0.8, places=3, arrivals={"law": "sinusoidal", "amplitude": 0.9, "period": 20_000.0})
    run = jfsq.simulate(
        system, jobs=5_000, warmup=50, replications=10, rng=3, workers=1, engine="process"
    )  # a quarter of the period
    (said,) = [w for w in run.warnings if "steady state" in w]
    assert "more or less comes in the window than in the long run" in said
