"""Differences and ratios of policies that saw the same jobs.

In    for each policy a value, and its values with each replication left out
Out   differences, ratios, their intervals, p-values, and the variance that pairing saved
Rule  the replication is the unit, and it is left out of both policies at once: what chance did to both alike
      cancels. For a plain mean this is Student's t on the paired differences exactly
Cost  O(replications) a pair
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy

from jfsq_simpy.estimate import on_log_scale
from jfsq_simpy.rates import FloatArray

ROUNDING = 1e-12  # of the values: what differs by less does not differ


@dataclass(frozen=True)
class Pair:
    """One policy against another: `left_out` and `against_left_out` are float arrays (n_replications,).

    >>> pair = Pair(3.0, 2.0, np.array([3.1, 2.9, 3.0]), np.array([2.1, 1.9, 2.0]), 0.95)  # always 1 more
    >>> pair.difference, pair.p_value < 1e-9, round(pair.variance_saved, 6)
    (1.0, True, 1.0)
    """

    value: float
    against: float
    left_out: FloatArray
    against_left_out: FloatArray
    level: float

    @property
    def difference(self) -> float:
        return self.value - self.against

    @cached_property
    def standard_error(self) -> float:
        """Of the difference, by the jackknife over paired replications."""
        return _standard_error(self.left_out - self.against_left_out)

    @property
    def p_value(self) -> float:
        """Of Student's two-sided test that there is no difference; 1 where nothing is known."""
        scale = max(self.standard_error, self._rounding)
        if not (math.isfinite(self.difference) and scale > 0):
            return 1.0
        return float(2 * scipy.stats.t.sf(abs(self.difference) / scale, self.degrees))

    @property
    def _rounding(self) -> float:
        return ROUNDING * max(abs(self.value), abs(self.against))

    @property
    def degrees(self) -> int:
        return self.left_out.size - 1

    def interval(self, comparisons: int = 1) -> tuple[float, float]:
        """Of the difference, at the level; so wide that `comparisons` such intervals hold together (Bonferroni)."""
        half = _quantile(1 - (1 - self.level) / comparisons, self.degrees) * self.standard_error
        return self.difference - half, self.difference + half

    def ratio(self) -> tuple[float, float, float]:
        """value / against and its interval, on the log scale as both are positive; nan where the other is 0."""
        if not (self.against > 0 and np.all(self.against_left_out > 0)):
            return math.nan, math.nan, math.nan
        ratio = self.value / self.against
        half = _quantile(self.level, self.degrees) * _standard_error(self.left_out / self.against_left_out)
        if ratio == 0:
            return 0.0, 0.0, math.nan
        low, high = on_log_scale(ratio, half)
        return ratio, float(low), float(high)

    @property
    def variance_saved(self) -> float:
        """1 - Var(difference) / (sum of both variances): 0 for independent runs, 1 for perfect company.

        Independent runs would need 1 / (1 - this) times the replications. nan where neither varies.
        """
        apart = _standard_error(self.left_out) ** 2 + _standard_error(self.against_left_out) ** 2
        return 1 - self.standard_error**2 / apart if apart > self._rounding**2 else math.nan


def all_pairs(n: int) -> list[tuple[int, int]]:
    """Every pair of 0 .. n - 1, the smaller first."""
    return list(itertools.combinations(range(n), 2))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that rejecting those below a errs anywhere with probability at most a. Holm (1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1.0)
    return [float(x) for x in adjusted]


def _standard_error(left_out: FloatArray) -> float:
    n = left_out.size
    return float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))


def _quantile(level: float, degrees: int) -> float:
    return float(scipy.stats.t.ppf((1 + level) / 2, degrees))
