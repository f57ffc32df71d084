"""One law, found in several ways: every server followed or classes counted, eliminated or swept."""

import numpy as np
import pytest

from jfsq_simpy import System, exact, rates
from jfsq_simpy.errors import TooLargeError
from jfsq_simpy.exact import elimination, generator, states, sweeps
from jfsq_simpy.identities import identities
from jfsq_simpy.policies import Sight
from jfsq_simpy.policies.policy import choose_among
from tests.exact.cases import POLICIES, random_system

PER_POLICY = 4


@pytest.mark.parametrize("name", POLICIES)
def test_counting_classes_loses_nothing(name):
    rng = np.random.default_rng(sorted(POLICIES).index(name))
    for _ in range(PER_POLICY):
        system = random_system(rng, POLICIES[name])
        full, lumped = exact.solve(system, form="servers"), exact.solve(system, form="classes")
        assert lumped.n_states <= full.n_states
        for metric, value in lumped.metrics().items():
            assert full[metric] == pytest.approx(value, rel=1e-11), metric
        np.testing.assert_allclose(full.jobs_distribution, lumped.jobs_distribution, rtol=1e-11)
        classes = system.rates.class_of_server()
        summed = np.stack([full.levels[:, classes == c].sum(axis=1) for c in range(system.rates.n_classes)], axis=1)
        np.testing.assert_allclose(law_of(summed, full.probabilities), law_of(lumped.levels, lumped.probabilities), rtol=1e-11)


def law_of(counts, probabilities):
    """Probabilities of distinct counts, in their order."""
    distinct, which = np.unique(counts.reshape(len(counts), -1), axis=0, return_inverse=True)
    assert distinct.size
    return np.bincount(which.ravel(), probabilities)


@pytest.mark.parametrize("name", POLICIES)
def test_sweeps_agree_with_elimination_in_every_state(name):
    rng = np.random.default_rng(100 + sorted(POLICIES).index(name))
    for _ in range(PER_POLICY):
        system = random_system(rng, POLICIES[name])
        chain = generator.chain_of(system, states.units_of(system.rates))
        swept, facts = sweeps.stationary(chain)
        np.testing.assert_allclose(swept, elimination.stationary(chain), rtol=max(1e-12, 10 * facts["relative_error"]))


@pytest.mark.parametrize("name", POLICIES)
def test_identities_that_hold_for_any_policy_hold(name):
    rng = np.random.default_rng(200 + sorted(POLICIES).index(name))
    for _ in range(PER_POLICY):
        law = exact.solve(random_system(rng, POLICIES[name]))
        assert [i for i in identities(law.averages) if not i.holds] == []


@pytest.mark.parametrize("name", POLICIES)
def test_transitions_are_those_of_the_rule(name):
    """The full chain of three servers, its arrivals rebuilt by running `route` over fine grids of what a job draws."""
    policy = POLICIES[name]
    system = System(np.array([1.5, 1.0, 0.5]), load=0.9, places=2, policy=policy)
    law = exact.solve(system, form="servers")
    rank = policy.rank_table(system.rates, 2)
    u_grid = (np.arange(60) + 0.5) / 60  # ties among these three split [0, 1) in 60ths, by count or by rate
    picks = [(i, j) for i in range(3) for j in range(3 if getattr(policy.query, "replace", 0) else 2)]
    samples = [np.array([(i + 0.5) / 3, (j + 0.5) / (3 if getattr(policy.query, "replace", 0) else 2)]) for i, j in picks]
    inflow = {tuple(q): 0.0 for q in law.queue_lengths.tolist()}
    outflow = dict(inflow)
    for q, p in zip(law.queue_lengths.tolist(), law.probabilities.tolist(), strict=True):
        grid = [(u, s) for u in u_grid for s in (samples if policy.samples else [np.array([])])]
        for u, s in grid:
            sight = Sight.of(system.rates, 2, q, u=u, samples=s)
            n = choose_among(policy, rank[np.arange(3), q].__getitem__, sight)
            if q[n] < 2:
                share = p * system.arrival_rate / len(grid)
                inflow[(*q[:n], q[n] + 1, *q[n + 1 :])] += share
                outflow[tuple(q)] += share
        for n in range(3):
            if q[n]:
                inflow[(*q[:n], q[n] - 1, *q[n + 1 :])] += p * system.rates.speeds[n]
                outflow[tuple(q)] += p * system.rates.speeds[n]
    np.testing.assert_allclose(list(inflow.values()), list(outflow.values()), rtol=1e-11)


def test_states_never_visited_are_left_out():
    """Smallest (q + 1) / mu over all servers, full or not, never uses a very slow one."""
    law = exact.solve(System(np.array([1.5, 1.0, 0.5]), load=0.9, places=2, policy=POLICIES["sed_all"]))
    assert law.n_states == 6
    assert law.utilisation_by_server()[2] == 0


def test_a_large_chain_is_swept_and_agrees_with_the_excursions():
    system = System(rates.homogeneous(70), alpha=0.25, places=2)
    special, general = exact.solve(system), exact.solve(system, method="sweeps")
    assert (special.method, general.method) == ("excursions", "sweeps")
    for metric, value in special.metrics().items():
        assert general[metric] == pytest.approx(value, rel=1e-11), metric
    np.testing.assert_allclose(
        law_of(special.levels, special.probabilities), law_of(general.levels, general.probabilities), rtol=1e-10
    )


def test_stiff_chains_are_refused_by_sweeps_and_eliminated_by_choice():
    system = System(rates.two_speed(10, 1e8), load=0.9, places=3, policy=POLICIES["sed"])
    with pytest.raises(TooLargeError, match="does not settle"):
        exact.solve(system, method="sweeps")
    law = exact.solve(system)
    assert law.method == "elimination"
    assert [i for i in identities(law.averages) if not i.holds] == []
