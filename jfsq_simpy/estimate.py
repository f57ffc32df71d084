"""From tallies to numbers with honest intervals.

In    tallies of independent units: replications, or the batches of one long run
Out   Estimates: value, interval, how many units, by which method
Rule  the unit is the replication (or batch), never the job: one run's jobs are correlated. Zero events
      seen is not probability zero: then the upper limit is reported
Cost  one evaluation of the metric a unit
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from jfsq_simpy import metrics
from jfsq_simpy.metrics import Averages
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups, Tally, bin_edges, merged

LARGEST_BATCH_CORRELATION = 0.3  # of neighbouring batches; above, batches are joined in pairs
FEWEST_BATCHES = 8
UNITS_PER_CONTROL = 5  # replications that fitting one more coefficient must be worth
NO_MORE_THAN_ROUNDING = 1e-8  # of the largest singular value: controls that say the same thing twice
STRONGEST_CORRECTION = 0.8  # of the correlation that is left: beyond, more data are needed, not a wider interval


@dataclass(frozen=True)
class Estimate:
    """A measured number: `low` to `high` is its confidence interval at `level`, from `n` units.

    >>> Estimate(0.25, 0.125, 0.5, 0.95, 10, "Student t").half_width
    0.1875
    """

    value: float
    low: float
    high: float
    level: float
    n: int
    method: str

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    def __float__(self) -> float:
        return self.value

    def to_dict(self) -> dict[str, Any]:
        """JSON's shape: value, low, high, level, n, method; nan and infinity become None."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Controls:
    """Quantities whose mean is known to be 0, the most useful first: what they are off is noise that other measures share."""

    names: tuple[str, ...]  # (n_controls,), the kind of each
    measure: Callable[[Tally], FloatArray]  # (n_controls,)


