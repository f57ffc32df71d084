"""Order statistics of data beyond memory: the k-th smallest, exactly, by radix selection.

In    times in blocks, ranks
Out   the times of those ranks
Rule  non-negative floats are in the order of their bit patterns read as integers, so sixteen bits of the
      answer are found in each pass by counting
Cost  four passes; memory O(65,536) a group and rank, whatever the number of jobs
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.trace_analysis.cells import Cells, Measured

DIGIT = 16  # bits found in a pass
BASE = 1 << DIGIT


def order_statistics(cells: Cells, of: Measured, groups: IntArray, ranks: IntArray, jobs: IntArray) -> FloatArray:
    """The time of rank `ranks[i]` (from 0) among the jobs of group `groups[i]`; nan where `jobs[i]` is 0.

    All arrays (n,). Four passes over the trace.
    """
    ranks = np.array(ranks, dtype=np.int64)
    prefix = np.zeros(ranks.size, np.int64)
    for shift in (48, 32, 16, 0):
        counts = _count_digits(cells, of, groups, prefix, shift)
        upto = np.cumsum(counts, axis=1)
        digit = (upto <= ranks[:, None]).sum(axis=1)  # the first digit with more values up to it than the rank
        digit = np.minimum(digit, BASE - 1)
        ranks -= np.where(digit > 0, upto[np.arange(ranks.size), np.maximum(digit - 1, 0)], 0)
        prefix = (prefix << DIGIT) | digit
    return np.where(jobs > 0, prefix.view(np.float64), np.nan)


def _count_digits(cells: Cells, of: Measured, groups: IntArray, prefix: IntArray, shift: int) -> IntArray:
    """How many values of each target's group begin with its prefix, by their next digit, int array (n, BASE)."""
    targets, same = np.unique(np.stack([groups, prefix]), axis=1, return_inverse=True)
    counts = np.zeros((targets.shape[1], BASE), np.int64)
    for cell, time, _ in cells.times(of):
        # adding 0.0 turns -0.0, which a rounding may leave, into 0.0
        bits = (time + 0.0).view(np.int64)
        group = cell // cells.n_units
        for k, (g, p) in enumerate(targets.T.tolist()):
            own = bits if cells.n_groups == 1 else bits[group == g]
            digits = own[(own >> shift) >> DIGIT == p] >> shift & (BASE - 1) if shift < 48 else own >> shift
            np.add.at(counts[k], digits, 1)  # unlike bincount, it costs nothing where a block holds few of the group
    return counts[same.ravel()]
