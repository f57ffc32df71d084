"""Snapshots in the compiled kernels: levels by group, and the caller's observables.

In    the state between two events
Out   counts, added up
Rule  the sets are nested: once a level holds every server, so do all above it, and one count says so
Cost  up to 2^20 servers 1 byte read and 1 written a server and occupied level (a vector of them at
      once); above, a population count a word and occupied level
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.chain.layout import Watch
from jfsq_simpy.jobs.bits import compiled, count_ones

U63, ALL = np.uint64(63), np.uint64(2**64 - 1)
MOST_IN_BYTE = 255


@compiled
def add_by_group(leaf, row, edges, at_most, level, places):  # type: ignore[no-untyped-def]
    """Count the servers on in a row of the sets, group by group."""
    for g in range(edges.size - 1):
        at_most[g * places + level] += ones_between(leaf, row, edges[g], edges[g + 1])


@compiled
def ones_between(leaf, row, first, end):  # type: ignore[no-untyped-def]
    """How many of bits first .. end - 1 of a row are on."""
    if first >= end:
        return 0
    low, high = first >> 6, (end - 1) >> 6
    left, right = ALL << (np.uint64(first) & U63), ALL >> (U63 - (np.uint64(end - 1) & U63))
    if low == high:
        return count_ones(leaf[row + low] & left & right)
    on = count_ones(leaf[row + low] & left) + count_ones(leaf[row + high] & right)
    for w in range(low + 1, high):
        on += count_ones(leaf[row + w])
    return on


@compiled
def add_up(group_of, in_bytes, at_most, places):  # type: ignore[no-untyped-def]
    """Empty the bytes, a row of them for each level, into the groups' counts."""
    padded = in_bytes.size // places
    for level in range(places):
        for n in range(group_of.size):
            here = level * padded + n
            at_most[np.int64(group_of[n]) * places + level] += in_bytes[here]
            in_bytes[here] = 0


@compiled
def watch_servers(watch: Watch, leaf, n_leaf, places, n_servers, number) -> None:  # type: ignore[no-untyped-def]
    """Count the observables of the state as it stands: repeats `ServersAbreast.snapshot`."""
    idle = ones_between(leaf, n_leaf, 0, n_servers)
    present = 0
    for level in range(places):
        present += n_servers - ones_between(leaf, (level + 1) * n_leaf, 0, n_servers)
    for i in range(watch.idle_first.size):
        watch.idle_now[i] = ones_between(leaf, n_leaf, 0, watch.idle_first[i])
    take(watch, number, n_servers, present, idle)


@compiled
def take(watch: Watch, number: int, n_servers: int, present: int, idle: int) -> None:
    """Count the observables: repeats `Observed.take`."""
    busy = n_servers - idle
    waiting = present - busy
    if watch.joint.size:
        row, column = place_in(watch.joint_rows, waiting), place_in(watch.joint_columns, idle)
        if 0 <= row < watch.joint.shape[0] and 0 <= column < watch.joint.shape[1]:
            watch.joint[row, column] += 1
    for i in range(watch.tail_counts.size):
        a, c, t = watch.tails[i, 0], watch.tails[i, 1], watch.tails[i, 2]
        watch.tail_counts[i] += min(waiting - a, c - busy) >= t
    for i in range(watch.idle_counts.size):
        watch.idle_counts[i] += watch.idle_now[i] >= watch.idle_at_least[i]
    for i in range(watch.eta.size):
        excess = max(present / n_servers - watch.eta[i], 0.0)
        power = 1.0
        for _ in range(watch.power[i]):
            power *= excess
        watch.power_sums[i] += power
    if watch.path.size:
        watch.path[number] = present


@compiled
def place_in(edges, value):  # type: ignore[no-untyped-def]
    """The cell [edge_i, edge_i+1) a value lies in; -1 below the first edge."""
    i = -1
    while i + 1 < edges.size and edges[i + 1] <= value:
        i += 1
    return i
