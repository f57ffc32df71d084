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
from jfsq_simpy.estimate.numbers import ROUNDING
from jfsq_simpy.estimate.sample import Estimate, Sample
from jfsq_simpy.estimate.spreads import method_of, spread
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.tally import Tally, bin_edges


def shares(sample: Sample, measure: Callable[[Tally], FloatArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Probabilities that are a function of the counts: value, low, high, float arrays of the measure's shape.

    Where nothing was seen the upper limit is reported, where nothing else was seen the lower one; and where controls
    explain all that was seen, what was not seen may still move the value as far.
    """
    found, unseen = spread(sample, measure, 1.0), upper_limit(sample)
    value = np.asarray(found.value, dtype=np.float64)
    explained = bool(found.controls) & (found.half <= ROUNDING)
    low, high = on_logit_scale(value, found.half)
    low = np.where((value >= 1 - ROUNDING) | explained, np.minimum(low, value - unseen), low)
    high = np.where((value <= 0) | explained, np.maximum(high, value + unseen), high)
    return value, np.maximum(low, 0.0), np.minimum(high, 1.0)


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

    Symmetric in the tail's logarithm of odds: a t is inside when the tail there, whose true value would be 1 - p, is
    within the tail's interval. What controls correct the tail by there moves value and interval alike. Where nobody was
    seen beyond the estimate, whoever was not seen may be more than 1 - p: then the upper end is infinite, not known.
    """
    pooled = sample.pooled

    def at(tail: float) -> float:
        return metrics.quantile(lambda t: ccdf(pooled, t), 1 - min(tail, 1.0)) if tail > 0 else math.inf

    plain = at(1 - p)
    found = spread(sample, lambda tally: float(ccdf(tally, np.array([plain]))[0]), 1.0)
    tail = 1 - p - (float(found.value - ccdf(pooled, np.array([plain]))[0]) if found.controls else 0.0)
    value, low, high = at(tail), math.nan, math.nan
    if found.value == 0:
        low, high = value, value if upper_limit(sample) <= 1 - p else math.inf
    elif math.isfinite(found.half) and 0 < tail < 1:
        # as far from `tail` in odds as the limits of what the tail is at the estimate are from that
        spare = float(found.value * (1 - found.value))
        below, above = on_logit_scale(tail, found.half / spare * tail * (1 - tail) if spare > 0 else 0.0)
        low, high = at(float(above)), at(float(below))
    elif math.isfinite(found.half):
        low, high = at(tail + found.half), at(tail - found.half)
    return Estimate(value, low, high, sample.level, found.n, "inverted tail, " + method_of(sample, found, "on_logit_scale"))
