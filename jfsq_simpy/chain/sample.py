"""The best of d servers drawn, compiled, in both forms.

In    a stream of words and one of choices (d + 1 an event), the state, where to count
Out   the same arrays after n events
Rule  picks are kept in ascending order, so that ties are listed by index; with replacement a server
      drawn twice counts once
Cost  40 ns an arrival for d = 2
Repeats `lockstep` (rule "sample"), event for event
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment, no-any-return"
# kernels turn NumPy scalars of one width into another, which Numba follows and type checkers do not

from __future__ import annotations

import numpy as np

from jfsq_simpy.chain.decode import U1, decode, mix64, times_high
from jfsq_simpy.chain.decode_classes import decode_classes
from jfsq_simpy.chain.layout import ARRIVALS, BLOCKED, LOGGED, SNAPSHOTS, Codes, Count, Stream
from jfsq_simpy.chain.layout_classes import ClassCodes, ClassCount, ClassCounts, Draw
from jfsq_simpy.chain.snapshots import add_levels, log_classes, log_queues, snapshot_servers
from jfsq_simpy.chain.watching import Log
from jfsq_simpy.jobs.compiling import compiled, part

BY_INDEX, UNIFORM, BY_RATE = range(3)


@part
def pick(draw: Draw, choices: Stream, event: int, n_servers: int) -> None:
    """Fill `draw.asked`, ascending, from the event's choice words: repeats `choices.picked`."""
    asked, d = draw.asked, draw.asked.size
    word = np.uint64(event) * np.uint64(d + 1)
    for i in range(d):
        word += U1
        among = np.uint64(n_servers) if draw.replace else np.uint64(n_servers - i)
        new = np.int64(times_high(mix64(choices.start + word * choices.gamma), among))
        j = 0
        if draw.replace:
            while j < i and asked[j] <= new:
                j += 1
        else:
            while j < i and asked[j] <= new:  # earlier picks are not there to be picked again
                new += 1
                j += 1
        for m in range(i, j, -1):
            asked[m] = asked[m - 1]
        asked[j] = new


@part
def best(draw: Draw, choices: Stream, event: int) -> int:
    """Which of the asked wins, from their classes and levels: repeats `_Sampler._best`."""
    d = draw.asked.size
    lowest = draw.ranks[draw.speed_class[0], draw.level[0]]
    for i in range(1, d):
        lowest = min(lowest, draw.ranks[draw.speed_class[i], draw.level[i]])
    total = np.uint64(0)
    for i in range(d):
        twice = i > 0 and draw.asked[i] == draw.asked[i - 1]
        tied = not twice and draw.ranks[draw.speed_class[i], draw.level[i]] == lowest
        if tied and draw.ties == BY_INDEX:
            return i
        draw.share[i] = (draw.weight[draw.speed_class[i]] if draw.ties == BY_RATE else U1) if tied else np.uint64(0)
        total += draw.share[i]
    word = np.uint64(event + 1) * np.uint64(d + 1)
    rest = times_high(mix64(choices.start + word * choices.gamma), total)
    i = 0
    while rest >= draw.share[i]:
        rest -= draw.share[i]
        i += 1
    return i


@compiled
def advance_servers(
    stream: Stream,
    choices: Stream,
    codes: Codes,
    queue: np.ndarray,
    draw: Draw,
    count: Count,
    log: Log,
    places: int,
    first: int,
    n: int,
    snapshot: int,
    stride: int,
) -> None:
    """Form "servers": events first .. first + n - 1, a snapshot before event `snapshot` and every `stride` after it."""
    n_servers, code = codes.n_servers, codes.code
    group_of, joins, numbers = count.group_of, count.joins, count.numbers
    at_most, in_bytes, full = count.at_most, count.in_bytes, count.full
    class_of, asked = draw.class_of, draw.asked
    log_row, marks = log
    event, end = first, first + n
    while event < end:
        size = min(code.size, end - event)
        decode(stream, codes, event, size)
        for e in range(size):
            if event + e == snapshot:
                snapshot += stride
                snapshot_servers(queue, n_servers, group_of, at_most, in_bytes, full, numbers, places)
                if log_row.size:
                    log_queues(log_row, marks, numbers[LOGGED], queue, n_servers)
                    log_row[numbers[LOGGED], 2 + marks.size] = numbers[ARRIVALS]
                    numbers[LOGGED] += 1
            server = np.int64(code[e])
            if server != n_servers:
                held = queue[server]
                queue[server] = held - np.uint8(held > 0)
                continue
            numbers[ARRIVALS] += 1
            pick(draw, choices, event + e, n_servers)
            for i in range(asked.size):
                draw.speed_class[i] = class_of[asked[i]] if class_of.size else 0
                draw.level[i] = queue[asked[i]]
            server = asked[best(draw, choices, event + e)]
            level = np.int64(queue[server])
            if level == places:
                numbers[BLOCKED] += 1
                continue
            queue[server] = level + 1
            joins[np.int64(group_of[server]) * places + level] += 1
        event += size


@compiled
def advance_classes(
    stream: Stream,
    choices: Stream,
    codes: ClassCodes,
    counts: ClassCounts,
    draw: Draw,
    count: ClassCount,
    log: Log,
    places: int,
    first: int,
    n: int,
    snapshot: int,
    stride: int,
) -> None:
    """Form "classes": events first .. first + n - 1, a snapshot before event `snapshot` and every `stride` after it."""
    n_classes, first_server, at_most = counts.n_classes, counts.first_server, counts.at_most
    n_servers, width = first_server[n_classes], places + 2
    which, place, numbers = codes.which, codes.place, count.numbers
    log_row, marks = log
    event, end = first, first + n
    while event < end:
        size = min(which.size, end - event)
        decode_classes(stream, codes, event, size)
        for e in range(size):
            if event + e == snapshot:
                snapshot += stride
                numbers[SNAPSHOTS] += 1
                add_levels(count.held, at_most)
                if log_row.size:
                    log_classes(log_row, marks, numbers[LOGGED], at_most, first_server, places)
                    log_row[numbers[LOGGED], 2 + marks.size] = numbers[ARRIVALS]
                    numbers[LOGGED] += 1
            k = np.int64(which[e])
            if k != n_classes:
                row = k * width
                while place[e] >= at_most[row + 1]:
                    row += 1
                at_most[row] += U1  # column 0, for an idle server, is never read
                continue
            numbers[ARRIVALS] += 1
            pick(draw, choices, event + e, n_servers)
            for i in range(draw.asked.size):
                low, high = 0, n_classes
                while high - low > 1:
                    middle = (low + high) >> 1
                    if first_server[middle] <= draw.asked[i]:
                        low = middle
                    else:
                        high = middle
                where, level = np.uint64(draw.asked[i] - first_server[low]), 0
                while where >= at_most[low * width + level + 1]:
                    level += 1
                draw.speed_class[i], draw.level[i] = low, level
            i = best(draw, choices, event + e)
            k, level = draw.speed_class[i], draw.level[i]
            if level == places:
                numbers[BLOCKED] += 1
                continue
            at_most[k * width + level + 1] -= U1
            count.joins[k * (places + 1) + level] += 1
        event += size
