"""Given arrivals and sizes as laws, so that an engine meets exactly those jobs.

In    arrival times and sizes in model time, the arrival rate the System will have
Out   two Laws that end with the log
Rule  the engine divides a gap by the arrival rate and adds it to its clock, rounding twice; gaps are
      chosen so that the clock still shows the given time. Rounding errors do not add up
Cost  a few passes over the arrays; 16 bytes a job

`laws.RecordedGaps` and `RecordedSizes` divide by their means, as laws do; here nothing is divided, because in
a log with coarse time stamps a departure and an arrival of one instant must stay at one instant.
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.laws.law import FloatArray
from jfsq_simpy.laws.parameters import fingerprint
from jfsq_simpy.laws.recorded import Recorded

NEIGHBOURS = 3  # floats tried on either side of the plain gap
ROUNDS = 64  # a clock off by one rounding is mended at the next job; this many times at most


class GivenGaps(Recorded):
    """Gaps that bring the clock of an engine to each of `arrival`, float array (n,), ascending."""

    name = "given_gaps"
    use = "gaps"

    def __init__(self, arrival: FloatArray, arrival_rate: float) -> None:
        self.n, self.factor, self.sha256 = arrival.size, 1.0, fingerprint(arrival)
        self._values = gaps_to(arrival, arrival_rate)


class GivenSizes(Recorded):
    """Sizes as they are, float array (n,), not rescaled to mean 1."""

    name = "given_sizes"
    use = "sizes"

    def __init__(self, size: FloatArray) -> None:
        self.n, self.factor, self.sha256 = size.size, 1.0, fingerprint(size)
        self._values = size

    @property
    def mean(self) -> float:
        return float(self._values.mean())

    @property
    def variance(self) -> float:
        return float(self._values.var())


def gaps_to(arrival: FloatArray, arrival_rate: float) -> FloatArray:
    """Gaps v with clock_k = clock_{k-1} + v_k / rate equal to arrival_k, float array (n,).

    Exact wherever some float leads there; else within one rounding, and exact again at the next instant. A gap
    short beside the clock leads there, so only the first few jobs can be off; none is where times are whole
    numbers (of some power of 2) and the rate is a power of 2.

    >>> arrival = np.array([0.5, 0.6, 0.6, 0.9])
    >>> np.array_equal(np.cumsum(gaps_to(arrival, 0.7) / 0.7), arrival)
    True
    """
    before = np.concatenate([[0.0], arrival[:-1]])
    gaps = np.empty_like(arrival)
    todo = np.arange(arrival.size)
    for _ in range(ROUNDS):
        gaps[todo] = _best_gap(before[todo], arrival[todo], arrival_rate)
        clock = before + gaps / arrival_rate
        # where a job comes a rounding early or late, the next one's gap starts from there
        wrong = np.flatnonzero(before[1:] != clock[:-1]) + 1
        if not wrong.size:
            break
        before[wrong], todo = clock[wrong - 1], wrong
    return gaps


def _best_gap(before: FloatArray, after: FloatArray, rate: float) -> FloatArray:
    best = np.maximum(after - before, 0.0) * rate
    off = np.abs(before + best / rate - after)
    up = down = best
    for _ in range(NEIGHBOURS):
        if not off.any():
            break
        up, down = np.nextafter(up, np.inf), np.nextafter(down, 0.0)
        for candidate in (up, down):
            miss = np.abs(before + candidate / rate - after)
            better = miss < off
            best, off = np.where(better, candidate, best), np.where(better, miss, off)
    return best
