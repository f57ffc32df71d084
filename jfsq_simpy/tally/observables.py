"""What else to count at snapshots: cells, tails and powers that a theorem or a figure asks for.

In    what the caller wants to know, as edges, thresholds and powers
Out   Observables, the same request to every engine
Rule  asked for before the run, and counted alike by twin engines: integers exactly, floats to the last bit
Cost  a few comparisons a snapshot for each thing asked for; `path` alone grows with the run
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.rates import FloatArray

SURGE_POWERS = 4  # powers, from 0 on, of how crowded it is, by which surges of arrivals are weighted


@dataclass(frozen=True)
class Observables:
    """What else to count at snapshots; the caller knows why, engines only how.

    `joint` : two increasing integer edge arrays, waiting jobs and idle servers; counts of cells [e_i, e_i+1)
    `tails` : triples (a, c, t); how many snapshots had min(waiting - a, c - busy) >= t
    `idle_tails` : pairs (m, t); how many had at least t idle servers among the m fastest
    `powers` : pairs (eta, r), r >= 1 whole; sums over snapshots of ((mean queue - eta)+)^r
    `surges` : a pair (centre, scale), chain view only; sums over snapshots of the surge times c^k, k = 0 .. 3: the surge is
        the arrivals until the next snapshot less their expectation, and c = x / sqrt(1 + x^2), between -1 and 1, says how
        crowded it is, with x = (jobs present - centre) / scale
    `path` : keep the number of jobs present at every snapshot (memory grows with the run)
    """

    joint: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    tails: tuple[tuple[float, float, float], ...] = ()
    idle_tails: tuple[tuple[int, float], ...] = ()
    powers: tuple[tuple[float, int], ...] = ()
    path: bool = False
    surges: tuple[float, float] | None = None

    @property
    def joint_shape(self) -> tuple[int, int]:
        """Cells of the joint histogram; (0, 0) when it is not wanted."""
        return (len(self.joint[0]) - 1, len(self.joint[1]) - 1) if self.joint else (0, 0)


NOTHING = Observables()


def squashed(x: NDArray[Any]) -> FloatArray:
    """x / sqrt(1 + x^2): near x where it is small, never beyond -1 or 1, and the same bits everywhere."""
    return np.asarray(x / np.sqrt(1.0 + x * x))
