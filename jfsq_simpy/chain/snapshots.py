"""Snapshots in the compiled kernels: levels by group, and the caller's observables.

In    the state between two events
Out   counts, added up
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
from jfsq_simpy.chain.compiling import kernel, part
from jfsq_simpy.chain.decode import mix64, times_high
from jfsq_simpy.chain.exchange import STEP
from jfsq_simpy.chain.layout import SNAPSHOTS
from jfsq_simpy.chain.watching import Watch
from jfsq_simpy.jobs.bits import count_ones
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


@kernel
def add_up(group_of: NDArray[np.uint16], in_bytes: NDArray[np.uint8], at_most: IntArray, places: int) -> None:
    """Empty the bytes, a row of them for each level, into the groups' counts."""
    padded = in_bytes.size // places
    for level in range(places):
        for n in range(group_of.size):
            here = level * padded + n
            at_most[np.int64(group_of[n]) * places + level] += in_bytes[here]
            in_bytes[here] = 0


@part
def watch_servers(watch: Watch, leaf, n_leaf, places, n_servers, number) -> None:
    """Count the observables of the state as it stands: repeats `ServersAbreast.snapshot`."""
    idle = ones_between(leaf, n_leaf, 0, n_servers)
    present = 0
    for level in range(places):
        present += n_servers - ones_between(leaf, (level + 1) * n_leaf, 0, n_servers)
    for i in range(watch.begin.size):
        watch.idle_before[i, 0] = ones_between(leaf, n_leaf, 0, watch.begin[i])
        watch.idle_before[i, 1] = watch.idle_before[i, 0] + ones_between(leaf, n_leaf, watch.begin[i], watch.end[i])
    take(watch, number, n_servers, present, idle)


@part
def add_levels(held, at_most):
    """Add the state's table to the sums over snapshots."""
    for row in range(held.size):
        held[row] += np.int64(at_most[row])


@part
def watch_queues(watch: Watch, queue, n_servers, number) -> None:
    """Count the observables, from the queue lengths themselves."""
    idle, present = 0, 0
    for n in range(n_servers):
        idle += queue[n] == 0
        present += np.int64(queue[n])
    watch.idle_before[:] = 0
    for i in range(watch.begin.size):
        for n in range(watch.end[i]):
            watch.idle_before[i, 0] += queue[n] == 0 and n < watch.begin[i]
            watch.idle_before[i, 1] += queue[n] == 0
    take(watch, number, n_servers, present, idle)


@part
def watch_classes(watch: Watch, at_most, first_server, places, number) -> None:
    """Count the observables of the state as it stands: repeats `ClassesAbreast.snapshot`."""
    n_classes, width = first_server.size - 1, places + 2
    n_servers = first_server[n_classes]
    idle, present = 0, 0
    watch.idle_before[:] = 0
    for k in range(n_classes):
        here = np.int64(at_most[k * width + 1])
        idle += here
        for i in range(watch.begin.size):
            watch.idle_before[i, 0] += here if first_server[k] < watch.begin[i] else 0
            watch.idle_before[i, 1] += here if first_server[k] < watch.end[i] else 0
        for level in range(places):
            present += first_server[k + 1] - first_server[k] - np.int64(at_most[k * width + 1 + level])
    take(watch, number, n_servers, present, idle)


@part
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
        among = watch.idle_before[i, 0]
        if watch.begin[i] < watch.end[i]:
            word = FIRST_WORD + np.uint64((watch.first + number) * watch.begin.size + i + 1)
            seed = mix64(watch.choices.start + word * watch.choices.gamma)
            servers, before = watch.end[i] - watch.begin[i], watch.fastest[i] - watch.begin[i]
            among += overlap(servers, before, watch.idle_before[i, 1] - among, seed)
        watch.idle_counts[i] += among >= watch.idle_at_least[i]
    for i in range(watch.eta.size):
        excess = max(present / n_servers - watch.eta[i], 0.0)
        power = 1.0
        for _ in range(watch.power[i]):
            power *= excess
        watch.power_sums[i] += power
    if watch.path.size:
        watch.path[number] = present


@part
def overlap(n, marked, drawn, seed):
    """How many of the first `marked` of n are among `drawn` drawn at random: repeats `exchange.overlap`."""
    few_marked, few_drawn = min(marked, n - marked), min(drawn, n - drawn)
    target, hits = max(few_marked, few_drawn), 0
    for t in range(min(few_marked, few_drawn)):
        ball = np.int64(times_high(mix64(seed + np.uint64(t + 1) * STEP), np.uint64(n - t)))
        hits += ball < target - hits
    among_few = few_marked - hits if drawn > few_drawn else hits
    return drawn - among_few if marked > few_marked else among_few


@part
def place_in(edges, value):
    """The cell [edge_i, edge_i+1) a value lies in; -1 below the first edge."""
    i = -1
    while i + 1 < edges.size and edges[i + 1] <= value:
        i += 1
    return i
