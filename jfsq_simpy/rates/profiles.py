"""Fleets by a formula: how speeds fall from the fastest server to the slowest.

In    N and a shape, or groups of equal servers
Out   Rates, rescaled to sum N (`time_unit` keeps the factor)
Rule  `ratio` is always fastest over slowest; servers of equal speed share a class whatever they are called
Cost  O(N) where every server has a speed of its own, O(groups) otherwise
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.rates.fleet import Rates
from jfsq_simpy.rates.given import grouped
from jfsq_simpy.rates.limits import FloatArray, checked_ratio, distinct_count, finite_positive, is_number, server_count


def homogeneous(n_servers: int) -> Rates:
    """N servers of rate 1: the case of most of the literature.

    O(1). Errors: ModelError.

    >>> homogeneous(10**9).counts
    array([1000000000])
    """
    n = server_count(n_servers)
    return Rates(np.array([1.0]), np.array([n]))


def two_speed(n_servers: int, ratio: float, fast_share: float = 0.5) -> Rates:
    """A share of fast servers, the rest slower by `ratio` (fast over slow, >= 1).

    `fast_share * N` is rounded to the nearest whole number of servers. O(1). Errors: ModelError.

    >>> two_speed(4, ratio=3).vector()
    array([1.5, 1.5, 0.5, 0.5])
    """
    n, ratio = server_count(n_servers), checked_ratio(ratio)
    if not (is_number(fast_share) and 0 < fast_share < 1):
        raise ModelError(f"rates.fast_share = {fast_share} must lie between 0 and 1: it is the share of fast servers.")
    fast = round(fast_share * n)
    return classes([c for c in (fast, n - fast) if c], [s for c, s in ((fast, ratio), (n - fast, 1.0)) if c])


def linear(n_servers: int, ratio: float) -> Rates:
    """Rates falling in equal steps from the fastest to the slowest; `ratio` is fastest over slowest.

    O(N): 8 bytes a server. Errors: ModelError, TooLargeError.

    >>> linear(3, ratio=3).vector()
    array([1.5, 1. , 0.5])
    """
    n, ratio = distinct_count(n_servers), checked_ratio(ratio)
    return _distinct(np.linspace(ratio, 1.0, n) if n > 1 else np.ones(1), ratio)


def geometric(n_servers: int, ratio: float) -> Rates:
    """Rates falling by a constant factor; `ratio` is fastest over slowest.

    O(N): 8 bytes a server. Errors: ModelError, TooLargeError.

    >>> geometric(3, ratio=4).vector() * 7 / 3
    array([4., 2., 1.])
    """
    n, ratio = distinct_count(n_servers), checked_ratio(ratio)
    return _distinct(np.geomspace(ratio, 1.0, n) if n > 1 else np.ones(1), ratio)


def pareto(n_servers: int, shape: float) -> Rates:
    """The N mid-quantiles of a Pareto law of the given shape (> 1), so no randomness: a few very fast servers.

    Server n has speed proportional to ((n - 1/2) / N)^(-1/shape). O(N): 8 bytes a server.
    Errors: ModelError, TooLargeError.

    >>> bool(pareto(100, shape=2).fastest > 5)
    True
    """
    n = distinct_count(n_servers)
    if not (is_number(shape) and shape > 1):
        raise ModelError(f"rates.shape = {shape} must be a finite number above 1: below, the law has no mean to scale by.")
    return _distinct(((np.arange(1, n + 1) - 0.5) / n) ** (-1.0 / shape), n)


def classes(counts: Sequence[int], speeds: Sequence[float]) -> Rates:
    """Groups of equal servers, say three machine generations: how many, and how fast (any unit; rescaled).

    O(groups), whatever N. Errors: ModelError, TooLargeError.

    >>> classes([600, 300, 100], [1.0, 1.5, 2.0]).speeds * 1.25
    array([2. , 1.5, 1. ])
    """
    if len(counts) != len(speeds):
        raise ModelError(f"rates: {len(counts)} counts but {len(speeds)} speeds; give one speed for each count.")
    values = finite_positive(speeds, "rates.speeds")
    sizes = np.array([server_count(c, "rates.counts") for c in counts], dtype=np.int64)
    mean = float(values @ sizes) / float(sizes.sum())
    speed, place = np.unique(-values / mean, return_inverse=True)
    merged = np.zeros(speed.size, dtype=np.int64)
    np.add.at(merged, place, sizes)
    return Rates(-speed, merged, time_unit=1.0 / mean)


def _distinct(speeds: FloatArray, spread: float) -> Rates:
    n = speeds.size
    if spread == 1.0:
        return homogeneous(n)
    mean = float(speeds.mean())
    speeds /= mean
    if np.any(speeds[1:] >= speeds[:-1]):
        return grouped(speeds, time_unit=1.0 / mean, labels=None)
    # One shared 1 for all counts: a fleet of 10^8 distinct servers keeps 8 bytes each, not 16.
    return Rates(speeds, np.broadcast_to(np.int64(1), (n,)), time_unit=1.0 / mean)
