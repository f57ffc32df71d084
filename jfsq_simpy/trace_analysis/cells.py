"""Which jobs count, in which group, and in which unit: the ground every table of a trace stands on.

In    a Trace, a window, what to group by
Out   sums by (group, unit), gathered in one pass over the rows
Rule  units are replications, or batches of consecutive time where there is only one: never single jobs.
      Jobs count by *arrival* in the window; blocked ones and those present at time 0 never do
Cost  O(n) a pass; memory O(groups x units) beside a block of rows
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs.counting import Columns
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.jobs.trace_rows import REPLICATION
from jfsq_simpy.rates import FloatArray, IntArray

Measured = Literal["wait", "response", "service"]
By = Literal["speed", "level", "time"] | None
Window = tuple[float, float]

BATCHES = 32  # of a single replication; joined in pairs later where neighbours are correlated
BATCHES_A_SLICE = 8  # of a single replication when grouped by time
SLICES = 10
MOST_SPEEDS = 64  # above, adjacent speeds share a group
NEEDS = {"wait": ("arrival", "start"), "response": ("arrival", "departure"), "service": ("start", "departure")}


def measured_time(of: Measured, block: Columns) -> FloatArray:
    """The time measured, of each row; nan where it is not known."""
    begin, end = NEEDS[of]
    return np.asarray(block[end] - block[begin])


@dataclass(frozen=True)
class Part:
    """The counted jobs of a block: the cell of each (group * n_units + unit), the columns asked for."""

    cell: IntArray
    columns: Columns


class Cells:
    """Groups and units of a trace.

    Parameters
    ----------
    by : None, "speed" (class of the server that took the job), "level" (jobs it found there) or "time"
        (equal slices of the window, by arrival)
    window : (begin, end) in model time; default the measured part, or the whole trace where that is not known

    `labels` (n_groups,) is what a group is called: its speed (the mean, where more than 64 speeds share
    groups), its level, or when its slice begins.
    """

    def __init__(self, trace: Trace, by: By = None, window: Window | None = None) -> None:
        if by not in (None, "speed", "level", "time"):
            raise PlanError(f'by = {by!r} must be "speed", "level", "time" or None.')
        self.trace, self.by = trace, by
        self.begin, self.end = checked_window(trace, window)
        self.numbers = np.sort(np.array(trace.facts.replications))
        several = self.numbers.size > 1
        self.what = "replications" if several else "batches"
        self.n_units = self.numbers.size if several else BATCHES_A_SLICE if by == "time" else BATCHES
        self.labels, self.needs, self._group = self._grouping()

    @property
    def n_groups(self) -> int:
        return int(self.labels.size)

    @property
    def shape(self) -> tuple[int, int]:
        return self.n_groups, self.n_units

    # ---- groups ----

    def _grouping(self) -> tuple[NDArray[Any], tuple[str, ...], Callable[[Columns], IntArray]]:
        if self.by == "speed":
            labels, edges = _speed_groups(self.trace)
            return labels, ("speed",), lambda c: np.searchsorted(-edges, -c["speed"], side="right") - 1
        if self.by == "level":
            return np.arange(self.trace.facts.places), ("level",), lambda c: c["level"].astype(np.int64)
        if self.by == "time":
            begins = self.begin + (self.end - self.begin) * np.arange(SLICES) / SLICES
            return begins, (), lambda c: self._fine(c["arrival"], SLICES)
        return np.zeros(1), (), lambda c: np.zeros(c["arrival"].size, np.int64)

    def _fine(self, arrival: FloatArray, parts: int) -> IntArray:
        """Which of `parts` equal stretches of the window a time lies in."""
        return np.minimum(((arrival - self.begin) * (parts / (self.end - self.begin))).astype(np.int64), parts - 1)

    def unit(self, c: Columns) -> IntArray:
        if self.what == "replications":
            return np.searchsorted(self.numbers, c[REPLICATION])
        parts = self.n_units * (SLICES if self.by == "time" else 1)
        return self._fine(c["arrival"], parts) % self.n_units

    # ---- jobs ----

    def parts(self, *names: str) -> Iterator[Part]:
        """The accepted jobs of the window, block by block, with the columns asked for."""
        wanted = {"job", "server", "arrival", *self.needs, *names}
        if self.what == "replications":
            wanted.add(REPLICATION)
        for block in self.trace.blocks(*sorted(wanted)):
            counted = (block["job"] >= 0) & (block["server"] >= 0)
            counted &= (block["arrival"] >= self.begin) & (block["arrival"] < self.end)
            c = {name: column[counted] for name, column in block.items()}
            yield Part(self._group(c) * self.n_units + self.unit(c), c)

    def times(self, of: Measured) -> Iterator[tuple[IntArray, FloatArray, int]]:
        """Cells and times of the jobs whose time is known, and how many are not known, block by block."""
        for part in self.parts(*NEEDS[of]):
            time = measured_time(of, part.columns)
            known = ~np.isnan(time)
            yield part.cell[known], time[known], int(np.count_nonzero(~known))

    def sums(self, cell: IntArray, weights: NDArray[Any] | None = None) -> FloatArray:
        """Counts, or sums of weights, float array (n_groups, n_units)."""
        return np.bincount(cell, weights, minlength=self.n_groups * self.n_units).astype(np.float64).reshape(self.shape)


def checked_window(trace: Trace, window: Window | None) -> Window:
    """The window asked for, or the measured part, or all of the trace. Errors: PlanError."""
    window = window if window is not None else trace.facts.window
    if window is None:
        last = max((float(block["arrival"].max()) for block in trace.blocks("arrival") if block["arrival"].size), default=0.0)
        return 0.0, math.nextafter(last, math.inf)
    begin, end = float(window[0]), float(window[1])
    if not (math.isfinite(begin) and math.isfinite(end) and begin < end):
        raise PlanError(f"window = ({begin}, {end}) must be two finite times, the first before the second.")
    return begin, end


def _speed_groups(trace: Trace) -> tuple[FloatArray, FloatArray]:
    """Mean speed of each group and its fastest, fastest group first."""
    found = np.empty(0)
    for block in trace.blocks("speed"):
        found = np.union1d(found, block["speed"][~np.isnan(block["speed"])])
    speeds = found[::-1]
    bands = np.array_split(speeds, min(max(speeds.size, 1), MOST_SPEEDS))
    means = np.array([band.mean() if band.size else np.nan for band in bands])
    return means, np.array([band[0] if band.size else np.nan for band in bands])
