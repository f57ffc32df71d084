"""Batches of one long run: neighbours have something in common, which an interval must not forget.

In    consecutive batches, or a number for each
Out   batches joined in pairs; how alike neighbours are, and by how much that widens a variance
Rule  a lag-1 correlation of n numbers is biased by -1/n, which is added back. Where it stays high the widening
      is held: more data are needed, not a wider interval
Cost  O(batches)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jfsq_simpy.rates import FloatArray
from jfsq_simpy.tally import Tally, merged

LARGEST_BATCH_CORRELATION = 0.3  # of neighbouring batches; above, batches are joined in pairs
FEWEST_BATCHES = 8
STRONGEST_CORRECTION = 0.8  # of the correlation that is left: beyond, more data are needed, not a wider interval


def joined_in_pairs(units: Sequence[Tally]) -> list[Tally]:
    """Neighbouring batches added up; of an odd number the last three go together."""
    starts = range(0, len(units) - 1, 2)
    return [merged(units[i : i + 2] if i + 3 < len(units) or len(units) % 2 == 0 else units[i:]) for i in starts]


def neighbour_correlation(values: FloatArray) -> FloatArray:
    """Lag-1 autocorrelation along the first axis; 0 where nothing varies."""
    x = values - values.mean(axis=0)
    total = (x * x).sum(axis=0)
    return np.asarray(np.divide((x[1:] * x[:-1]).sum(axis=0), total, out=np.zeros_like(total), where=total > 0))


def correlation_factor(correlation: FloatArray, n: int) -> FloatArray:
    """By how much neighbours' correlation widens the variance of the mean of n batches, at least 1.

    >>> correlation_factor(np.array([-0.5, 0.25]), 4)
    array([1., 3.])
    """
    r = np.clip(correlation + 1 / n, 0.0, STRONGEST_CORRECTION)
    return np.asarray((1 + r) / (1 - r))
