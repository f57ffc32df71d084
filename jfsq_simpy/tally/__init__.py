"""What one replication measured: the sufficient counts, the same from every engine.

In    a System, a Window of time, what else to observe
Out   a Tally: integers, so that merging is exact in any order and twin engines can be compared
Rule  jobs count by *arrival* in the window, snapshots by time; a snapshot is taken after departures
      and before arrivals of its instant
Cost  memory O(groups x places), never O(run length)
"""

from jfsq_simpy.tally.bins import BIN_SHIFT, FIRST_BIN, HIGHEST_EXPONENT, LOWEST_EXPONENT, N_BINS, TICKS, bin_edges, ticks, time_bin
from jfsq_simpy.tally.counts import Outcome, Tally, merged
from jfsq_simpy.tally.groups import MOST_BANDS, MOST_CLASSES, Groups, groups_of
from jfsq_simpy.tally.observables import NOTHING, SURGE_POWERS, Observables, squashed
from jfsq_simpy.tally.window import SNAPSHOTS_PER_UNIT, Window

__all__ = [
    "BIN_SHIFT",
    "FIRST_BIN",
    "HIGHEST_EXPONENT",
    "LOWEST_EXPONENT",
    "MOST_BANDS",
    "MOST_CLASSES",
    "NOTHING",
    "N_BINS",
    "SNAPSHOTS_PER_UNIT",
    "SURGE_POWERS",
    "TICKS",
    "Groups",
    "Observables",
    "Outcome",
    "Tally",
    "Window",
    "bin_edges",
    "groups_of",
    "merged",
    "squashed",
    "ticks",
    "time_bin",
]
