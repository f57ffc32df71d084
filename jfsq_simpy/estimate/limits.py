"""From a value and its half width to the limits of an interval.

In    value and half width, numbers or arrays of one shape
Out   Limits, low and high, that stay where the value itself can be
Rule  what is rare is symmetric on a log scale, a probability on the logit scale; what was never seen has an
      upper limit all the same
Cost  a few operations
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy.estimate.sample import Sample
from jfsq_simpy.rates import FloatArray


class Limits(NamedTuple):
    low: Any
    high: Any


def symmetric(value: ArrayLike, half: ArrayLike) -> Limits:
    """value +- half, not below 0: every metric is a mean of something that cannot be negative.

    >>> low, high = symmetric(0.25, 0.5)
    >>> float(low), float(high)
    (0.0, 0.75)
    """
    return Limits(np.maximum(np.subtract(value, half), 0.0), np.add(value, half))


def on_log_scale(value: ArrayLike, half: ArrayLike) -> Limits:
    """value * exp(+-half / value), for means of what happens rarely; the same as `symmetric` when half << value.

    A rare event's spread grows with its mean, so a run that happened to see few of them also looks too
    sure of it: symmetric intervals miss a p_B of six events in one run of eight, all on the same side.
    """
    value, half = np.asarray(value, dtype=np.float64), np.asarray(half, dtype=np.float64)
    factor = _growth(half / np.where(value > 0, value, 1.0))
    return Limits(value / factor, value * factor)


def on_logit_scale(value: ArrayLike, half: ArrayLike) -> Limits:
    """The same for a probability, on the scale log(p / (1 - p)): alike near 0 and near 1, and inside [0, 1]."""
    value, half = np.asarray(value, dtype=np.float64), np.asarray(half, dtype=np.float64)
    spare = value * (1 - value)
    factor = _growth(half / np.where(spare > 0, spare, 1.0))
    return Limits(value / (value + (1 - value) * factor), value / (value + (1 - value) / factor))


def _growth(exponent: FloatArray) -> FloatArray:
    return np.asarray(np.exp(np.minimum(exponent, 700.0)))  # e^700 is next to the largest float


def upper_limit(sample: Sample) -> float:
    """The upper confidence limit of a share that was 0 in every unit.

    A stationary chain that forgets within the relaxation time T stays out of a set of probability m for
    a time t with probability at most exp(-m t / T) (Aldous & Fill, Reversible Markov Chains, chapter 3,
    for reversible chains), so m above -log(1 - level) / looks would have shown: three over the looks.
    """
    return min(-math.log1p(-sample.level) / sample.looks, 1.0)
