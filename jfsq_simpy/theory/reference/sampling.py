"""What a server gets where jobs ask a few: the arrivals each sees, when servers are many.

In    a Policy that samples, its rank table, the shares of the speed classes
Out   an Intensity: the levels' law -> arrivals per server of each cell, for one job per server and unit of time
Rule  among many servers a sample meets nobody twice, so with and without replacement are one, and the
      servers asked are independent draws from the shares
Cost  O(cells + ranks x d) a call; with d_k of each of m classes m^2 times that

A server asked gets the job if nobody asked ranks better, shared with those who rank alike. With W the chance
that another one asked ranks worse and M that it ranks alike, its part is the mean of 1 / (1 + those alike),
which is the integral of the product of (W + M y) over the others, y from 0 to 1: a polynomial, so that a few
Gauss nodes give it exactly and nothing is divided by what may be 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies import AskClass, AskEachClass, AskFastSlow, AskSample, Policy
from jfsq_simpy.policies.ranking import RankTable
from jfsq_simpy.rates import FloatArray

Intensity = Callable[[FloatArray], FloatArray]
Draws = Sequence[tuple[FloatArray, int]]  # groups of classes (1.0 where a class is in it), and how many are asked of each


def intensity_of(policy: Policy, query: Any, ranks: RankTable, shares: FloatArray) -> Intensity:
    """Arrivals per server of each cell, as a function of the law, both float arrays (n_classes, places + 1).

    `query` : the policy's own, or what it falls back to. Errors: ModelError for a query that is no sample,
    and for ties that the shares do not settle.

    >>> from jfsq_simpy.policies import as_policy
    >>> two = as_policy({"name": "jsq_d", "d": 2})
    >>> sees = intensity_of(two, two.query, np.array([[0, 1, 2]]), np.ones(1))
    >>> sees(np.array([[0.5, 0.3, 0.2]]))[0]         # 1 + 0.5, 0.5 + 0.2, 0.2
    array([1.5, 0.7, 0.2])
    """
    ranks, one = settled(policy, ranks), np.eye(shares.size)
    if isinstance(query, AskSample):
        return _drawn([(np.ones(shares.size), query.d)], ranks, shares)
    if isinstance(query, AskEachClass):
        return _drawn(list(zip(one, query.d, strict=True)), ranks, shares)
    if isinstance(query, AskClass) and query.d is not None:
        return _class_first([_drawn([(k, query.d)], ranks, shares) for k in one], query.probabilities)
    if isinstance(query, AskFastSlow):
        return _fast_or_slow([_drawn([(k, d)], ranks, shares) for k, d in zip(one, query.d, strict=True)], query)
    raise ModelError(f"policy {policy.name!r} has no mean field here: it asks in a way that shares of servers do not say.")


def settled(policy: Policy, ranks: RankTable) -> RankTable:
    """Ranks whose ties fall uniformly; index ties become ranks of their own. Errors: ModelError where that cannot be."""
    if policy.ties == "uniform" or (ranks.shape[0] == 1 and policy.ties == "rate"):
        return ranks
    n_classes, open_ranks = ranks.shape[0], ranks[:, :-1] if policy.full_last else ranks
    if policy.ties == "rate":
        classes_of_rank = np.zeros((int(ranks.max()) + 1, n_classes), dtype=bool)
        np.put(classes_of_rank, open_ranks * n_classes + np.arange(n_classes)[:, None], True)
        if (classes_of_rank.sum(axis=1) > 1).any():
            raise ModelError(f"policy {policy.name!r} has no mean field here: ties by rate within a sample are not worked out.")
        return ranks
    if (np.diff(np.sort(ranks, axis=1), axis=1) == 0).any():
        raise ModelError(
            f"policy {policy.name!r} has no mean field here: index ties between servers of one speed but different queue "
            "lengths depend on which server is which. Use uniform ties."
        )
    return np.asarray(ranks * n_classes + np.arange(n_classes)[:, None])  # lower index first: the faster class


def _drawn(draws: Draws, ranks: RankTable, shares: FloatArray) -> Intensity:
    """Independent draws from groups of classes, the best-ranked of all gets the job."""
    size = int(ranks.max()) + 1
    nodes, weights = np.polynomial.legendre.leggauss(sum(d for _, d in draws) // 2 + 1)
    y, weights = (nodes + 1) / 2, weights / 2
    asked = [(group, float(group @ shares), d) for group, d in draws if d > 0]

    def at(law: FloatArray) -> FloatArray:
        factors = []
        for group, share, _ in asked:
            cells = (group * shares / share)[:, None] * law
            alike = np.bincount(ranks.ravel(), cells.ravel(), size)
            worse = np.append(np.cumsum(alike[:0:-1])[::-1], 0.0)
            factors.append(worse[:, None] + alike[:, None] * y)
        found = np.zeros(law.shape)
        for i, (group, share, d) in enumerate(asked):
            others = np.ones((size, y.size))
            for j, (_, _, d_j) in enumerate(asked):
                others = others * factors[j] ** (d_j - (i == j))
            found += group[:, None] * (d / share * (others @ weights))[ranks]
        return found

    return at


def _class_first(inside: Sequence[Intensity], probabilities: Sequence[float]) -> Intensity:
    def at(law: FloatArray) -> FloatArray:
        return sum((p * sees(law) for p, sees in zip(probabilities, inside, strict=True)), np.zeros(law.shape))

    return at


def _fast_or_slow(inside: Sequence[Intensity], query: AskFastSlow) -> Intensity:
    """Gardner et al. (2021): an idle fast server of those asked, else by two coins."""

    def at(law: FloatArray) -> FloatArray:
        no_fast_idle, no_slow_idle = ((1 - law[k, 0]) ** d for k, d in enumerate(query.d))
        found = inside[0](law) + inside[1](law)  # each is 0 in the other's class
        found[0, 1:] *= (1 - no_slow_idle) * (1 - query.p_slow) + no_slow_idle * query.p_fast
        found[1, :1] *= no_fast_idle * query.p_slow
        found[1, 1:] *= no_fast_idle * (1 - query.p_fast)
        return found

    return at
