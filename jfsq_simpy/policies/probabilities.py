"""Where a job goes, as probabilities: a policy's law given how many servers are in each cell.

In    a Policy, its rank table, and counts of servers by (unit, level); a unit is a run of servers of
      equal speed with adjacent indices: one server, a speed class, or a part of one
Out   for each state and cell the probability that the job is sent to a server of that cell
Rule  nothing is subtracted: P(best rank asked = r) is a sum of positive terms, never a difference of
      tails, so a probability of 1e-30 has all its digits
Cost  O(states x cells x d), plain array code

A query of a new kind (a class chosen first, some servers from each class) is one more branch in
`cell_probabilities`; `first_of_picks` already holds what sampling needs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies.policy import Policy
from jfsq_simpy.policies.queries import AskAll, AskSample
from jfsq_simpy.rates import FloatArray

Counts = NDArray[np.integer[Any]]


def cell_probabilities(policy: Policy, ranks: Counts, speeds: FloatArray, counts: Counts) -> FloatArray:
    """The probability that a job is sent to each cell; level `places` means sent to a full server, so blocked.

    Parameters
    ----------
    policy : Policy
    ranks : int array (n_units, places + 1)              the rank table's row of each unit's speed
    speeds : float array (n_units,)                      jobs per unit time; only ties by rate read them
    counts : int array (n_states, n_units, places + 1)   servers of each unit holding 0 .. places jobs

    Returns float array like `counts`, each state summing to 1. Errors: ModelError for index ties that
    the counts cannot decide (one unit of several servers, two levels of equal rank).

    >>> from jfsq_simpy.policies.policy import shortest
    >>> two_of_three = Policy("jsq_d", shortest, query=AskSample(2))
    >>> cell_probabilities(two_of_three, np.array([[0, 1, 2]]), np.ones(1), np.array([[[1, 2, 0]]]))
    array([[[0.66666667, 0.33333333, 0.        ]]])
    """
    n_states, _, n_levels = counts.shape
    if policy.ties == "index":
        ranks = _index_breaks_ties(ranks, counts)
    by_rank = np.argsort(ranks, axis=None, kind="stable")
    rank_of, starts = _runs(ranks.ravel()[by_rank])
    servers = counts.reshape(n_states, -1)[:, by_rank].astype(np.float64)
    here = np.add.reduceat(servers, starts, axis=1)
    worse = np.cumsum(here[:, ::-1], axis=1)[:, ::-1] - here  # whole numbers: exact
    best = _best_rank(policy, here, worse)
    unit = by_rank // n_levels
    weight = servers * speeds[unit] if policy.ties == "rate" else servers
    total = np.add.reduceat(weight, starts, axis=1)
    share = weight / np.where(total > 0, total, 1.0)[:, rank_of]
    sent = best[:, rank_of] * share
    if policy.ties == "rate" and isinstance(policy.query, AskSample):
        _rate_ties_in_a_sample(policy.query, sent, servers, worse, rank_of, speeds[unit])
    out = np.empty_like(sent)
    out[:, by_rank] = sent
    return out.reshape(counts.shape)


def _index_breaks_ties(ranks: Counts, counts: Counts) -> Counts:
    """Ranks in which a lower unit goes before a higher one of the same rank: lowest index first."""
    n_units, n_levels = ranks.shape
    several = counts[:1].sum(axis=2).reshape(-1) > 1
    for u in np.flatnonzero(several).tolist():
        if np.unique(ranks[u]).size < n_levels:
            raise ModelError(
                "policy: ties by index between servers of one speed but different queue lengths depend on which server is which; "
                "counts do not say. Use uniform ties, or follow every server."
            )
    return np.asarray(ranks * n_units + np.arange(n_units)[:, None])


def _runs(values: Counts) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For sorted values: the number of each one's run of equals, and where runs start."""
    new = np.concatenate([[True], values[1:] != values[:-1]])
    return np.cumsum(new) - 1, np.flatnonzero(new)


