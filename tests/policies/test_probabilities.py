"""Routing probabilities against the rule itself, `policy.choose_among`, run over every sample and every uniform number."""

import itertools
import math

import numpy as np
import pytest

from jfsq_simpy import rates
from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies import AskAll, AskClass, AskEachClass, AskFastSlow, AskSample, IdleFirst, Policy, Sight, as_policy
from jfsq_simpy.policies.policy import choose_among, shortest
from jfsq_simpy.policies.probabilities import cell_probabilities

CASES = 12


def every_sample(query, sizes):
    """(uniform numbers, probability): the middle of every outcome of asking units of such sizes, each a speed class."""
    if isinstance(query, AskAll):
        return [((), 1.0)]
    if isinstance(query, IdleFirst):
        return every_sample(query.then, sizes)
    if isinstance(query, AskClass):
        first = zip(np.cumsum(query.probabilities) - np.array(query.probabilities) / 2, query.probabilities, sizes, strict=True)
        return [((u, *s), p * q) for u, p, n in first if p for s, q in draws(n, query.d or 0)]
    if isinstance(query, AskFastSlow):
        edges = sorted({0.0, query.p_slow, 1 - query.p_fast, 1.0})  # the coin falls on one side or the other of each
        coins = [((low + high) / 2, high - low) for low, high in itertools.pairwise(edges)]
        rest = every_sample(AskEachClass(query.d), sizes)
        return [((coin, *s), p * q) for coin, p in coins for s, q in rest]
    if isinstance(query, AskEachClass):
        parts = itertools.product(*(draws(n, d) for n, d in zip(sizes, query.d, strict=True)))
        return [(tuple(x for s, _ in part for x in s), math.prod(q for _, q in part)) for part in parts]
    return draws(sum(sizes), query.d, query.replace)


def draws(n, d, replace=False):
    """The middle of every equally likely outcome of d draws from n, with its probability."""
    left = [n if replace else n - i for i in range(d)]
    grid = [tuple(point) for point in itertools.product(*([(k + 0.5) / m for k in range(m)] for m in left))]
    return [(point, 1 / len(grid)) for point in grid]


def by_running_the_rule(policy, ranks, speeds, sizes, levels):
    """float array (n_units, n_levels): how often `choose_among` picks each cell; exact, as no outcome's edge is on the grid.

    Tied servers split [0, 1) at fractions whose denominators are at most their number, or (speeds being
    whole numbers) the sum of their speeds.
    """
    unit = np.repeat(np.arange(sizes.size), sizes)
    server_ranks, fleet = ranks[unit, levels], rates.from_speeds(speeds[unit])
    fine = math.lcm(*range(1, int(speeds[unit].sum() if policy.ties == "rate" else unit.size) + 1))
    share = np.zeros(ranks.shape)
    for sample, probability in every_sample(policy.query, sizes.tolist()):
        for u in (np.arange(fine) + 0.5) / fine:
            n = choose_among(policy, server_ranks.__getitem__, Sight.of(fleet, ranks.shape[1] - 1, levels, u=u, samples=sample))
            share[unit[n], levels[n]] += probability / fine
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


def by_class(name, sizes, rng):
    """Queries that need to know the speed classes."""
    if name == "idle first":
        return IdleFirst(AskSample(int(rng.integers(1, sizes.sum() + 1)), replace=bool(rng.random() < 0.5)))
    if name == "each class":
        d = rng.integers(0, sizes + 1)
        return AskEachClass(tuple((d if d.any() else sizes).tolist()))
    p = rng.multinomial(4, np.ones(sizes.size) / sizes.size) / 4
    return AskClass(tuple(p.tolist()), None if name == "class" else int(rng.integers(1, sizes.min() + 1)))


@pytest.mark.parametrize("ties", ["uniform", "index", "rate"])
def test_probabilities_of_fast_and_slow_servers_polled(ties):
    rng = np.random.default_rng(len(ties))
    for sizes in (np.array([1, 2]), np.array([2, 1]), np.array([2, 2]))[: 2 if ties == "rate" else 3]:
        speeds = np.array([2, 1])
        for _ in range(CASES):
            n_levels = int(rng.integers(2, 4))
            ranks = np.stack([rng.permutation(n_levels) for _ in sizes]) + n_levels * (np.arange(n_levels) > 0)
            levels = rng.integers(0, n_levels, sizes.sum())
            d = tuple(int(rng.integers(1, n + 1)) for n in sizes)
            policy = Policy("any", shortest, AskFastSlow(d, *rng.choice([0.0, 0.3, 0.5, 1.0], 2).tolist()), ties=ties)
            counts = np.zeros((1, *ranks.shape), dtype=int)
            np.add.at(counts[0], (np.repeat(np.arange(2), sizes), levels), 1)
            found = cell_probabilities(policy, ranks, speeds.astype(float), counts)[0]
            np.testing.assert_allclose(found, by_running_the_rule(policy, ranks, speeds, sizes, levels), atol=1e-12)


@pytest.mark.parametrize("name", ["class", "class and sample", "each class", "idle first"])
@pytest.mark.parametrize("ties", ["uniform", "index", "rate"])
def test_probabilities_of_what_looks_at_classes_or_at_the_idle_first(ties, name):
    rng = np.random.default_rng([len(ties), len(name)])
    for _ in range(2 * CASES):
        sizes, speeds, ranks, levels = random_case(rng, ties, None)
        if name == "idle first":  # as its rank table has it
            ranks = ranks + 2 * ranks.size * (np.arange(ranks.shape[1]) > 0)
        policy = Policy("any", shortest, query=by_class(name, sizes, rng), ties=ties)
        counts = np.zeros((1, *ranks.shape), dtype=int)
        np.add.at(counts[0], (np.repeat(np.arange(sizes.size), sizes), levels), 1)
        found = cell_probabilities(policy, ranks, speeds.astype(float), counts)[0]
        np.testing.assert_allclose(found, by_running_the_rule(policy, ranks, speeds, sizes, levels), atol=1e-12)


def test_a_class_told_apart_server_by_server_is_still_one_class():
    """Two servers of a class as two units: the class is drawn, and sampled, as a whole."""
    ranks, counts = np.array([[0, 1]]), np.array([[[1, 1]], [[2, 0]], [[0, 2]]])
    apart = np.array([[[1, 0], [0, 1]], [[1, 0], [1, 0]], [[0, 1], [0, 1]]])
    for query in (AskClass((1.0,), 1), AskClass((1.0,)), AskEachClass((2,)), AskEachClass((1,))):
        policy = Policy("any", shortest, query=query)
        together = cell_probabilities(policy, ranks, np.ones(1), counts)
        one_by_one = cell_probabilities(policy, np.repeat(ranks, 2, axis=0), np.ones(2), apart)
        np.testing.assert_allclose(one_by_one.sum(axis=1, keepdims=True), together, atol=1e-15)


def test_every_state_sums_to_one_and_empty_cells_get_nothing():
    rng = np.random.default_rng(1)
    counts = rng.multinomial(7, np.ones(4) / 4, size=(50, 3))
    ranks = rng.integers(0, 5, (3, 4))
    queries = [*QUERIES, AskClass((0.5, 0.2, 0.3)), AskClass((0.5, 0.2, 0.3), 3), AskEachClass((2, 0, 3)), IdleFirst(AskSample(2))]
    for ties, query in itertools.product(["uniform", "rate"], queries):
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
    with pytest.raises(ModelError, match=r"'round_robin'.*no routing probabilities are known; simulate"):
        cell_probabilities(as_policy("round_robin"), np.array([[0, 1]]), np.ones(1), np.array([[[1, 1]]]))
