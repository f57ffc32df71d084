"""Why one run's jobs are not a sample: neighbours wait together. The autocorrelation, and what it costs.

In    a Trace
Out   the autocorrelation of waits; the interval that takes jobs for independent beside an honest one
Rule  a job behind a long queue is followed by jobs behind a long queue: n jobs are worth fewer independent
      ones, and an interval that forgets it is too short
Cost  one pass; O(n log lags) for the autocorrelation
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import scipy

from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.jobs.trace_rows import REPLICATION
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.trace_analysis.cells import Cells, Measured, Window, checked_window, measured_time
from jfsq_simpy.trace_analysis.intervals import join, pairs_to_join, ratio

if TYPE_CHECKING:
    import pandas as pd


def autocorrelation(trace: Trace, lags: int = 100, *, of: Measured = "wait", window: Window | None = None) -> pd.DataFrame:
    """Correlation of a job's wait with that of the accepted job `lag` places later.

    Columns: lag (0 .. lags), correlation, independent (half width of the 95 % band in which the numbers
    would lie if jobs were independent). Replications are pooled. One pass,
    O(n log lags). Errors: PlanError.

    >>> from jfsq_simpy import System, simulate
    >>> system = System(rates=[1.0], load=0.8, places=50)
    >>> trace = simulate(system, horizon=5000, warmup=50, engine="process", trace=True, rng=7).trace
    >>> table = autocorrelation(trace, 3)
    >>> bool((table.correlation[1:] > 10 * table.independent[1:]).all())
    True
    """
    import pandas as pd

    if isinstance(lags, bool) or not isinstance(lags, (int, np.integer)) or lags < 1:
        raise PlanError(f"lags = {lags} must be a whole number of jobs, at least 1.")
    sums = LaggedSums(int(lags))
    for number, x in _series(trace, of, window):
        sums.add(number, x)
    correlation = sums.correlation()
    band = np.full(correlation.size, 1.96 / math.sqrt(max(sums.n, 1)))
    band[0] = 0.0
    return pd.DataFrame({"lag": np.arange(correlation.size), "correlation": correlation, "independent": band})


def naive_and_honest(trace: Trace, *, of: Measured = "wait", window: Window | None = None, level: float = 0.95) -> pd.DataFrame:
    """The mean wait with two intervals: jobs taken for independent (wrong), and replications or batches.

    Columns: method, value, low, high, half_width, jobs (how many independent jobs would give this interval).

    >>> from jfsq_simpy import System, simulate
    >>> system = System(rates=[1.0], load=0.8, places=50)
    >>> trace = simulate(system, horizon=5000, warmup=50, engine="process", trace=True, rng=7).trace
    >>> table = naive_and_honest(trace)
    >>> bool(table.half_width[1] > 3 * table.half_width[0])
    True
    """
    import pandas as pd

    cells = Cells(trace, None, window)
    jobs, sums, squares = np.zeros(cells.shape), np.zeros(cells.shape), np.zeros(cells.shape)
    shift: float | None = None  # squares are taken about a value near the mean, or they would cancel
    for cell, time, _ in cells.times(of):
        if shift is None and time.size:
            shift = float(time.mean())
        jobs += cells.sums(cell)
        sums += cells.sums(cell, time)
        squares += cells.sums(cell, (time - (shift or 0.0)) ** 2)
    n = float(jobs.sum())
    if n < 2:
        raise PlanError(f"the window holds {n:.0f} jobs whose {of} is known; an interval needs two at least.")
    mean = float(sums.sum()) / n
    variance = max(float(squares.sum()) / n - (mean - (shift or 0.0)) ** 2, 0.0) * n / (n - 1)
    naive = float(scipy.stats.norm.ppf((1 + level) / 2)) * math.sqrt(variance / n)
    joins = pairs_to_join(sums[0], jobs[0]) if cells.what == "batches" else 0
    honest = ratio(join(sums[0], joins), join(jobs[0], joins), level, cells.what)
    half = float(honest.half_width)
    rows = [
        {
            "method": "jobs as if independent",
            "value": mean,
            "low": mean - naive,
            "high": mean + naive,
            "half_width": naive,
            "jobs": n,
        },
        {
            "method": f"{join(jobs[0], joins).size} {cells.what}",
            "value": mean,
            "low": float(honest.low),
            "high": float(honest.high),
            "half_width": half,
            "jobs": n * (naive / half) ** 2 if half > 0 else math.nan,
        },
    ]
    return pd.DataFrame(rows)


def _series(trace: Trace, of: Measured, window: Window | None) -> Iterator[tuple[int, FloatArray]]:
    """Known times of accepted jobs in the order of arrival, piece by piece, with the replication."""
    begin, end = checked_window(trace, window)
    several = REPLICATION in trace.names
    names = {"job", "server", "arrival", "start", "departure"} | ({REPLICATION} if several else set())
    for block in trace.blocks(*sorted(names)):
        counted = (block["job"] >= 0) & (block["server"] >= 0) & (block["arrival"] >= begin) & (block["arrival"] < end)
        x = measured_time(of, block)
        counted &= ~np.isnan(x)
        if not several:
            yield 0, x[counted]
            continue
        for number in np.unique(block[REPLICATION]).tolist():
            yield number, x[counted & (block[REPLICATION] == number)]


class LaggedSums:
    """Sums of products of values k places apart, k = 0 .. lags, over series that come in pieces."""

    def __init__(self, lags: int) -> None:
        self.lags = lags
        self.n = 0
        self.shift: float | None = None  # near the mean, so that products do not cancel
        self.products = np.zeros(lags + 1)
        self.series: list[Series] = []

    def add(self, number: int, x: FloatArray) -> None:
        """The next piece of series `number`; a new number begins a new series."""
        if not x.size:
            return
        if self.shift is None:
            self.shift = float(x.mean())
        if not self.series or self.series[-1].number != number:
            self.series.append(Series(number))
        y, before = x - self.shift, self.series[-1].tail
        reach = min(self.lags, before.size + y.size - 1)
        self.products[: reach + 1] += products(y, before, reach)
        self.n += y.size
        self.series[-1].append(y, self.lags)

    def correlation(self) -> FloatArray:
        """float array (lags + 1,): autocovariance about the mean of all values, over the variance; nan if there is none."""
        mean = sum(s.total for s in self.series) / max(self.n, 1)
        centred = self.products.copy()
        for s in self.series:
            # a product needs both its values in the series: the first k are never the later one, the last k never the earlier
            k = np.arange(min(self.lags, s.n) + 1)
            later = s.total - np.concatenate([[0.0], np.cumsum(s.head)])[k]
            earlier = s.total - np.concatenate([[0.0], np.cumsum(s.tail[::-1])])[k]
            centred[k] += mean * (mean * (s.n - k) - later - earlier)
        with np.errstate(invalid="ignore", divide="ignore"):
            return centred / centred[0] if centred[0] > 0 else np.full(centred.size, np.nan)


def products(y: FloatArray, before: FloatArray, reach: int) -> FloatArray:
    """Sum over i of y[i] times the value k places before it, k = 0 .. reach, where `before` stands before y.

    >>> products(np.array([1.0, 2.0]), np.array([3.0]), 2).round(12).tolist()
    [5.0, 5.0, 6.0]
    """
    joined = np.concatenate([before, y])
    n = 1 << (joined.size + y.size).bit_length()  # long enough that nothing wraps around onto itself
    circular = np.fft.irfft(np.conj(np.fft.rfft(y, n)) * np.fft.rfft(joined, n), n)
    return np.asarray(circular[before.size - np.arange(reach + 1)])


class Series:
    """What is kept of a series: its length and sum, its first and last values."""

    def __init__(self, number: int) -> None:
        self.number, self.n, self.total = number, 0, 0.0
        self.head = self.tail = np.empty(0)

    def append(self, y: FloatArray, lags: int) -> None:
        self.n += y.size
        self.total += float(y.sum())
        self.head = np.concatenate([self.head, y[: lags - self.head.size]])
        self.tail = np.concatenate([self.tail, y])[-lags:]
