"""Where a job goes, as probabilities: a policy's law given how many servers are in each cell.

In    a Policy, its rank table, and counts of servers by (unit, level); a unit is a run of servers of
      equal speed with adjacent indices: one server, a speed class, or a part of one
Out   for each state and cell the probability that the job is sent to a server of that cell
Rule  nothing is subtracted: P(best rank asked = r) is a sum of positive terms, never a difference of
      tails, so a probability of 1e-30 has all its digits
Cost  O(states x cells x d), plain array code; with d_k servers of each class O(states x cells x product of d_k + 1)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies.class_queries import AskClass, AskEachClass, AskFastSlow
from jfsq_simpy.policies.policy import Policy
from jfsq_simpy.policies.queries import AskAll, AskSample, IdleFirst
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
    if isinstance(policy.query, AskClass):
        return _class_first(policy, ranks, speeds, counts, policy.query)
    if isinstance(policy.query, AskFastSlow):
        return _fast_or_slow(policy, ranks, speeds, counts, policy.query)
    if isinstance(policy.query, IdleFirst):
        return _idle_first(policy, ranks, speeds, counts, policy.query)
    n_states, _, n_levels = counts.shape
    if policy.ties == "index":
        ranks = _index_breaks_ties(ranks, counts)
    by_rank = np.argsort(ranks, axis=None, kind="stable")
    rank_of, starts = _runs(ranks.ravel()[by_rank])
    servers = counts.reshape(n_states, -1)[:, by_rank].astype(np.float64)
    here = np.add.reduceat(servers, starts, axis=1)
    worse = np.cumsum(here[:, ::-1], axis=1)[:, ::-1] - here  # whole numbers: exact
    unit = by_rank // n_levels
    if isinstance(policy.query, AskEachClass):
        sent = _from_each_class(policy, servers, _class_of(speeds)[unit], rank_of, speeds[unit])
    else:
        sent = _alike(policy, servers, here, worse, rank_of, starts, speeds[unit])
    out = np.empty_like(sent)
    out[:, by_rank] = sent
    return out.reshape(counts.shape)


def _alike(
    policy: Policy,
    servers: FloatArray,
    here: FloatArray,
    worse: FloatArray,
    rank_of: NDArray[np.intp],
    starts: NDArray[np.intp],
    speed: FloatArray,
) -> FloatArray:
    """Where all servers are as likely to be asked: the best rank's probability, shared by those who have it."""
    best = _best_rank(policy, here, worse)
    weight = servers * speed if policy.ties == "rate" else servers
    total = np.add.reduceat(weight, starts, axis=1)
    share = weight / np.where(total > 0, total, 1.0)[:, rank_of]
    sent: FloatArray = best[:, rank_of] * share
    if policy.ties == "rate" and isinstance(policy.query, AskSample):
        _rate_ties_in_a_sample(policy.query, sent, servers, worse, rank_of, speed)
    return sent


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
    raise ModelError(
        f"policy {policy.name!r}: queue lengths alone do not say where a job goes, so no routing probabilities are known; "
        "simulate it."
    )


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


# ---- a class first, the idle first, some of each class -----------------------------------------------------------


def _class_of(speeds: FloatArray) -> NDArray[np.intp]:
    """The speed class of each unit, fastest first."""
    return np.unique(-speeds, return_inverse=True)[1]


def _class_first(policy: Policy, ranks: Counts, speeds: FloatArray, counts: Counts, query: AskClass) -> FloatArray:
    """Inside the class drawn the policy is one that asks all of it, or a sample."""
    inside = replace(policy, query=AskAll() if query.d is None else AskSample(query.d))
    sent, classes = np.zeros(counts.shape), _class_of(speeds)
    for k, probability in enumerate(query.probabilities):
        if probability > 0:
            these = np.flatnonzero(classes == k)
            sent[:, these] = probability * cell_probabilities(inside, ranks[these], speeds[these], counts[:, these])
    return sent


