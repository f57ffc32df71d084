"""Intervals from sums by unit: ratios of sums, and honest about what was never seen.

In    sums and counts by (..., unit)
Out   value, low, high
Rule  neighbouring batches may still be correlated: they are joined in pairs until they are hardly, and
      intervals widened by the rest. A share of 0 in all units is not a probability of 0. Jackknife,
      correlation and scales are those of `estimate`
Cost  O(units) a number
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy import estimate
from jfsq_simpy.estimate import FEWEST_BATCHES, LARGEST_BATCH_CORRELATION
from jfsq_simpy.rates import FloatArray


@dataclass(frozen=True)
class Interval:
    """Arrays of one shape: estimates and their confidence limits (nan where fewer than two units say anything)."""

    value: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def half_width(self) -> FloatArray:
        return (self.high - self.low) / 2


def ratio(sums: FloatArray, counts: FloatArray, level: float, what: str) -> Interval:
    """sum of `sums` over sum of `counts`, with the jackknife's Student t interval over units.

    Both (..., n_units); `what` the units are, "replications" or consecutive "batches". For equal counts of
    replications this is the plain Student t interval of the units' means.

    >>> both = ratio(np.array([1.0, 2.0, 3.0]), np.ones(3), 0.95, "replications")
    >>> float(both.value), float(both.half_width.round(6))
    (2.0, 2.484138)
    """
    total, jobs = sums.sum(axis=-1), counts.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = total / jobs
        without = (total[..., None] - sums) / (jobs[..., None] - counts)
        deviations = np.moveaxis(without - without.mean(axis=-1, keepdims=True), -1, 0)
        half = estimate.jackknife_half_width(deviations, level, what)
    half = np.where((counts > 0).sum(axis=-1) > 1, half, np.nan)
    return Interval(value, value - half, value + half)


def share(sums: FloatArray, counts: FloatArray, level: float, what: str) -> Interval:
    """Like `ratio`, for a share in [0, 1], on the logit scale; 0 (or 1) in all units gets a one-sided limit.

    A share with mean m is 0 in n independent units with probability at most (1 - m)^n, whatever its law.
    """
    plain = ratio(sums, counts, level, what)
    units = (counts > 0).sum(axis=-1)
    with np.errstate(divide="ignore"):
        limit = -np.expm1(np.log1p(-level) / np.maximum(units, 1))
    low, high = estimate.on_logit_scale(plain.value, plain.half_width)
    never, always = plain.value == 0, plain.value == 1
    low, high = np.where(never, 0.0, low), np.where(always, 1.0, high)
    return Interval(plain.value, np.where(always, 1 - limit, low), np.where(never, limit, high))


# ---- batches -------------------------------------------------------------------------------------------------


def neighbour_correlation(means: FloatArray) -> float:
    """Lag-1 autocorrelation of consecutive batches; 0 where nothing varies."""
    known = means[~np.isnan(means)]
    return float(estimate.neighbour_correlation(known)) if known.size else 0.0


def pairs_to_join(sums: FloatArray, counts: FloatArray) -> int:
    """How many times batches must be joined in pairs until neighbours are no longer correlated (or 8 are left).

    `sums`, `counts` : (n_units,) of the measure that decides.
    """
    times = 0
    while sums.size >= 2 * FEWEST_BATCHES:
        with np.errstate(invalid="ignore", divide="ignore"):
            if neighbour_correlation(sums / counts) <= LARGEST_BATCH_CORRELATION:
                break
        sums, counts, times = join(sums, 1), join(counts, 1), times + 1
    return times


def join(by_unit: NDArray[Any], times: int) -> NDArray[Any]:
    """Neighbouring units added up in pairs, `times` times, along the last axis."""
    for _ in range(times):
        even = by_unit.shape[-1] // 2 * 2
        by_unit = by_unit[..., :even:2] + by_unit[..., 1:even:2]
    return by_unit
