"""The jackknife: how far a measure moves when one unit is left out says how far it may be off.

In    a Sample; a measure, any function of a Tally
Out   a Spread: the measure of all counts together, and the half width of its interval
Rule  a measure is taken of pooled counts, never averaged over units: a ratio of sums is not a mean of ratios
Cost  one evaluation of the measure a unit, and once more for each joining of batches
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
import scipy

from jfsq_simpy.estimate.batches import (
    FEWEST_BATCHES,
    LARGEST_BATCH_CORRELATION,
    correlation_factor,
    joined_in_pairs,
    neighbour_correlation,
)
from jfsq_simpy.estimate.sample import Sample
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.tally import Tally


class Spread(NamedTuple):
    """A value, the half width of its Student t interval, and what that rests on."""

    value: Any
    half: Any
    n: int
    correlation: float  # of neighbouring batches; 0 for replications
    controls: tuple[str, ...] = ()  # by which the value is corrected


def plain_spread(sample: Sample, measure: Callable[[Tally], Any]) -> Spread:
    """`spreads.spread` as it is without controls. The half width is nan with fewer than two units."""
    value, units = measure(sample.pooled), list(sample.units)
    deviations = _deviations(sample.pooled, units, measure)
    if len(units) < 2:
        return Spread(value, np.full_like(value, np.nan, dtype=np.float64)[()], len(units), 0.0)
    correlation = np.zeros_like(deviations[0])
    if sample.what == "batches":
        correlation = neighbour_correlation(deviations)
        while len(units) >= 2 * FEWEST_BATCHES and correlation.mean() > LARGEST_BATCH_CORRELATION:
            units = joined_in_pairs(units)
            deviations = _deviations(sample.pooled, units, measure)
            correlation = neighbour_correlation(deviations)
    half = jackknife_half_width(deviations, sample.level, sample.what)
    return Spread(value, half, len(units), float(correlation.mean()))


def jackknife_half_width(deviations: FloatArray, level: float, what: str) -> Any:
    """Half width of Student's t interval, from what a measure gains by leaving out each of two or more units.

    `deviations` : float array (n_units, ...), about their mean. `what` the units are: consecutive "batches"
    of one run are widened by what neighbours still have in common, "replications" are independent.
    """
    n = len(deviations)
    variance = (n - 1) / n * (deviations**2).sum(axis=0)
    if what == "batches":
        variance = variance * correlation_factor(neighbour_correlation(deviations), n)
    return float(scipy.stats.t.ppf((1 + level) / 2, n - 1)) * np.sqrt(variance)


def _deviations(total: Tally, units: Sequence[Tally], measure: Callable[[Tally], Any]) -> FloatArray:
    """What the measure gains by leaving out each unit, about its mean: float array (n_units, ...)."""
    if len(units) < 2:
        return np.zeros((len(units), 1))
    without = left_out(total, units, measure)
    return np.asarray(without - without.mean(axis=0))


def left_out(total: Tally, units: Sequence[Tally], measure: Callable[[Tally], Any]) -> FloatArray:
    """The measure of the pooled counts without each unit in turn: float array (n_units, ...)."""
    return np.array([measure(_without(total, unit)) for unit in units], dtype=np.float64)


def _without(total: Tally, unit: Tally) -> Tally:
    # counts subtract exactly, which merging all other units would cost O(units) more to do
    parts: dict[str, Any] = {}
    for f in fields(Tally):
        whole, part = getattr(total, f.name), getattr(unit, f.name)
        parts[f.name] = None if whole is None else whole[:0] if f.name == "path" else whole - part
    return Tally(**parts)
