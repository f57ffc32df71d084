"""Snapshots in the compiled kernels: levels by group, and the log the observables are counted from.

In    the state between two events
Out   counts, added up; a row of the log
Rule  the sets are nested: once a level holds every server, so do all above it, and one count says so
Cost  1 byte read and 1 written a server and occupied level, a vector of them at once; in a large fleet
      under JFSQ a population count a word and occupied level
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment, no-any-return"
# kernels turn NumPy scalars of one width into another, which Numba follows and type checkers do not

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.chain import exchange
from jfsq_simpy.chain.layout import SNAPSHOTS
from jfsq_simpy.jobs.bits import count_ones
from jfsq_simpy.jobs.compiling import compiled, part
from jfsq_simpy.rates import IntArray

U63, ALL = np.uint64(63), np.uint64(2**64 - 1)
FIRST_WORD = np.uint64(exchange.FIRST_WORD)
MOST_IN_BYTE = 255


@part
def snapshot_servers(queue, n_servers, group_of, at_most, in_bytes, full, numbers, places):
    """Count the levels of the servers as they stand."""
    highest = np.uint8(0)
    for n in range(n_servers):
        highest = max(highest, queue[np.uint64(n)])
    if highest < places:
        full[highest] += 1  # and so do all levels above
    for level in range(highest):
        row, here = np.uint64(level * queue.size), np.uint8(level)
        for n in range(queue.size):
            in_bytes[row + np.uint64(n)] += np.uint8(queue[np.uint64(n)] <= here)
    numbers[SNAPSHOTS] += 1
    if numbers[SNAPSHOTS] % MOST_IN_BYTE == 0:
        add_up(group_of, in_bytes, at_most, places)


@part
def add_by_group(leaf, row, edges, at_most, level, places):
    """Count the servers on in a row of the sets, group by group."""
    for g in range(edges.size - 1):
        at_most[g * places + level] += ones_between(leaf, row, edges[g], edges[g + 1])


@part
def ones_between(leaf, row, first, end):
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
def add_up(group_of: NDArray[np.uint16], in_bytes: NDArray[np.uint8], at_most: IntArray, places: int) -> None:
    """Empty the bytes, a row of them for each level, into the groups' counts."""
    padded = in_bytes.size // places
    for level in range(places):
        for n in range(group_of.size):
            here = level * padded + n
            at_most[np.int64(group_of[n]) * places + level] += in_bytes[here]
            in_bytes[here] = 0


@part
def add_levels(held, at_most):
    """Add the state's table to the sums over snapshots."""
    for row in range(held.size):
        held[row] += np.int64(at_most[row])


@part
def log_sets(row, marks, at, leaf, n_leaf, places, n_servers):
    """Log the state from the sets: what `ServersAbreast.snapshot` hands to `Observed.take`."""
    row[at, 0] = 0
    for level in range(places):
        row[at, 0] += n_servers - ones_between(leaf, (level + 1) * n_leaf, 0, n_servers)
    row[at, 1] = ones_between(leaf, n_leaf, 0, n_servers)
    for i in range(marks.size):
        row[at, 2 + i] = ones_between(leaf, n_leaf, 0, marks[i])


@part
def log_queues(row, marks, at, queue, n_servers):
    """The same from the queue lengths themselves."""
    row[at] = 0
    for n in range(n_servers):
        row[at, 0] += queue[n]
        row[at, 1] += queue[n] == 0
    for i in range(marks.size):
        for n in range(marks[i]):
            row[at, 2 + i] += queue[n] == 0


@part
def log_classes(row, marks, at, at_most, first_server, places):
    """The same from the counts; every mark is where a class begins or ends."""
    n_classes, width = first_server.size - 1, places + 2
    row[at] = 0
    for k in range(n_classes):
        idle = np.int64(at_most[k * width + 1])
        row[at, 1] += idle
        for i in range(marks.size):
            if first_server[k] < marks[i]:
                row[at, 2 + i] += idle
        for level in range(places):
            row[at, 0] += first_server[k + 1] - first_server[k] - np.int64(at_most[k * width + 1 + level])
