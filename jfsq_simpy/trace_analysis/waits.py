"""How long jobs wait, how long they stay: tails, quantiles and means with honest intervals.

In    a Trace, in memory or on disk
Out   DataFrames: one row a group and time (probability, part), with value, low, high
Rule  intervals rest on replications or batches, never on single jobs (nan where one of them holds all jobs of a
      group); quantiles are order statistics of the jobs, not read off bins. A level or a speed that took no job has
      no rows; a slice of time keeps its own, nan where nobody came, so that it shows as a gap
Cost  one pass over the rows for a tail or a mean, nine for quantiles; memory O(block + groups x units)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.trace_analysis.cells import By, Cells, Measured, Window
from jfsq_simpy.trace_analysis.intervals import Interval, join, neighbour_correlation, pairs_to_join, ratio, share
from jfsq_simpy.trace_analysis.selection import order_statistics

if TYPE_CHECKING:
    import pandas as pd


def ccdf(
    trace: Trace,
    times: ArrayLike,
    *,
    of: Measured = "wait",
    by: By = None,
    window: Window | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """P(wait > t) of accepted jobs at the times given, exactly counted.

    Columns: [by,] t, value, low, high, jobs. `of` is "wait", "response" or "service"; `by` splits by "speed"
    class, by "level" found or over "time". `.attrs` says level, units and method. One pass. Errors: PlanError.

    >>> from jfsq_simpy import System, simulate
    >>> system = System(rates=[1.0], load=0.5, places=50)
    >>> trace = simulate(system, horizon=2e4, warmup=20, engine="process", trace=True, rng=7).trace
    >>> table = ccdf(trace, [0.0, 2.0])
    >>> bool((table.low < 0.5 * np.exp(-0.5 * table.t)).all() and (table.high > 0.5 * np.exp(-0.5 * table.t)).all())  # M/M/1
    True
    """
    t = _checked_times(times)
    cells = Cells(trace, by, window)
    jobs, above, total, unknown = _count_above(cells, of, t)
    joins = _joins(cells, total, jobs)
    jobs, above = join(jobs, joins), join(above, joins)
    tail = share(above, np.broadcast_to(jobs[:, None, :], above.shape), _checked_level(level), cells.what)
    columns = {"t": np.tile(t, cells.n_groups), **_numbers(tail), "jobs": np.repeat(jobs.sum(axis=-1), t.size).astype(np.int64)}
    return _table(cells, columns, t.size, _attrs(cells, of, level, jobs, total, joins, unknown))


def quantiles(
    trace: Trace,
    p: ArrayLike = (0.5, 0.9, 0.99),
    *,
    of: Measured = "wait",
    by: By = None,
    window: Window | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """The smallest wait that a share p of the accepted jobs does not exceed, with its interval.

    The interval is that of the tail at the quantile, read back through the order statistics (Woodruff
    1952); `high` is infinite where the sample does not reach far enough. Columns: [by,] p, value, low,
    high, jobs. Nine passes. Errors: PlanError.

    >>> from jfsq_simpy import System, simulate
    >>> system = System(rates=[1.0], load=0.5, places=50)
    >>> trace = simulate(system, horizon=2e4, warmup=20, engine="process", trace=True, rng=7).trace
    >>> table = quantiles(trace, [0.4, 0.9])  # M/M/1: 0, and 2 log 5 = 3.219
    >>> table.value[0].item(), bool(table.low[1] < 2 * np.log(5) < table.high[1])
    (0.0, True)
    """
    probabilities = _checked_probabilities(p)
    cells = Cells(trace, by, window)
    groups = np.repeat(np.arange(cells.n_groups), probabilities.size)
    wanted = np.tile(probabilities, cells.n_groups)
    n = _jobs_by_group(cells, of)[groups]
    value = order_statistics(cells, of, groups, _rank(wanted, n), n)
    jobs, above, total, unknown = _count_above(cells, of, value.reshape(cells.n_groups, -1))
    joins = _joins(cells, total, jobs)
    jobs, above = join(jobs, joins), join(above, joins)
    tail = ratio(above, np.broadcast_to(jobs[:, None, :], above.shape), _checked_level(level), cells.what)
    half = tail.half_width.ravel()
    ends = np.concatenate([wanted - half, wanted + half])  # nan where one unit holds all jobs
    twice = np.tile(n, 2)
    limits = order_statistics(cells, of, np.tile(groups, 2), _rank(np.clip(np.nan_to_num(ends), 0, 1), twice), twice)
    limits = np.where(ends >= 1, np.inf, np.where(np.isnan(ends), np.nan, limits))
    found = Interval(value, limits[: value.size], limits[value.size :])
    columns = {"p": wanted, **_numbers(found), "jobs": n}
    return _table(cells, columns, probabilities.size, _attrs(cells, of, level, jobs, total, joins, unknown))


def decomposition(trace: Trace, *, by: By = None, window: Window | None = None, level: float = 0.95) -> pd.DataFrame:
    """Mean response, taken apart: wait and service, with their shares of it.

    Columns: [by,] part ("wait", "service", "response"), mean, low, high, share, jobs. Jobs that left. A level
    nobody found, or a speed that took no job, has no rows. One pass. Errors: PlanError.

    >>> from jfsq_simpy import System, simulate
    >>> system = System(rates=[1.5, 0.5], load=0.8, places=5)
    >>> trace = simulate(system, horizon=2000, warmup=20, engine="process", trace=True, rng=7).trace
    >>> mean = decomposition(trace).set_index("part")["mean"]
    >>> bool(abs(mean["wait"] + mean["service"] - mean["response"]) < 1e-9)
    True
    """
    cells = Cells(trace, by, window)
    parts: list[Measured] = ["wait", "service", "response"]
    jobs, sums, unknown = np.zeros(cells.shape), np.zeros((3, *cells.shape)), 0
    for part in cells.parts("start", "departure"):
        c = part.columns
        left = ~np.isnan(c["departure"])
        unknown += int(np.count_nonzero(~left))
        jobs += cells.sums(part.cell[left])
        sums[0] += cells.sums(part.cell[left], (c["start"] - c["arrival"])[left])
        sums[1] += cells.sums(part.cell[left], (c["departure"] - c["start"])[left])
        sums[2] += cells.sums(part.cell[left], (c["departure"] - c["arrival"])[left])
    joins = _joins(cells, sums[2], jobs)
    jobs, total, sums = join(jobs, joins), sums[2], join(sums, joins).transpose(1, 0, 2)
    mean = ratio(sums, np.broadcast_to(jobs[:, None, :], sums.shape), _checked_level(level), cells.what)
    with np.errstate(invalid="ignore"):
        of_response = mean.value / mean.value[:, 2:]
    columns = {"part": np.tile(parts, cells.n_groups), **_numbers(mean, "mean"), "share": of_response.ravel()}
    columns["jobs"] = np.repeat(jobs.sum(axis=-1), 3).astype(np.int64)
    return _table(cells, columns, 3, _attrs(cells, "response", level, jobs, total, joins, unknown))


# ---- counting ------------------------------------------------------------------------------------------------


def _count_above(cells: Cells, of: Measured, t: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, int]:
    """Jobs (groups, units), jobs above each time (groups, times, units), sum of times (groups, units), unknown.

    `t` : (times,), or (groups, times) where each group has its own.
    """
    own = np.broadcast_to(t, (cells.n_groups, t.shape[-1]))
    order = np.argsort(own, axis=1)
    counts = np.zeros((cells.n_groups * cells.n_units, own.shape[1] + 1))
    total, unknown = np.zeros(cells.shape), 0
    for cell, time, missing in cells.times(of):
        unknown += missing
        total += cells.sums(cell, time)
        # how many of its group's times a job's time is above: their rank among them
        rank = _rank_among(np.take_along_axis(own, order, axis=1), cell // cells.n_units, time)
        counts += np.bincount(cell * counts.shape[1] + rank, minlength=counts.size).reshape(counts.shape)
    above = np.cumsum(counts[:, :0:-1], axis=1)[:, ::-1].reshape(*cells.shape, -1)
    unsorted = np.empty_like(above)
    np.put_along_axis(unsorted, np.broadcast_to(order[:, None, :], above.shape), above, axis=2)
    return counts.sum(axis=1).reshape(cells.shape), unsorted.transpose(0, 2, 1), total, unknown


def _rank_among(edges: FloatArray, group: Any, time: FloatArray) -> Any:
    """How many of its group's edges (ascending) are below each time."""
    rank = np.empty(time.size, np.int64)
    for g in range(edges.shape[0]):
        here = slice(None) if edges.shape[0] == 1 else group == g
        rank[here] = np.searchsorted(edges[g], time[here], side="left")
    return rank