def _best_rank(policy: Policy, here: FloatArray, worse: FloatArray) -> FloatArray:
    """P(the best rank among those asked is r), float array (n_states, n_ranks)."""
    query = policy.query
    if isinstance(query, AskAll):
        best = np.zeros(here.shape)
        np.put_along_axis(best, (here > 0).argmax(axis=1)[:, None], 1.0, axis=1)
        return best
    if isinstance(query, AskSample):
        n_servers = here.sum(axis=1, keepdims=True)
        gone = [0 if query.replace else i for i in range(query.d)]
        pools = [(np.maximum(here + worse - g, 0), np.maximum(worse - g, 0), n_servers - g) for g in gone]
        return first_of_picks(pools)
    raise ModelError(f"policy {policy.name!r}: no routing probabilities are known for the query {query!r}; use simulation.")


def first_of_picks(pools: Sequence[tuple[FloatArray, FloatArray, FloatArray]]) -> FloatArray:
    """P(no pick falls outside `at least r`, but not all fall in `worse than r`), without a subtraction.

    `pools` : for each pick in turn, given that those before it fell inside: servers left of rank r or
    worse, servers left worse than r, servers left in all. The result is prod(x/n) - prod(y/n), written
    as a sum over the pick at which the two products part.
    """
    total = np.zeros(np.broadcast_shapes(*(np.shape(a) for a in pools[0])))
    for i, (x, y, n) in enumerate(pools):
        term = (x - y) / n  # a difference of whole numbers is exact
        for x_before, _, n_before in pools[:i]:
            term = term * (x_before / n_before)
        for _, y_after, n_after in pools[i + 1 :]:
            term = term * (y_after / n_after)
        total += term
    return total


# ---- ties by rate among a sample -----------------------------------------------------------------------------


def _rate_ties_in_a_sample(
    query: AskSample, sent: FloatArray, servers: FloatArray, worse: FloatArray, rank_of: NDArray[np.intp], speed: FloatArray
) -> None:
    """Overwrite `sent` where servers of one rank differ in speed: who else was sampled then matters.

    Sums over how many servers of each tied speed the sample holds; at most C(speeds + d, d) terms.
    """
    n_servers = int(servers[0].sum())
    choose = np.array([[math.comb(n, j) for j in range(query.d + 1)] for n in range(n_servers + 1)], dtype=np.float64)
    for r in range(int(rank_of[-1]) + 1):
        cells = np.flatnonzero(rank_of == r)
        tied_speeds, which = np.unique(speed[cells], return_inverse=True)
        if tied_speeds.size == 1:
            continue
        tied = np.stack([servers[:, cells[which == t]].sum(axis=1) for t in range(tied_speeds.size)], axis=1).astype(np.int64)
        below = worse[:, r].astype(np.int64)
        share = np.zeros(tied.shape)
        for held in _compositions(tied_speeds.size, query.d):
            probability = _sample_holds(query, sum(held), below, n_servers, choose)
            for t, j in enumerate(held):
                probability = probability * choose[tied[:, t], j]
            weight = np.array(held) * tied_speeds
            share += probability[:, None] * (weight / weight.sum())
        per_server = share / np.maximum(tied, 1)
        sent[:, cells] = servers[:, cells] * per_server[:, which]


def _compositions(parts: int, most: int) -> Iterator[tuple[int, ...]]:
    """Every way to hold 1 .. most things in so many parts."""
    return (held for held in itertools.product(range(most + 1), repeat=parts) if 1 <= sum(held) <= most)


def _sample_holds(query: AskSample, j: int, below: NDArray[np.int64], n_servers: int, choose: FloatArray) -> FloatArray:
    """P(the sample is j given servers and otherwise servers of a worse rank), of which there are `below`."""
    if not query.replace:
        return np.asarray(choose[below, query.d - j] / choose[n_servers, query.d])
    total = np.zeros(below.shape)
    for k in range(j, query.d + 1):  # k of the d picks fall on the j servers, and hit each of them
        onto = math.factorial(j) * _stirling(k, j)
        total += math.comb(query.d, k) * onto * below.astype(np.float64) ** (query.d - k)
    return total / float(n_servers) ** query.d


def _stirling(n: int, k: int) -> int:
    """Ways to part n things into k heaps, none empty."""
    if n == k:
        return 1
    return 0 if k == 0 or k > n else k * _stirling(n - 1, k) + _stirling(n - 1, k - 1)
