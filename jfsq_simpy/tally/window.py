"""When to measure: a window of time, cut into batches, with a grid of snapshots in it.

In    a warm-up, a length, a number of batches
Out   a Window: where batches begin and end, and how many snapshots come before any time
Rule  snapshot k is at warmup + k / 8, rounded once; the window's end is no longer part of it
Cost  O(1) a time asked for; the grid itself is made on demand only
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy.errors import PlanError
from jfsq_simpy.rates import FloatArray, IntArray

SNAPSHOTS_PER_UNIT = 8


@dataclass(frozen=True)
class Window:
    """When to measure: from `warmup` for `length` time units, cut into `batches` equal parts."""

    warmup: float
    length: float
    batches: int = 1
    drain: float = math.inf  # how long after the window to wait for its jobs to leave

    def __post_init__(self) -> None:
        if not (math.isfinite(self.warmup) and self.warmup >= 0):
            raise PlanError(f"warmup = {self.warmup} must be a finite time, at or above 0.")
        if not (math.isfinite(self.length) and self.length > 0):
            raise PlanError(f"horizon = {self.length} must be a finite time above 0: it is how long to measure after the warm-up.")
        if self.batches < 1:
            raise PlanError(f"batches = {self.batches} must be at least 1.")
        if not self.drain >= 0:
            raise PlanError(f"drain = {self.drain} must be a time at or above 0.")

    @property
    def end(self) -> float:
        """The first instant after the window."""
        return self.warmup + self.length

    @property
    def edges(self) -> FloatArray:
        """float array (batches + 1,): where batches begin and the last one ends."""
        return self.warmup + self.length * (np.arange(self.batches + 1) / self.batches)

    def snapshot_times(self) -> FloatArray:
        """The grid of 1/8 time unit inside the window. O(length) memory."""
        return self._grid(np.arange(int(self.snapshots_before(self.end))))

    def snapshots_before(self, times: float | FloatArray, inclusive: ArrayLike = False) -> IntArray:
        """How many snapshots of the window come before each time (or at it, where `inclusive`); the grid is not stored.

        >>> Window(1.0, 0.5).snapshots_before(np.array([0.0, 1.0, 1.25, 9.0]), inclusive=[False, True, False, False])
        array([0, 1, 2, 4])
        """
        inside = np.clip(times, self.warmup, self.end)
        # a product is rounded, so step from below to the first grid point that does not come before
        n = np.maximum(np.ceil((inside - self.warmup) * SNAPSHOTS_PER_UNIT).astype(np.int64) - 2, 0)
        for _ in range(4):
            point = self._grid(n)
            n += (point < self.end) & ((point < times) | (np.asarray(inclusive) & (point == times)))
        return n

    def _grid(self, numbers: IntArray) -> FloatArray:
        return np.asarray(self.warmup + numbers / SNAPSHOTS_PER_UNIT)