def _jobs_by_group(cells: Cells, of: Measured) -> Any:
    jobs = np.zeros(cells.n_groups, np.int64)
    for cell, _, _ in cells.times(of):
        jobs += np.bincount(cell // cells.n_units, minlength=cells.n_groups)
    return jobs


def _rank(p: FloatArray, n: Any) -> Any:
    """Number, from 0, of the order statistic that is the p-quantile of n values: F first reaches p there."""
    # p n may be a hair above a whole number for want of a binary p: 0.7 * 10
    return np.clip(np.ceil(p * n * (1 - 1e-12)).astype(np.int64) - 1, 0, np.maximum(n - 1, 0))


def _joins(cells: Cells, total: FloatArray, jobs: FloatArray) -> int:
    if cells.what == "replications" or cells.by == "time":
        return 0
    return pairs_to_join(total.sum(axis=0), jobs.sum(axis=0))


# ---- tables --------------------------------------------------------------------------------------------------


def _numbers(interval: Interval, name: str = "value") -> dict[str, Any]:
    return {name: interval.value.ravel(), "low": interval.low.ravel(), "high": interval.high.ravel()}


def _table(cells: Cells, columns: dict[str, Any], rows_a_group: int, attrs: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    if cells.by is not None:
        columns = {cells.by: np.repeat(cells.labels, rows_a_group), **columns}
    table = pd.DataFrame(columns)
    if cells.by in ("level", "speed"):
        table = table[table["jobs"] > 0].reset_index(drop=True)
    table.attrs.update(attrs)
    return table


def _attrs(
    cells: Cells, of: Measured, level: float, jobs: FloatArray, total: FloatArray, joins: int, unknown: int
) -> dict[str, Any]:
    """What the intervals rest on."""
    units = int(jobs.shape[-1])
    attrs: dict[str, Any] = {
        "of": of,
        "level": level,
        "window": (cells.begin, cells.end),
        "units": units,
        "method": f"{units} {cells.what}{' a slice' if cells.by == 'time' else ''}, jackknife, Student t",
        "unknown": unknown,
    }
    if cells.what == "batches" and cells.by != "time":
        with np.errstate(invalid="ignore", divide="ignore"):
            attrs["batch_correlation"] = neighbour_correlation(join(total.sum(axis=0), joins) / jobs.sum(axis=0))
    return attrs


def _checked_times(times: ArrayLike) -> FloatArray:
    t = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if t.ndim != 1 or not t.size or not np.isfinite(t).all():
        raise PlanError("times must be one or more finite numbers.")
    return t


def _checked_probabilities(p: ArrayLike) -> FloatArray:
    values = np.atleast_1d(np.asarray(p, dtype=np.float64))
    if values.ndim != 1 or not values.size or not ((values > 0) & (values < 1)).all():
        raise PlanError("p must be one or more probabilities strictly between 0 and 1, for example 0.9.")
    return values


def _checked_level(level: float) -> float:
    if not 0 < level < 1:
        raise PlanError(f"level = {level} must lie between 0 and 1: the confidence level of the intervals, for example 0.95.")
    return level
