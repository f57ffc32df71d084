"""Snapshots in the compiled loop: what `Tally.count_paths` counts.

In    how many servers hold at most 0, 1, ... jobs; the observables as arrays
Out   counts
Rule  nothing is kept up to date for these between snapshots, which are rare beside arrivals
Cost  O(places + edges) a snapshot, O(m / 64) for idle servers among the m fastest with JFSQ or JSQ
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.jobs.bits import U0, U1, count_ones
from jfsq_simpy.jobs.compiling import part
from jfsq_simpy.jobs.layout import Counts, Servers, Watch
from jfsq_simpy.jobs.order import BY_SETS, Words
from jfsq_simpy.rates import IntArray


@part
def count_snapshot(on: IntArray, n_servers: int, taken: int, watch: Watch, counts: Counts) -> None:
    """Count a snapshot, all but idle servers among the fastest. `taken` came before it in its batch."""
    idle, present = on[0], 0
    for level in range(on.size):
        present += n_servers - on[level]
    busy = n_servers - idle
    waiting = present - busy
    if counts.path.size > 0:
        counts.path[taken] = present
    if watch.rows.size > 0:
        row, column = -1, -1
        for edge in watch.rows:
            row += waiting >= edge
        for edge in watch.columns:
            column += idle >= edge
        if 0 <= row < counts.joint.shape[0] and 0 <= column < counts.joint.shape[1]:
            counts.joint[row, column] += 1
    for i in range(watch.tails.shape[0]):
        overload = min(waiting - watch.tails[i, 0], watch.tails[i, 1] - busy)
        counts.tails[i] += overload >= watch.tails[i, 2]
    for i in range(watch.eta.size):
        excess = max(present / n_servers - watch.eta[i], 0.0)
        power = excess
        for _ in range(watch.power[i] - 1):
            power *= excess
        counts.powers[i] += power


@part
def idle_among(fleet: Servers, words: Words, m: int, how: int) -> int:
    """Idle servers among the `m` fastest."""
    idle, m = 0, min(m, fleet.size)
    if how == BY_SETS:
        for w in range(m >> 6):
            idle += count_ones(words[0, w])
        rest = np.uint64(m & 63)
        return idle + count_ones(words[0, m >> 6] & ((U1 << rest) - U1)) if rest > U0 else idle
    for n in range(m):
        idle += fleet[n]["queue"] == 0
    return idle
