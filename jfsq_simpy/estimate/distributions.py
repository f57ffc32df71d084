"""Whole laws with their intervals: shares, tails, quantiles.

In    a Sample; which time, "wait" or "response"
Out   arrays value, low, high; tails as functions of time; an Estimate a quantile
Rule  a quantile's interval is the tail's, read back through the tail: it needs no density
Cost  one evaluation of the tail a unit
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jfsq_simpy import metrics
from jfsq_simpy.estimate.limits import on_logit_scale, upper_limit
from jfsq_simpy.estimate.sample import Estimate, Sample
from jfsq_simpy.estimate.spreads import method_of, spread
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.tally import Tally, bin_edges


def shares(sample: Sample, measure: Callable[[Tally], FloatArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Probabilities that are a function of the counts: value, low, high, float arrays of the measure's shape.

    Where nothing was seen the upper limit is reported.
    """
    found = spread(sample, measure, 1.0)
    value = np.asarray(found.value, dtype=np.float64)
    low, high = on_logit_scale(value, found.half)
    return value, low, np.where(value == 0, np.maximum(high, upper_limit(sample)), high)


def ccdf_of(sample: Sample, which: str, method: str) -> Callable[[Tally, FloatArray], FloatArray]:
    """The tail of "wait" or "response" as a function of counts and times, "erlang" or "empirical"."""
    if method == "erlang":
        mixture = metrics.wait_ccdf if which == "wait" else metrics.response_ccdf
        return lambda tally, times: mixture(sample.averages(tally), times)
    return lambda tally, times: empirical_ccdf(getattr(tally, f"{which}_bins").sum(axis=0), times)


def empirical_ccdf(counts: Any, times: FloatArray) -> FloatArray:
    """P(X > t) from binned times (tally.bin_edges), linear inside a bin (0.8 % wide at most)."""
    edges = bin_edges()[1:]
    edges[-1] = 2 * edges[-2]
    above = np.append(np.cumsum(counts[:0:-1])[::-1], 0)  # how many are at or above each edge, zeros left out
    total = counts.sum()
    inside = np.interp(times, edges, above) / total if total else np.full(np.shape(times), np.nan)
    return np.where(np.asarray(times) < 0, 1.0, inside)


def quantile_estimate(sample: Sample, p: float, ccdf: Callable[[Tally, FloatArray], FloatArray]) -> Estimate:
    """The p-quantile: the interval of the tail at the estimate, read back through the tail (Woodruff).

    Symmetric in probability: a t is inside when the tail there, whose true value would be 1 - p, is within
    the half width of it. What controls correct the tail by there moves value and interval alike.
    """
    pooled = sample.pooled

    def at(p: float) -> float:
        return metrics.quantile(lambda t: ccdf(pooled, t), max(p, 0.0)) if p < 1 else math.inf

    plain = at(p)
    found = spread(sample, lambda tally: float(ccdf(tally, np.array([plain]))[0]), 1.0)
    p += float(found.value - ccdf(pooled, np.array([plain]))[0]) if found.controls else 0.0
    value, low, high = at(p), math.nan, math.nan
    if math.isfinite(found.half):
        low, high = at(p - found.half), at(p + found.half)
    return Estimate(value, low, high, sample.level, found.n, "inverted tail, " + method_of(sample, found, "symmetric"))
