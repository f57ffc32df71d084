"""Idle servers before a cut inside a class follow the policy's law, whatever index the chain takes."""

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import System, rates
from jfsq_simpy.chain import jump, lockstep
from jfsq_simpy.chain.exchange import cuts_of, overlap
from jfsq_simpy.chain.shares import by_group
from jfsq_simpy.draws import Seed
from jfsq_simpy.tally import Observables, Window, groups_of

FALSE_ALARM = 1e-6


@pytest.mark.parametrize(("n", "marked", "drawn"), [(10, 4, 3), (10, 7, 6), (50, 5, 40), (50, 45, 30), (7, 7, 3), (7, 0, 3)])
def test_the_overlap_is_hypergeometric(n, marked, drawn):
    size = 20_000
    seeds = np.random.default_rng(n + marked).integers(0, 2**64, size, dtype=np.uint64)
    seen = np.bincount(overlap(n, marked, np.full(size, drawn), seeds), minlength=n + 1)
    expected = stats.hypergeom(n, marked, drawn).pmf(np.arange(n + 1)) * size
    assert np.all(seen[expected == 0] == 0)
    usual = expected > 5
    if usual.sum() > 1:
        assert stats.chisquare(seen[usual], expected[usual] * seen[usual].sum() / expected[usual].sum()).pvalue > FALSE_ALARM


def test_no_cut_where_no_class_is_cut():
    observe = Observables(idle_tails=((2, 1.0), (5, 1.0), (9, 1.0), (0, 1.0)))
    uniform = System(rates.classes([5, 4], [2.0, 1.0]), load=0.5, places=1)
    indexed = System(uniform.rates, load=0.5, places=1, policy={"name": "jfsq", "ties": "index"})
    cuts = cuts_of(uniform, observe)
    assert (cuts.begin.tolist(), cuts.end.tolist()) == ([0, 5, 9, 0], [5, 5, 9, 0])
    assert cuts_of(indexed, observe).begin.tolist() == [2, 5, 9, 0]


def idle_among_first_five(ties, seed, replications=40):
    """Mean idle servers among the first five of six, from the counts of "at least t are idle", by replication."""
    system = System(rates.homogeneous(6), load=0.9, places=2, policy={"name": "jfsq", "ties": ties})
    observe = Observables(idle_tails=tuple((5, float(t)) for t in range(1, 6)))
    outcomes = lockstep.run(system, Seed.of(seed), range(replications), Window(20.0, 800.0), observe=observe)
    return np.array([o.tallies[0].idle_tails.sum() / o.tallies[0].snapshots for o in outcomes])


@pytest.mark.parametrize(("ties", "exact"), [("uniform", 0.84002158), ("index", 0.70514232)])
def test_ties_decide_which_servers_are_idle(ties, exact):
    seen = idle_among_first_five(ties, seed=11)
    allowed = stats.t.ppf(1 - FALSE_ALARM / 2, seen.size - 1) * seen.std(ddof=1) / np.sqrt(seen.size)
    assert abs(seen.mean() - exact) <= allowed
    assert allowed < 0.06  # the two laws are 0.135 apart


@pytest.mark.skipif(jump.numba is None, reason="Numba is not installed")
@pytest.mark.parametrize("form", ["servers", "classes"])
def test_compiled_counts_are_the_same(form):
    system = System(rates.classes([300, 200], [2.0, 1.0]), load=0.8, places=2)
    observe = Observables(idle_tails=((100, 1.0), (299, 5.0), (301, 3.0), (400, 60.0)))
    run = {"observe": observe, "form": form}
    (abreast,) = lockstep.run(system, Seed.of(1), [0], Window(1.0, 4.0, 2), **run)
    compiled = jump.run(system, Seed.of(1), 0, Window(1.0, 4.0, 2), **run)
    assert compiled.tallies == abreast.tallies
    assert all(t.idle_tails[-1] > 0 for t in compiled.tallies)


def test_shares_of_a_class_are_by_size_and_lose_nothing():
    system = System(rates.classes([10**9, 7], [1.0, 3.0]), load=0.9, places=2)
    groups = groups_of(system)
    counts = np.array([[3, 4, 0], [10**15, 2 * 10**12, 1]])
    shared = by_group(counts, system.rates, groups)
    assert np.array_equal(shared.sum(axis=0), counts.sum(axis=0))
    inside = groups.speed_class == 1
    assert shared.min() >= 0
    assert np.allclose(shared[inside, 0], groups.sizes[inside] * 10**6, atol=1)


def test_each_group_holds_its_servers_at_every_snapshot():
    system = System(rates.classes([7, 6], [2.0, 1.0]), load=0.8, places=3)
    observe = Observables(idle_tails=((2, 1.0), (9, 1.0), (12, 1.0)))
    groups = groups_of(system, observe)
    for form in ("servers", "classes"):
        for outcome in lockstep.run(system, Seed.of(1), range(4), Window(1.0, 3.7, 3), observe=observe, form=form):
            for tally in outcome.tallies:
                assert np.array_equal(tally.levels.sum(axis=1), tally.snapshots * groups.sizes)
                assert tally.levels.min() >= 0
