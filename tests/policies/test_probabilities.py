"""Routing probabilities against the rule itself, `policy.choose_among`, run over every sample and every uniform number."""

import itertools
import math

import numpy as np
import pytest

from jfsq_simpy import rates
from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies import AskAll, AskSample, Policy, Sight, as_policy
from jfsq_simpy.policies.policy import choose_among, shortest
from jfsq_simpy.policies.probabilities import cell_probabilities

CASES = 12


def every_sample(query, n):
    """Uniform numbers in the middle of every equally likely outcome of asking."""
    if isinstance(query, AskAll):
        return [()]
    left = [n if query.replace else n - i for i in range(query.d)]
    return itertools.product(*([(k + 0.5) / m for k in range(m)] for m in left))


def by_running_the_rule(policy, ranks, speeds, sizes, levels):
    """float array (n_units, n_levels): how often `choose_among` picks each cell; exact, as no outcome's edge is on the grid.

    Tied servers split [0, 1) at fractions whose denominators are at most their number, or (speeds being
    whole numbers) the sum of their speeds.
    """
    unit = np.repeat(np.arange(sizes.size), sizes)
    server_ranks, fleet = ranks[unit, levels], rates.from_speeds(speeds[unit])
    fine = math.lcm(*range(1, int(speeds[unit].sum() if policy.ties == "rate" else unit.size) + 1))
    samples = [np.array(s) for s in every_sample(policy.query, unit.size)]
    share = np.zeros(ranks.shape)
    for sample in samples:
        for u in (np.arange(fine) + 0.5) / fine:
            n = choose_among(policy, server_ranks.__getitem__, Sight.of(fleet, ranks.shape[1] - 1, levels, u=u, samples=sample))
            share[unit[n], levels[n]] += 1 / (fine * len(samples))
    return share


def random_case(rng, ties, query):
    """Units, a rank table (from a few ranks, so that many cells tie) and the level of every server."""
    n = 3 if ties == "rate" else int(rng.integers(3, 5))
    sizes = np.bincount(np.sort(rng.integers(0, n, n)), minlength=1)
    sizes = sizes[sizes > 0]
    speeds = np.sort(rng.permutation(n)[: sizes.size] + 1)[::-1]
    n_levels = int(rng.integers(2, 4))
    ranks = rng.integers(0, 2, (sizes.size, n_levels))
    if ties == "index":  # counts decide only when a unit's levels differ in rank
        ranks = np.stack([rng.permutation(n_levels) for _ in sizes])
    return sizes, speeds, ranks, rng.integers(0, n_levels, n)


QUERIES = [AskAll(), AskSample(1), AskSample(2), AskSample(3), AskSample(2, replace=True), AskSample(3, replace=True)]


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("ties", ["uniform", "index", "rate"])
def test_probabilities_are_those_of_the_rule(ties, query):
    rng = np.random.default_rng([len(ties), query.samples, getattr(query, "replace", 0)])
    policy = Policy("any", shortest, query=query, ties=ties)
    for _ in range(CASES):
        sizes, speeds, ranks, levels = random_case(rng, ties, query)
        counts = np.zeros((1, *ranks.shape), dtype=int)
        np.add.at(counts[0], (np.repeat(np.arange(sizes.size), sizes), levels), 1)
        found = cell_probabilities(policy, ranks, speeds.astype(float), counts)[0]
        np.testing.assert_allclose(found, by_running_the_rule(policy, ranks, speeds, sizes, levels), atol=1e-12)


def test_every_state_sums_to_one_and_empty_cells_get_nothing():
    rng = np.random.default_rng(1)
    counts = rng.multinomial(7, np.ones(4) / 4, size=(50, 3))
    ranks = rng.integers(0, 5, (3, 4))
    for ties, query in itertools.product(["uniform", "rate"], QUERIES):
        p = cell_probabilities(Policy("any", shortest, query=query, ties=ties), ranks, np.array([3.0, 2.0, 1.0]), counts)
        np.testing.assert_allclose(p.sum(axis=(1, 2)), 1.0, rtol=1e-13)
        assert (p[counts == 0] == 0).all()


def test_rare_outcomes_keep_their_digits():
    """One idle server among 10^5, twelve sampled: all miss or one hits; and all twelve of a sample hit the only twelve."""
    n, d = 100_000, 12
    counts = np.array([[[d, n - d]], [[n - d, d]]])
    p = cell_probabilities(Policy("jsq_d", shortest, query=AskSample(d)), np.array([[0, 1]]), np.ones(1), counts)
    exact = 1 / math.comb(n, d)  # about 1e-52
    assert p[1, 0, 1] == pytest.approx(exact, rel=1e-12)
    again = cell_probabilities(Policy("jsq_d", shortest, query=AskSample(d, replace=True)), np.array([[0, 1]]), np.ones(1), counts)
    assert again[1, 0, 1] == pytest.approx((d / n) ** d, rel=1e-12)


def test_two_of_two_with_replacement_finds_the_shorter_with_three_quarters():
    p = cell_probabilities(
        Policy("jsq_d", shortest, query=AskSample(2, replace=True)), np.array([[0, 1]]), np.ones(1), np.array([[[1, 1]]])
    )
    np.testing.assert_allclose(p, [[[0.75, 0.25]]])


def test_index_ties_that_counts_cannot_decide_are_refused():
    policy = Policy("random", lambda q, mu: 0 * q, ties="index", full_last=False)
    with pytest.raises(ModelError, match="which server is which"):
        cell_probabilities(policy, np.array([[0, 0]]), np.ones(1), np.array([[[1, 1]]]))


def test_a_query_nobody_has_worked_out_is_refused():
    with pytest.raises(ModelError, match=r"'round_robin'.*no routing probabilities"):
        cell_probabilities(as_policy("round_robin"), np.array([[0, 1]]), np.ones(1), np.array([[[1, 1]]]))
