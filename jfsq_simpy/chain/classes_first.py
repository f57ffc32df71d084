"""JFSQ over counts by class and level, compiled: for a handful of classes the cost does not depend on N.

In    a stream of words, the counts, where to count
Out   the same arrays after n events
Rule  `at_most[class, l]` is how many of the class's servers hold at most l jobs: an event changes one
      entry, and the first entry above 0, levels first and classes within, is the job's
Cost  14 ns an arrival, for N = 10^3 as for N = 10^9
Repeats `lockstep` (form "classes", rule "rank" of JFSQ), event for event
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment, no-any-return"
# kernels turn NumPy scalars of one width into another, which Numba follows and type checkers do not

from __future__ import annotations

import numpy as np

from jfsq_simpy.chain.decode_classes import decode_classes
from jfsq_simpy.chain.layout import ARRIVALS, BLOCK, BLOCKED, LOGGED, SNAPSHOTS, Stream
from jfsq_simpy.chain.layout_classes import ClassCodes, ClassCount, ClassCounts
from jfsq_simpy.chain.snapshots import log_classes
from jfsq_simpy.chain.watching import Log
from jfsq_simpy.jobs.bits import first_one
from jfsq_simpy.jobs.compiling import compiled

U0, U1 = np.uint64(0), np.uint64(1)


@compiled
def advance(
    stream: Stream,
    codes: ClassCodes,
    counts: ClassCounts,
    count: ClassCount,
    log: Log,
    places: int,
    first: int,
    n: int,
    snapshot: int,
    stride: int,
) -> None:
    """Events first .. first + n - 1, with a snapshot before event `snapshot` and every `stride` after it."""
    n_classes, which, place = counts.n_classes, codes.which, codes.place
    leaving, from_place, before = codes.leaving, codes.from_place, codes.before
    at_most, bit_of, row_of = counts.at_most, counts.bit_of, counts.row_of
    joins, held, numbers = count.joins, count.held, count.numbers
    nobody, arrival, width = BLOCK + 1, np.int32(n_classes), np.uint64(places + 2)
    free = U0  # bit l * n_classes + k: class k has a server with at most l jobs
    for row in range(n_classes * (places + 2)):
        free |= bit_of[row] if at_most[row] > U0 else U0
    arrivals, blocked = 0, 0
    log_row, marks = log
    event, end = first, first + n
    while event < end:
        size = min(BLOCK, end - event)
        decode_classes(stream, codes, event, size)
        at = 0
        while at < size:
            if event + at == snapshot:
                snapshot += stride
                numbers[SNAPSHOTS] += 1
                for row in range(held.size):
                    held[row] += np.int64(at_most[row])
                if log_row.size:
                    log_classes(log_row, marks, numbers[LOGGED], at_most, counts.first_server, places)
                    log_row[numbers[LOGGED], 2 + marks.size] = numbers[ARRIVALS] + arrivals
                    numbers[LOGGED] += 1
            stop = min(size, snapshot - event)
            n_leaving, n_arriving = U0, U0
            for i in range(at, stop):
                c = which[np.uint64(i)]
                leaving[n_leaving], from_place[n_leaving] = c, place[np.uint64(i)]
                before[n_arriving] = n_leaving
                arrives = np.uint64(c == arrival)
                n_leaving += U1 - arrives
                n_arriving += arrives
            before[n_arriving] = n_leaving
            at = stop
            arrivals += np.int64(n_arriving)
            s = 0
            for j in range(np.int64(n_arriving) + 1):
                last = np.int64(before[np.uint64(j)])
                i = s if s < last else nobody
                while True:  # departures, at least one: a dummy costs less than a wrong guess
                    row, where = np.uint64(leaving[np.uint64(i)]) * width, from_place[np.uint64(i)]
                    row += np.uint64(where >= at_most[row + U1])  # idle or not is a toss-up: no branch
                    while where >= at_most[row + U1]:
                        row += U1
                    at_most[row] += U1  # column 0, for an idle server, is never read
                    free |= bit_of[row]
                    s += 1
                    if s >= last:
                        break
                    i = s
                s = last
                if np.uint64(j) == n_arriving:
                    break  # the stretch ends with departures
                if free == U0:
                    blocked += 1
                    continue
                bit = np.uint64(first_one(free))
                row = np.uint64(row_of[bit])
                left = at_most[row] - U1
                at_most[row] = left
                free &= ~(np.uint64(left == U0) << bit)
                joins[row] += 1
        event += size
    numbers[BLOCKED] += blocked
    numbers[ARRIVALS] += arrivals