@dataclass(frozen=True)
class Sample:
    """The units an estimate is made from: one tally each, exchangeable, and how they came about.

    With `controls` every number made from it is corrected by a regression on them.
    """

    system: System
    groups: Groups
    units: Sequence[Tally]
    level: float
    what: str  # "replications" or "batches"
    looks: float  # independent glances at the system all units together amount to
    controls: Controls | None = None

    @property
    def n_controls(self) -> int:
        """How many controls the replications allow for: one coefficient for five of them, after the first five."""
        if self.controls is None or self.what != "replications":
            return 0
        return min(len(self.controls.names), max(len(self.units) // UNITS_PER_CONTROL - 1, 0))

    @cached_property
    def pooled(self) -> Tally:
        return merged(self.units)

    @cached_property
    def counts(self) -> Sample:
        """The same without the binned times, which are large and which no single number needs."""
        if self.units[0].wait_bins is None:
            return self
        none = np.zeros((0, 0), np.int64)
        return replace(self, units=[replace(t, wait_bins=none, response_bins=none) for t in self.units])

    def averages(self, tally: Tally) -> Averages:
        return metrics.averages(self.system, self.groups, tally)


# ---- the spread between units --------------------------------------------------------------------------------


class Spread(NamedTuple):
    """A value, the half width of its Student t interval, and what that rests on."""

    value: Any
    half: Any
    n: int
    correlation: float  # of neighbouring batches; 0 for replications
    controls: tuple[str, ...] = ()  # by which the value is corrected


def jackknife(sample: Sample, measure: Callable[[Tally], Any]) -> tuple[Any, Any]:
    """A measure of the pooled counts, and the half width of its interval (nan with fewer than two units).

    Leaves out one unit at a time; for a plain mean this is Student's t exactly, for a ratio it takes
    the correlation of numerator and denominator into account. Batches are treated as in `spread`.
    O(units) evaluations.
    """
    found = spread(sample, measure)
    return found.value, found.half


def spread(sample: Sample, measure: Callable[[Tally], Any], most: float = math.inf) -> Spread:
    """`jackknife`, and what it rests on; corrected where the sample has controls and replications enough.

    `most` : what no value can exceed; a correction that would leave (0, most) is not made.

    Batches of one run are joined in pairs while neighbours are correlated above 0.3 and 16 or more are
    left; for the correlation r that remains the variance is multiplied by (1 + r) / (1 - r), as for an
    autoregression, with r + 1/n for r because a lag-1 correlation is biased by -1/n.
    """
    plain = _plain_spread(sample, measure)
    if not sample.n_controls:
        return plain
    sharp = _regressed(sample, measure)
    usable = np.asarray((sharp.value > 0) & (sharp.value < most))
    if not usable.any():
        return plain
    value, half = np.where(usable, sharp.value, plain.value), np.where(usable, sharp.half, plain.half)
    return sharp._replace(value=value[()], half=half[()])


def _plain_spread(sample: Sample, measure: Callable[[Tally], Any]) -> Spread:
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


def _regressed(sample: Sample, measure: Callable[[Tally], Any]) -> Spread:
    """The measure less what the controls explain, coefficients fitted over replications.

    Jackknife pseudo-values stand for the replications, so ratios are treated as means are. Source: Lavenberg
    & Welch, A perspective on the use of control variables (1981): each coefficient costs a degree of freedom.
    """
    assert sample.controls is not None
    n, n_controls = len(sample.units), sample.n_controls
    shape, given = np.shape(measure(sample.pooled)), sample.controls.measure

    def both(tally: Tally) -> FloatArray:
        return np.concatenate([np.ravel(measure(tally)), given(tally)[:n_controls]])

    pooled = both(sample.pooled)
    pseudo = -(n - 1) * left_out(sample.pooled, sample.units, both)
    deviations = pseudo - pseudo.mean(axis=0)
    y, x = deviations[:, :-n_controls], deviations[:, -n_controls:]
    scale = np.sqrt((x * x).sum(axis=0))
    scale[scale == 0] = 1.0  # a control that never moved explains nothing
    u, strength, directions = np.linalg.svd(x / scale, full_matrices=False)
    kept = strength > NO_MORE_THAN_ROUNDING * strength[0]
    u, off = u[:, kept], (directions[kept] @ (pooled[-n_controls:] / scale)) / strength[kept]
    fitted, freedom = u.T @ y, n - 1 - int(kept.sum())
    residual = y - u @ fitted
    variance = (residual * residual).sum(axis=0) / freedom * (1 / n + off @ off)
    half = float(scipy.stats.t.ppf((1 + sample.level) / 2, freedom)) * np.sqrt(variance)
    value = pooled[:-n_controls] - off @ fitted
    return Spread(value.reshape(shape)[()], half.reshape(shape)[()], n, 0.0, sample.controls.names[:n_controls])


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
    """By how much neighbours' correlation widens the variance of the mean of n batches, at least 1."""
    r = np.clip(correlation + 1 / n, 0.0, STRONGEST_CORRECTION)
    return np.asarray((1 + r) / (1 - r))


# ---- intervals -----------------------------------------------------------------------------------------------


class Limits(NamedTuple):
    low: Any
    high: Any


def symmetric(value: ArrayLike, half: ArrayLike) -> Limits:
    """value +- half, not below 0: every metric is a mean of something that cannot be negative."""
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


# ---- numbers -------------------------------------------------------------------------------------------------


def estimate(sample: Sample, name: str) -> Estimate:
    """One metric with its interval. Errors: KeyError for an unknown name."""
    formula = metrics.METRICS[name]
    most = 1.0 if name in metrics.PROBABILITIES else math.inf
    found = spread(sample.counts, lambda t: formula(sample.averages(t)), most)
    largest, value = _largest_value(sample.system, name), float(found.value)
    if value == 0 and largest is not None:
        limit = upper_limit(sample) * largest
        return Estimate(0.0, 0.0, limit, sample.level, found.n, "none seen: one-sided upper limit")
    scale = limits_of(sample.system, name)
    low, high = scale(value, found.half)
    return Estimate(value, float(low), float(high), sample.level, found.n, _method(sample, found, scale.__name__))


def limits_of(system: System, name: str) -> Callable[[ArrayLike, ArrayLike], Limits]:
    """The scale on which a metric's interval is symmetric."""
    if _largest_value(system, name) is None:
        return symmetric
    return on_logit_scale if name in metrics.PROBABILITIES else on_log_scale


def _method(sample: Sample, found: Spread, scale: str) -> str:
    units = f"batch means (lag-1 correlation {found.correlation:.2f})" if sample.what == "batches" else "replications"
    scaled = scale.removeprefix("symmetric").replace("_", " ").replace("on", " on", 1)
    n, by = len(found.controls), " and ".join(dict.fromkeys(found.controls))
    controlled = f", controlled by {by}" + (f" ({n} coefficients)" if n > 1 else "") if n else ""
    return f"{units}, jackknife, Student t{scaled}{controlled}"


def _largest_value(system: System, name: str) -> float | None:
    """For metrics that are 0 exactly when no job waited (or was blocked): the most they can be."""
    room = system.places - 1
    # behind j jobs a wait has mean j / mu_N at most; a job found in service has (1 + scv) / 2 left in the mean
    longest = (room - 1 + max((1 + system.size.scv) / 2, 1.0)) / system.rates.slowest
    return {
        "waiting_probability": 1.0,
        "blocking_probability": 1.0,
        "buffered_probability": 1.0 if room else None,
        "mean_wait": longest if room else None,
        "mean_waiting_jobs": float(room * system.n_servers) if room else None,
    }.get(name)


# ---- distributions -------------------------------------------------------------------------------------------


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
    return Estimate(value, low, high, sample.level, found.n, "inverted tail, " + _method(sample, found, "symmetric"))
