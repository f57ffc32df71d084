"""JSQ server by server, compiled: a shortest queue uniformly at random.

In    a stream of words and one of choices, the sets, where to count
Out   the same arrays after n events
Rule  the tied servers are those of the lowest set that is not empty; listed by index, the one whose
      number the choice word names is found by counts of set bits, 16 children a node
Cost  25 to 50 ns an arrival
Repeats `lockstep` (form "servers", rule "uniform"), event for event
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment, no-any-return"
# kernels turn NumPy scalars of one width into another, which Numba follows and type checkers do not

from __future__ import annotations

import numpy as np

from jfsq_simpy.chain.decode import decode, mix64, recode, times_high
from jfsq_simpy.chain.layout import ARRIVALS, BLOCK, BLOCKED, FAN, LOGGED, Codes, Count, Stream, Sums
from jfsq_simpy.chain.snapshots import log_sets, snapshot_servers
from jfsq_simpy.chain.watching import Log
from jfsq_simpy.jobs.bits import count_ones
from jfsq_simpy.jobs.compiling import compiled, part
from jfsq_simpy.jobs.prefetch import prefetch

U0, U1, U4, U6, U63, ALL = (np.uint64(k) for k in (0, 1, 4, 6, 63, 2**64 - 1))

AHEAD = 16  # departures between asking for a cache line and using it


@part
def nth_one(word: np.uint64, n: np.uint64) -> np.uint64:
    """The position of bit number `n` (from 0) among those that are on, by halving."""
    at, width = U0, np.uint64(32)
    for _ in range(6):
        low = np.uint64(count_ones(word & (ALL >> (np.uint64(64) - width))))
        beyond = np.uint64(n >= low)
        n -= low * beyond
        word = word >> (width * beyond)
        at += width * beyond
        width = width >> U1
    return at


@compiled
def advance(
    stream: Stream,
    choices: Stream,
    codes: Codes,
    sums: Sums,
    count: Count,
    log: Log,
    places: int,
    first: int,
    n: int,
    snapshot: int,
    stride: int,
) -> None:
    """Events first .. first + n - 1, with a snapshot before event `snapshot` and every `stride` after it."""
    n_servers, code, leaving, before = codes.n_servers, codes.code, codes.leaving, codes.before
    queue, leaf, node, layer, on = sums.queue, sums.leaf, sums.node, sums.layer, sums.on
    group_of, joins, numbers = count.group_of, count.joins, count.numbers
    at_most, in_bytes, full = count.at_most, count.in_bytes, count.full
    nobody, arrival = BLOCK + 1, np.int32(n_servers)
    b, n_leaf, n_node, n_layers = np.uint64(places), np.uint64(sums.n_leaf), np.uint64(sums.n_node), np.uint64(layer.size)
    at_once = min(FAN, sums.n_leaf)
    arrivals, blocked = 0, 0
    log_row, marks = log
    event, end = first, first + n
    while event < end:
        size = min(BLOCK, end - event)
        decode(stream, codes, event, size)
        at = 0
        while at < size:
            if event + at == snapshot:
                snapshot += stride
                snapshot_servers(queue, n_servers, group_of, at_most, in_bytes, full, numbers, places)
                if log_row.size:
                    log_sets(log_row, marks, numbers[LOGGED], leaf, sums.n_leaf, places, n_servers)
                    log_row[numbers[LOGGED], 2 + marks.size] = numbers[ARRIVALS] + arrivals
                    numbers[LOGGED] += 1
            stop = min(size, snapshot - event)
            n_arriving = recode(code, at, stop, arrival, leaving, before)
            arrivals += n_arriving
            s = 0
            for j in range(n_arriving + 1):
                last = np.int64(before[np.uint64(j)])
                i = s if s < last else nobody
                while True:  # departures, at least one: a dummy costs less than a wrong guess
                    server = np.uint64(leaving[np.uint64(i)])
                    if n_layers > U1:  # a large fleet: what will be touched soon is sent for
                        ahead = np.uint64(leaving[np.uint64(min(s + AHEAD, BLOCK - 1))])
                        prefetch(queue, ahead)
                        prefetch(leaf, n_leaf + (ahead >> U6))
                    held = np.uint64(queue[server])
                    queue[server] = held - np.uint64(held > U0)
                    # now it holds at most held - 1 jobs: row `held` (row 0 is never read)
                    leaf[held * n_leaf + (server >> U6)] |= U1 << (server & U63)
                    inside = server >> U6
                    for d in range(n_layers):
                        inside = inside >> U4
                        node[held * n_node + layer[np.uint64(d)] + inside] += U1
                    on[held] += U1
                    s += 1
                    if s >= last:
                        break
                    i = s
                s = last
                if j == n_arriving:
                    break  # the stretch ends with departures
                level = U0
                while level < b and on[level + U1] == U0:
                    level += U1
                if level == b:
                    blocked += 1
                    continue
                number = np.uint64(event + at + j + s)  # the arrival's event: `s` departures and j arrivals are before it
                rest = times_high(mix64(choices.start + (number + U1) * choices.gamma), on[level + U1])
                # of 16 counts all are added up, whichever is the one: a loop that ends early costs a wrong guess
                row = (level + U1) * n_node
                inside = U0
                for d in range(n_layers):
                    here = row + layer[n_layers - U1 - np.uint64(d)] + inside
                    upto, missed = U0, U0
                    for c in range(FAN):
                        upto += node[here + np.uint64(c)]
                        passed = upto <= rest
                        missed = upto if passed else missed
                        inside += np.uint64(passed)
                    rest -= missed
                    inside = inside << U4
                row = (level + U1) * n_leaf
                here = row + inside
                upto, missed = U0, U0
                for c in range(at_once):
                    upto += np.uint64(count_ones(leaf[here + np.uint64(c)]))
                    passed = upto <= rest
                    missed = upto if passed else missed
                    inside += np.uint64(passed)
                rest -= missed
                bit = nth_one(leaf[row + inside], rest)
                leaf[row + inside] ^= U1 << bit
                server = (inside << U6) | bit
                for d in range(n_layers):
                    inside = inside >> U4
                    node[(level + U1) * n_node + layer[np.uint64(d)] + inside] -= U1
                on[level + U1] -= U1
                queue[server] = level + U1
                joins[np.uint64(group_of[server]) * b + level] += 1
            at = stop
        event += size
    numbers[BLOCKED] += blocked
    numbers[ARRIVALS] += arrivals
