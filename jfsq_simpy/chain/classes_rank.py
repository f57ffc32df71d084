"""Any rank table over counts by class and level, compiled.

In    a stream of words and one of choices, the counts, where to count
Out   the same arrays after n events
Rule  cells (class, level) stand in the order of their ranks, so whoever is ranked best stands first:
      a tree of sums over the cells finds him, and among tied servers the one of a given number
Cost  20 to 40 ns an arrival; one more node of 16 read each time the cells grow sixteenfold
Repeats `lockstep` (form "classes", rule "rank"), event for event
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment, no-any-return"
# kernels turn NumPy scalars of one width into another, which Numba follows and type checkers do not

from __future__ import annotations

import numpy as np

from jfsq_simpy.chain.decode import U1, mix64, times_high
from jfsq_simpy.chain.decode_classes import decode_classes
from jfsq_simpy.chain.layout import ARRIVALS, BLOCKED, LOGGED, SNAPSHOTS, Stream
from jfsq_simpy.chain.layout_classes import ClassCodes, ClassCount, ClassCounts, RankOrder
from jfsq_simpy.chain.snapshots import add_levels, log_classes
from jfsq_simpy.chain.watching import Log
from jfsq_simpy.jobs.compiling import compiled

U0, U4, U16 = np.uint64(0), np.uint64(4), np.uint64(16)


@compiled
def advance(
    stream: Stream,
    choices: Stream,
    codes: ClassCodes,
    counts: ClassCounts,
    order: RankOrder,
    count: ClassCount,
    log: Log,
    places: int,
    first: int,
    n: int,
    snapshot: int,
    stride: int,
) -> None:
    """Events first .. first + n - 1, with a snapshot before event `snapshot` and every `stride` after it."""
    n_classes, which, place, block = counts.n_classes, codes.which, codes.place, codes.which.size
    at_most, joins, numbers = counts.at_most, count.joins, count.numbers
    cell_at, position_of, rank_of, tied, by_choice = order.cell_at, order.position_of, order.rank_of, order.tied, order.by_choice
    weight, sums, layer, n_layers = order.weight, order.sums, order.layer, np.uint64(order.layer.size)
    width, levels, b = np.uint64(places + 2), np.uint64(places + 1), np.uint64(places)
    arrivals, blocked = 0, 0
    log_row, marks = log
    event, end = first, first + n
    while event < end:
        size = min(block, end - event)
        decode_classes(stream, codes, event, size)
        for e in range(size):
            if event + e == snapshot:
                snapshot += stride
                numbers[SNAPSHOTS] += 1
                add_levels(count.held, at_most)
                if log_row.size:
                    log_classes(log_row, marks, numbers[LOGGED], at_most, counts.first_server, places)
                    log_row[numbers[LOGGED], 2 + marks.size] = numbers[ARRIVALS] + arrivals
                    numbers[LOGGED] += 1
            k = np.uint64(which[e])
            if k != np.uint64(n_classes):
                row, level = k * width, U0
                while place[e] >= at_most[row + level + U1]:
                    level += U1
                if level == U0:
                    continue
                at_most[row + level] += U1
                came, went = k * levels + level - U1, k * levels + level
            else:
                arrivals += 1
                at, rest = U0, U0
                for step in range(2):
                    # walk down: at each node the first child whose servers reach number `rest`
                    at = U0
                    for d in range(n_layers):
                        node = layer[n_layers - U1 - np.uint64(d)] + at
                        while rest >= sums[node]:
                            rest -= sums[node]
                            node += U1
                            at += U1
                        if np.uint64(d) + U1 < n_layers:
                            at = at * U16
                    if step == 0:
                        rank = np.uint64(rank_of[at])
                        if not by_choice[rank]:
                            break
                        number = np.uint64(event + e)
                        rest = times_high(mix64(choices.start + (number + U1) * choices.gamma), tied[rank])
                cell = np.uint64(cell_at[at])
                k, level = cell // levels, cell % levels
                joins[cell] += 1
                if level == b:
                    blocked += 1
                    continue
                at_most[k * width + level + U1] -= U1
                came, went = cell + U1, cell
            # one server of class k has changed its level, from cell `went` to cell `came`
            for way in range(2):
                position = np.uint64(position_of[went if way == 0 else came])
                change = weight[k] if way == 1 else U0 - weight[k]
                tied[rank_of[position]] += change
                for d in range(n_layers):
                    sums[layer[np.uint64(d)] + position] += change
                    position = position >> U4
        event += size
    numbers[BLOCKED] += blocked
    numbers[ARRIVALS] += arrivals
