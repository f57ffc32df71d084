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
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from jfsq_simpy import metrics
from jfsq_simpy.metrics import Averages
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups, Tally, bin_edges, merged

LARGEST_BATCH_CORRELATION = 0.3  # of neighbouring batches; above, batches are joined in pairs
FEWEST_BATCHES = 8


@dataclass(frozen=True)
class Estimate:
    """A measured number: `low` to `high` is its confidence interval at `level`, from `n` units.

    >>> Estimate(0.2, 0.1, 0.3, 0.95, 10, "Student t").half_width
    0.1
    """

    value: float
    low: float
    high: float
    level: float
    n: int
    method: str

    @property
    def half_width(self) -> float:
        return round(self.high - self.low, 15) / 2

    def __float__(self) -> float:
        return self.value

    def to_dict(self) -> dict[str, Any]:
        """JSON's shape: value, low, high, level, n, method; nan and infinity become None."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Sample:
    """The units an estimate is made from: one tally each, exchangeable, and how they came about."""

    system: System
    groups: Groups
    units: Sequence[Tally]
    level: float
    what: str  # "replications" or "batches"
    looks: float  # independent glances at the system all units together amount to

    @property
    def pooled(self) -> Tally:
        return merged(self.units)

    def averages(self, tally: Tally) -> Averages:
        return metrics.averages(self.system, self.groups, tally)


def jackknife(sample: Sample, measure: Callable[[Tally], Any]) -> tuple[Any, Any]:
    """A measure of the pooled counts, and the half width of its interval (nan with fewer than two units).

    Leaves out one unit at a time; for a plain mean this is Student's t exactly, for a ratio it takes
    the correlation of numerator and denominator into account. O(units) evaluations.
    """
    value, n = measure(sample.pooled), len(sample.units)
    if n < 2:
        return value, np.full_like(value, np.nan, dtype=np.float64)[()]
    left_out = np.array([measure(merged([t for j, t in enumerate(sample.units) if j != i])) for i in range(n)])
    variance = (n - 1) / n * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    return value, float(stats.t.ppf((1 + sample.level) / 2, n - 1)) * np.sqrt(variance)


# ---- numbers -------------------------------------------------------------------------------------------------


def estimate(sample: Sample, name: str) -> Estimate:
    """One metric with its interval. Errors: KeyError for an unknown name."""
    formula = metrics.METRICS[name]
    sample = joined_batches(sample, formula) if sample.what == "batches" else sample
    value, half = jackknife(sample, lambda t: formula(sample.averages(t)))
    largest = _largest_value(sample.system, name)
    if value == 0 and largest is not None:
        return _limit_when_nothing_was_seen(sample, largest)
    top = 1.0 if name in metrics.PROBABILITIES else math.inf
    method = f"{'batch means' if sample.what == 'batches' else 'replications'}, jackknife, Student t"
    low, high = max(float(value - half), 0.0), min(float(value + half), top)
    return Estimate(float(value), low, high, sample.level, len(sample.units), method)


def _largest_value(system: System, name: str) -> float | None:
    """For metrics that are 0 exactly when no job waited (or was blocked): the most they can be."""
    room = system.places - 1
    return {
        "waiting_probability": 1.0,
        "blocking_probability": 1.0,
        "buffered_probability": 1.0 if room else None,
        "mean_wait": room / system.rates.slowest if room else None,
        "mean_waiting_jobs": float(room * system.n_servers) if room else None,
    }.get(name)


def _limit_when_nothing_was_seen(sample: Sample, largest: float) -> Estimate:
    # Cut the run into `looks` nearly independent stretches. A share in [0, 1] with mean m is 0 in all of
    # them with probability at most (1 - m)^looks, whatever its law: solve for 1 - level.
    limit = -math.expm1(math.log1p(-sample.level) / sample.looks)
    return Estimate(0.0, 0.0, limit * largest, sample.level, len(sample.units), "none seen: one-sided upper limit")


def joined_batches(sample: Sample, formula: Callable[[Averages], float]) -> Sample:
    """Batches joined in pairs until neighbours are no longer correlated (or 8 are left)."""
    units = list(sample.units)
    while len(units) >= 2 * FEWEST_BATCHES and batch_correlation(sample, units, formula) > LARGEST_BATCH_CORRELATION:
        units = [merged(units[i : i + 2]) for i in range(0, len(units) - 1, 2)]
    return Sample(sample.system, sample.groups, units, sample.level, sample.what, sample.looks)


def batch_correlation(sample: Sample, units: Sequence[Tally], formula: Callable[[Averages], float]) -> float:
    """Lag-1 autocorrelation of a metric over consecutive batches; 0 when it does not vary."""
    x = np.array([formula(sample.averages(t)) for t in units])
    x = x - x.mean()
    total = float(x @ x)
    return float(x[1:] @ x[:-1]) / total if total > 0 else 0.0


# ---- distributions -------------------------------------------------------------------------------------------


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
    """The p-quantile: the interval of the tail at the estimate, read back through the tail (Woodruff)."""
    pooled = sample.pooled
    value = metrics.quantile(lambda t: ccdf(pooled, t), p)
    _, half = jackknife(sample, lambda tally: float(ccdf(tally, np.array([value]))[0]))
    low, high = math.nan, math.nan
    if math.isfinite(half):
        low = metrics.quantile(lambda t: ccdf(pooled, t), p - half) if p > half else 0.0
        high = metrics.quantile(lambda t: ccdf(pooled, t), p + half) if p + half < 1 else math.inf
    return Estimate(value, low, high, sample.level, len(sample.units), "inverted tail, jackknife, Student t")
