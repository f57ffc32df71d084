"""Equal servers with two places each, exactly, to N = 10^4 and beyond: the truth behind the order curves.

In    N, load; JFSQ or JSQ with any tie rule (equal servers: the same law of counts)
Out   p_W, p_B, means, the laws of idle servers and of waiting jobs
Rule  nothing is subtracted, so p_W = 2e-26 has all its digits: for each number y of servers with two jobs,
      the idle servers are a birth and death process with killing, and levels y are joined by their flow
Cost  O(N x most waiting jobs kept), about 1 s at N = 10^4 compiled; N = 1000 is the most without Numba
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import stats

from jfsq_simpy.errors import ModelError, TooLargeError
from jfsq_simpy.rates import FloatArray

NEGLIGIBLE = 75.0  # e^-75: waiting jobs are kept up to where their tail, about load^y, is below that
MOST_UNCOMPILED = 1000
MOST_STEPS = 4e9
LARGE = 1e200  # levels are rescaled before they leave floats: P(no waiting jobs) may be 1e2000 times P(most)


@dataclass(frozen=True, eq=False)
class TwoPlaces:
    """The stationary law of N equal servers with b = 2 under JFSQ (or JSQ).

    Waiting jobs are kept until their tail is below e^-75; p_B is 0 where that is before all N have two.
    """

    n_servers: int
    load: float
    idle_law: FloatArray  # (N + 1,): P(x servers idle)
    waiting_law: FloatArray  # (most + 1,): P(y jobs waiting)
    waiting_probability: float
    blocking_probability: float
    mean_jobs: float
    variance_of_jobs: float

    @property
    def mean_waiting_jobs(self) -> float:
        """E[Q_W]."""
        return float(self.waiting_law @ np.arange(self.waiting_law.size))

    @property
    def mean_idle(self) -> float:
        """E of idle servers."""
        return float(self.idle_law @ np.arange(self.idle_law.size))

    @property
    def mean_wait(self) -> float:
        """E[W] of accepted jobs: a job that waits does so one service."""
        return self.mean_waiting_jobs / (self.load * self.n_servers * (1 - self.blocking_probability))

    def idle_among(self, m: int) -> float:
        """E of idle servers among any m, ties uniform: the idle ones are a uniform sample."""
        return m * self.mean_idle / self.n_servers

    def idle_tail(self, m: int, at_least: float) -> float:
        """P(at least so many idle among m given servers), ties uniform: hypergeometric given the idle ones."""
        counts = np.flatnonzero(self.idle_law > 0)
        inside = stats.hypergeom.sf(math.ceil(at_least) - 1, self.n_servers, counts, m)
        return float(self.idle_law[counts] @ inside)


@lru_cache(maxsize=32)
def two_places(n_servers: int, load: float) -> TwoPlaces:
    """Solve N equal servers with b = 2 exactly. Errors: ModelError, TooLargeError.

    >>> law = two_places(2, 0.9)
    >>> bool(abs(law.waiting_probability + law.idle_law[1:].sum() - 1) < 1e-15)
    True
    """
    if n_servers < 1 or not 0 < load < math.inf:
        raise ModelError(f"N = {n_servers} and load = {load} must be at least 1 and above 0.")
    most = n_servers if load >= 1 else min(n_servers, math.ceil(NEGLIGIBLE / -math.log(load)) + 10)
    sweep, compiled = _sweep()
    if float(n_servers) * most > MOST_STEPS or (not compiled and n_servers > MOST_UNCOMPILED):
        raise TooLargeError(
            f"N = {n_servers:,} at load {load:.6g} is {n_servers * most:.2g} steps; "
            + ("use a smaller N." if compiled else f"without Numba N = {MOST_UNCOMPILED} is the most; install jfsq_simpy[fast].")
        )
    idle, waiting, all_busy, full, jobs, squares = sweep(n_servers, load * n_servers, most)
    total = float(idle.sum())
    mean = jobs / total
    return TwoPlaces(
        n_servers, load, idle / total, waiting / total, all_busy / total, full / total, mean, squares / total - mean * mean
    )


def _levels(n: int, arrival_rate: float, most: int) -> Any:
    """All unnormalised sums, from `most` waiting jobs down to none; see the module's head.

    Level y: state x has x idle servers, y with two jobs, n - x - y with one. A job leads x -> x - 1 (from
    x = 0 to level y + 1), a service x -> x + 1 (rate n - x - y) or to level y - 1 (rate y).
    """
    a = arrival_rate
    idle, waiting = np.zeros(n + 1), np.zeros(most + 1)
    above, here = np.zeros(n + 2), np.zeros(n + 2)
    leave, source = np.zeros(n + 2), np.zeros(n + 2)
    all_busy = full = jobs = squares = 0.0
    for y in range(most, -1, -1):
        top = n - y
        # leave[x]: rate of leaving the level from x before x - 1 is reached; source[x]: what flows in at x or above
        leave[top], source[top] = y, (y + 1) * above[top] if y < most else 0.0
        for x in range(top - 1, -1, -1):
            back = 1.0 / (a + leave[x + 1])
            leave[x] = y + (n - x - y) * leave[x + 1] * back
            source[x] = ((y + 1) * above[x] if y < most else 0.0) + source[x + 1] * a * back
        up = a if y < most else 0.0
        if y == most:
            entering = 1.0  # the scale is free
        else:
            # flow into y from below = flow from y to below: entering = y (S_u + entering S_v), 1 - y S_v = a v_0
            before = source[0] / (up + leave[0])
            total = before
            for x in range(top):
                before = (source[x + 1] + before * (n - x - y)) / (a + leave[x + 1])
                total += before
            entering = y * total * (up + leave[0]) / a
        here[0] = (source[0] + entering) / (up + leave[0])
        for x in range(top):
            here[x + 1] = (source[x + 1] + here[x] * (n - x - y)) / (a + leave[x + 1])
        level = 0.0
        for x in range(top + 1):
            p = here[x]
            level += p
            idle[x] += p
            present = n - x + y
            jobs += p * present
            squares += p * present * present
            above[x] = p
        above[top + 1] = 0.0
        waiting[y] = level
        all_busy += here[0]
        if y == n:
            full = here[0]
        if level > LARGE:
            for x in range(n + 1):
                idle[x] /= LARGE
                above[x] /= LARGE
            for j in range(most + 1):
                waiting[j] /= LARGE
            all_busy, full, jobs, squares = all_busy / LARGE, full / LARGE, jobs / LARGE, squares / LARGE
    return idle, waiting, all_busy, full, jobs, squares


@lru_cache(maxsize=1)
def _sweep() -> tuple[Callable[..., Any], bool]:
    try:
        import numba
    except ImportError:
        return _levels, False
    return numba.njit(cache=True)(_levels), True
