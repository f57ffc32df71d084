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
    assert what_is_off(balances(wrong))


def test_one_unit_has_no_noise_to_judge_by():
    single = run(horizon=50, warmup=10, replications=[0], batches=1)
    assert np.isnan(single.identities().z).all()
    assert single.identities().holds.all()
