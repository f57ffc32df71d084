"""Which servers are counted together: those of one speed, on one side of N1 and of N2.

In    a System, and the cuts that Observables ask for
Out   Groups: where each begins, its speed, and the band in which its waits are binned
Rule  a function of System and cuts alone, so that every engine groups alike; above 4,096 speeds adjacent ones
      share a group, equally wide in log speed
Cost  O(groups) memory: a fleet of 10^9 servers in two generations has a handful. The one exception, a group
      for every server, is made on demand
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jfsq_simpy.rates import FloatArray, IntArray, Rates
from jfsq_simpy.system import System
from jfsq_simpy.tally.observables import NOTHING, Observables

MOST_CLASSES = 4096  # above, adjacent speeds share a group
MOST_BANDS = 64  # waits are binned by speed class, or by this many bands of adjacent classes


@dataclass(frozen=True)
class Groups:
    """How servers are grouped in a tally: by speed class, cut also at N1, N2 and where `idle_tails` asks.

    Above 4,096 classes, adjacent speeds share a group. Group g holds servers edges[g] .. edges[g+1] - 1.
    """

    edges: IntArray  # (n_groups + 1,)
    speeds: FloatArray  # (n_groups,) mean rate in the group
    spread: float  # largest (fastest - slowest) / slowest inside a group; 0 when groups are exact
    speed_class: IntArray  # (n_groups,) class of the group, -1 when it spans several
    band: IntArray  # (n_groups,) band in which its waits are binned

    @property
    def n_groups(self) -> int:
        return int(self.speeds.size)

    @property
    def n_bands(self) -> int:
        return int(self.band[-1]) + 1

    @property
    def sizes(self) -> IntArray:
        """int array (n_groups,): servers in each group."""
        return np.diff(self.edges)

    def of_server(self) -> IntArray:
        """int array (n_servers,): the group of every server. O(N) memory."""
        return np.repeat(np.arange(self.n_groups), self.sizes)


def groups_of(system: System, observe: Observables = NOTHING) -> Groups:
    """The grouping a system's tallies use: a function of the System and the cuts asked for, the same in every engine.

    O(speed classes).

    >>> from jfsq_simpy.rates import two_speed
    >>> groups = groups_of(System(two_speed(8, ratio=3), load=0.9, places=2))
    >>> groups.sizes.tolist(), groups.speeds.tolist()
    ([4, 2, 2], [1.5, 0.5, 0.5])
    """
    rates = system.rates
    cuts = [system.n1().floor, system.n2.floor, *(m for m, _ in observe.idle_tails)]
    inner = np.array([c for c in cuts if 0 < c < rates.n_servers], dtype=np.int64)
    base = rates.first_server if rates.n_classes <= MOST_CLASSES else _edges_by_speed(rates)
    edges = np.unique(np.concatenate([base, inner]))
    first, last = _class_at(rates, edges[:-1]), _class_at(rates, edges[1:] - 1)
    fastest, slowest = rates.speeds[first], rates.speeds[last]
    speeds = np.where(first == last, fastest, _mean_speeds(rates, edges))
    exact = rates.n_classes <= MOST_CLASSES
    spread = 0.0 if exact else float(((fastest - slowest) / slowest).max())
    n_units = min(rates.n_classes, MOST_BANDS)
    unit = first if rates.n_classes <= MOST_BANDS else edges[:-1] * n_units // rates.n_servers
    band = np.unique(unit, return_inverse=True)[1].astype(np.int64)
    return Groups(edges, speeds, spread, np.where(first == last, first, -1), band)


def _edges_by_speed(rates: Rates) -> IntArray:
    """Where servers, fastest first, are cut so that no group spans more than a 4,096th of the range of log speeds.

    Groups of as many servers each would put the few very fast or very slow ones of a long tail together.
    """
    cuts = np.geomspace(rates.fastest, rates.slowest, MOST_CLASSES + 1)[1:-1]
    low, high = np.zeros(cuts.size, np.int64), np.full(cuts.size, rates.n_classes, np.int64)
    while (low < high).any():  # for all cuts at once: the first class slower than the cut; speeds are never copied
        middle = (low + high) // 2
        slower = rates.speeds[np.minimum(middle, rates.n_classes - 1)] < cuts
        high = np.where(slower, middle, high)
        low = np.where(slower | (low == high), low, middle + 1)
    return np.concatenate([[0], rates.first_of(low), [rates.n_servers]])


def _class_at(rates: Rates, servers: IntArray) -> IntArray:
    if rates.all_distinct:
        return servers
    return np.searchsorted(rates.first_server, servers, side="right") - 1


def _mean_speeds(rates: Rates, edges: IntArray) -> FloatArray:
    # capacity up to each edge, then differences: exact enough for a mean over adjacent speeds
    k = np.minimum(_class_at(rates, edges), rates.n_classes - 1)
    capacity = rates.capacity_before_class[k] + (edges - rates.first_of(k)) * rates.speeds[k]
    return np.asarray(np.diff(capacity) / np.diff(edges))
