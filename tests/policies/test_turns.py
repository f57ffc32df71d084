"""Turns: by their definition, alone or in blocks, in proportion to speed."""

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jfsq_simpy import System, rates
from jfsq_simpy.draws import BLOCK, JobDraws, Seed
from jfsq_simpy.policies import InTurn
from jfsq_simpy.policies.turns import weighted_turns

speeds = st.lists(st.floats(0.05, 20), min_size=1, max_size=12)


def by_deadlines(mu, n):
    """The same turns from a queue of deadlines, as a balancer keeps it: earliest first, then lower index."""
    queue = [(0.5 / m, k, 0) for k, m in enumerate(mu.tolist())]
    heapq.heapify(queue)
    taken = []
    for _ in range(n):
        _, k, i = heapq.heappop(queue)
        taken.append(k)
        heapq.heappush(queue, ((i + 1.5) / mu[k], k, i + 1))
    return taken


@given(speeds, st.integers(0, 300), st.integers(1, 200))
def test_turns_are_those_of_a_queue_of_deadlines(x, first, n):
    mu = rates.from_speeds(x).vector()
    assert weighted_turns(mu, first, n).tolist() == by_deadlines(mu, first + n)[first:]


@given(speeds, st.integers(0, 10**9), st.integers(1, 300), st.integers(1, 299))
def test_any_block_can_be_computed_alone(x, first, n, cut):
    mu, cut = rates.from_speeds(x).vector(), min(cut, n)
    whole = weighted_turns(mu, first, n)
    parts = [weighted_turns(mu, first, cut), weighted_turns(mu, first + cut, n - cut)]
    assert np.array_equal(whole, np.concatenate(parts))


@given(st.integers(1, 12), st.integers(0, 10**6))
def test_equal_servers_go_round(n_servers, first):
    fleet = rates.homogeneous(n_servers)
    expected = np.arange(first, first + 50) % n_servers
    assert np.array_equal(InTurn(weighted=True).turns(fleet, first, 50), expected)
    assert np.array_equal(InTurn(weighted=False).turns(fleet, first, 50), expected)


@given(speeds)
def test_shares_are_proportional_to_speed(x):
    """By turn k a server has had mu_n k / N turns, to within (1 + mu_n) / 2.

    By time T it has had mu_n T to within 1/2, and all together have had N T to within N / 2.
    """
    fleet = rates.from_speeds(x)
    mu, n_jobs = fleet.vector(), 2000
    turns = weighted_turns(mu, 0, n_jobs)
    had = np.cumsum(turns[:, None] == np.arange(mu.size), axis=0)
    due = np.arange(1, n_jobs + 1)[:, None] * (mu / mu.size)
    assert np.all(np.abs(had - due) <= (1 + mu) / 2 + 1e-9)


@pytest.mark.parametrize("fleet", [rates.two_speed(4, ratio=3), rates.linear(10, ratio=4), rates.as_rates([1.5, 0.5])], ids=repr)
def test_shares_are_within_one_job_where_no_server_is_very_fast(fleet):
    mu = fleet.vector()
    had = np.cumsum(weighted_turns(mu, 0, 5000)[:, None] == np.arange(mu.size), axis=0)
    due = np.arange(1, 5001)[:, None] * (mu / mu.size)
    assert np.abs(had - due).max() <= 1.0


def test_by_hand():
    # 3 : 1. Turns at 1/3, 1, 5/3, 7/3, ... and at 1, 3, ...; at times 1 and 3 both have one, and the faster goes first
    assert weighted_turns(np.array([1.5, 0.5]), 0, 8).tolist() == [0, 0, 1, 0, 0, 0, 1, 0]


def test_turns_are_a_function_of_the_job_number_alone():
    """Blocked jobs and warm-up count; block j of a replication begins with turn 65,536 j, whatever the seed."""
    system = System(rates.linear(7, ratio=3), load=0.9, places=2, policy="weighted_round_robin")
    blocks = JobDraws(system, Seed.of(3), 5).blocks()
    first, second = next(blocks), next(blocks)
    assert np.array_equal(np.concatenate([first.turns, second.turns]), weighted_turns(system.rates.vector(), 0, 2 * BLOCK))
    assert next(JobDraws(system.replaced(policy="jsq"), Seed.of(3), 5).blocks()).turns.size == 0