def _fast_or_slow(policy: Policy, ranks: Counts, speeds: FloatArray, counts: Counts, query: AskFastSlow) -> FloatArray:
    """Each class samples by itself; whether the samples hold an idle server, and the coin, decide between them.

    The rank table puts idle servers ahead, so a class's job goes to an idle server when its sample has one.
    """
    sent, classes = np.zeros(counts.shape), _class_of(speeds)
    for k, d in enumerate(query.d):
        these = np.flatnonzero(classes == k)
        inside = replace(policy, query=AskSample(d))
        sent[:, these] = cell_probabilities(inside, ranks[these], speeds[these], counts[:, these])
    fast, slow = classes == 0, classes == 1
    no_fast_idle, slow_idle, no_slow_idle = (
        sent[:, which, some].sum(axis=(1, 2))[:, None, None]
        for which, some in ((fast, slice(1, None)), (slow, slice(0, 1)), (slow, slice(1, None)))
    )
    sent[:, fast, 1:] *= slow_idle * (1 - query.p_slow) + no_slow_idle * query.p_fast
    sent[:, slow, :1] *= no_fast_idle * query.p_slow
    sent[:, slow, 1:] *= no_fast_idle * (1 - query.p_fast)
    return sent


def _idle_first(policy: Policy, ranks: Counts, speeds: FloatArray, counts: Counts, query: IdleFirst) -> FloatArray:
    """Where somebody is idle only the idle are there to be asked; elsewhere `then`."""
    sent, someone = np.zeros(counts.shape), counts[:, :, 0].sum(axis=1) > 0
    idle = counts[someone].copy()
    idle[:, :, 1:] = 0
    if someone.any():
        sent[someone] = cell_probabilities(replace(policy, query=AskAll()), ranks, speeds, idle)
    if not someone.all():
        sent[~someone] = cell_probabilities(replace(policy, query=query.then), ranks, speeds, counts[~someone])
    return sent


def _from_each_class(
    policy: Policy, servers: FloatArray, cell_class: NDArray[np.intp], rank_of: NDArray[np.intp], speed: FloatArray
) -> FloatArray:
    """P(sent to each cell), summed over how many of the servers of the best rank are asked in each class.

    All arrays are by cell, in order of rank. Samples of different classes are independent, and of a
    class's tied servers each is as likely to be in its sample.
    """
    query = policy.query
    assert isinstance(query, AskEachClass)
    whole = servers.astype(np.int64)
    sent, n_classes = np.zeros(servers.shape), len(query.d)
    choose = np.array(
        [[math.comb(n, j) for j in range(max(query.d) + 1)] for n in range(int(whole[0].sum()) + 1)], dtype=np.float64
    )
    in_class = [cell_class == k for k in range(n_classes)]
    weight = np.array([speed[c][0] if policy.ties == "rate" else 1.0 for c in in_class])
    for r in range(int(rank_of[-1]) + 1):
        tied = [whole[:, c & (rank_of == r)].sum(axis=1) for c in in_class]
        worse = [whole[:, c & (rank_of > r)].sum(axis=1) for c in in_class]
        share = np.zeros((n_classes, servers.shape[0]))
        for held in itertools.product(*(range(d + 1) for d in query.d)):
            if not any(held):
                continue
            probability = np.ones(servers.shape[0])
            for k, (j, d) in enumerate(zip(held, query.d, strict=True)):
                n = int(whole[0, in_class[k]].sum())
                probability = probability * choose[tied[k], j] * choose[worse[k], d - j] / choose[n, d]
            share += probability * (np.array(held) * weight / (np.array(held) @ weight))[:, None]
        for k in range(n_classes):
            cells = np.flatnonzero(in_class[k] & (rank_of == r))
            sent[:, cells] = servers[:, cells] * (share[k] / np.maximum(tied[k], 1))[:, None]
    return sent


# ---- ties by rate among a sample -----------------------------------------------------------------------------


def _rate_ties_in_a_sample(
    query: AskSample, sent: FloatArray, servers: FloatArray, worse: FloatArray, rank_of: NDArray[np.intp], speed: FloatArray
) -> None:
    """Overwrite `sent` where servers of one rank differ in speed: who else was sampled then matters.

    Sums over how many servers of each tied speed the sample holds; at most C(speeds + d, d) terms.
    """
    n_servers = int(servers[0].sum())
    choose = _binomials(n_servers, query.d)
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


def _binomials(n_most: int, k_most: int) -> FloatArray:
    """n over k for all n and k up to these, float array."""
    return np.array([[math.comb(n, k) for k in range(k_most + 1)] for n in range(n_most + 1)], dtype=np.float64)


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
