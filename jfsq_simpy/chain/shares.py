"""From counts by speed class to the tally's groups: what depends on which server of a class it is.

In    counts by class (or by group) and level
Out   counts by group and level, integers with the same sums
Rule  with uniform ties the servers of a class are exchangeable given the class's counts, whichever
      index the chain itself picks: a group that is part of a class gets its share by size (its
      conditional mean). With index ties the groups are left as they were counted
Cost  O(classes + groups), once a batch
"""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np

from jfsq_simpy.rates import IntArray, Rates
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups


def by_group(by_class: IntArray, rates: Rates, groups: Groups) -> IntArray:
    """int array (n_groups, levels) from `by_class` (n_classes, levels); the sum over a class's groups is kept.

    >>> from jfsq_simpy.rates import homogeneous
    >>> edges = np.array([0, 1, 3])
    >>> cut = Groups(edges, np.ones(2), 0.0, np.zeros(2, np.int64), np.zeros(2, np.int64))
    >>> by_group(np.array([[3, 4]]), homogeneous(3), cut)
    array([[1, 1],
           [2, 3]])
    """
    if rates.all_distinct:
        return np.add.reduceat(by_class, groups.edges[:-1], axis=0)
    edges = np.union1d(rates.first_server, groups.edges)  # units: inside one class and one group
    owner = np.searchsorted(rates.first_server, edges[:-1], side="right") - 1
    part = by_class[owner].copy()
    size = np.diff(edges)
    for k in np.unique(owner[size < rates.counts[owner]]).tolist():
        units = slice(*np.searchsorted(owner, [k, k + 1]))
        part[units] = _shared(by_class[k].tolist(), size[units].tolist())
    return np.add.reduceat(part, np.searchsorted(edges, groups.edges[:-1]), axis=0)


def _shared(total: list[int], sizes: list[int]) -> list[list[int]]:
    """One row a part, in proportion to the sizes, in Python integers (a count times a size may pass 2^63).

    Running sums are rounded, not the counts: a part's levels add up to its share of all of them, exactly
    where that is whole, as it is for servers; what is left goes to the parts after it.
    """
    rows, rest, servers = [], total, sum(sizes)
    for size in sizes:
        upto = [below * size // servers for below in accumulate(rest)]
        row = [high - low for low, high in pairwise([0, *upto])]
        rest, servers = [r - x for r, x in zip(rest, row, strict=True)], servers - size
        rows.append(row)
    return rows


def exchanged(counted: IntArray, system: System, groups: Groups) -> IntArray:
    """`counted` (n_groups, levels) with each class's total shared out by size; as it is with index ties."""
    unit = groups.speed_class
    if system.policy.ties == "index" or unit[0] < 0 or groups.n_groups == system.rates.n_classes:
        return counted
    if (unit < 0).any():
        return counted  # groups of many classes: the cut inside one of them is lost in the group anyway
    by_class = np.zeros((system.rates.n_classes, counted.shape[1]), dtype=np.int64)
    np.add.at(by_class, unit, counted)
    return by_group(by_class, system.rates, groups)
