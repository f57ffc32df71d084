"""The jobs view as one compiled loop: what `process` does with generators, done with arrays.

In    a block of draws, the stage of the run to stop at, the arrays of `layout`
Out   the same arrays, changed in place; how many jobs of the block have been routed
Rule  at one instant: departures, then the snapshot, then arrivals in their order. A FIFO job's start and
      departure are known when it arrives, so its record and its counts are complete at once
Cost  20 to 30 ns a job with JFSQ or JSQ for N up to 10^4, draws not included

One function on purpose: helpers that take arrays cost reference counting. Each section names what it
repeats in `process`, `policies.policy` or `tally`. No fastmath: sums and quotients are rounded as they are there.
"""

# Numba infers the types of locals; what it takes for an int64, mypy sees as int here and as np.int64 there.
# mypy: disable-error-code="assignment, arg-type"
from __future__ import annotations

import math

import numpy as np

from jfsq_simpy.jobs.bits import U1, compiled, count_ones, first_one, nth_one
from jfsq_simpy.jobs.layout import (
    BY_DRAW,
    BY_INDEX,
    BY_NUMBER,
    BY_RATE,
    BY_SETS,
    BY_TREE,
    NO_NODE,
    Calendar,
    Clock,
    Counts,
    Fleet,
    Order,
    Rows,
    Watch,
)
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.tally import BIN_SHIFT, FIRST_BIN, N_BINS, SNAPSHOTS_PER_UNIT, TICKS

ZERO = np.uint64(0)
LATEST = 4e18  # list numbers stay below 2^62
LAST_BIN = N_BINS - 1


@compiled
def advance(
    first: int, gaps: FloatArray, sizes: FloatArray, draws: FloatArray, samples: FloatArray,
    stage_end: float, last_instant: float, origin: float, first_snapshot: int, snapshots: int,
    fleet: Fleet, order: Order, calendar: Calendar, clock: Clock, watch: Watch, counts: Counts, rows: Rows,
) -> int:  # fmt: skip
    """Route jobs `first`, first + 1, ... of a block until one arrives at or after `stage_end`.

    Snapshots first_snapshot + 0 .. snapshots - 1, at origin + i / 8, are the stage's. Returns the number
    of the first job that has not been routed; with the block's length, the stage is not over.
    Repeats `process.run`, `counting.JobCounter`.
    """
    rate, free_at, queue, group, band = fleet
    how, ties, n_tie_classes = order.how, order.ties, order.n_tie_classes
    tie_class, words, blocks, regions = order.tie_class, order.words, order.blocks, order.regions
    on, on_by_class, on_by_block = order.on, order.on_by_class, order.on_by_block
    speed_class, rank, best, tied = order.speed_class, order.rank, order.best, order.tied
    cumulative, asked = order.cumulative, order.asked
    per_unit, mask, head, following, time, server = calendar
    idle_among, fastest = clock.idle_among, watch.fastest
    joins, below, wait_bins, response_bins, sums = counts.joins, counts.below, counts.wait_bins, counts.response_bins, counts.sums

    n_servers, places = queue.size, below.shape[1]
    n_blocks, n_leaves = blocks.shape[1], best.size // 2
    now = clock.time[0]
    present, idle, position = clock.counters[0], clock.counters[1], clock.counters[2]
    free_node, nodes_used, pending = clock.counters[3], clock.counters[4], clock.counters[5]
    observing = watch.rows.size + watch.tails.size + fastest.size + watch.eta.size + counts.path.size > 0
    keeping = rows.arrival.size > 0
    blocked = unfinished = wait_ticks = response_ticks = 0
    taken = clock.counters[6]
    next_snapshot = origin + (first_snapshot + taken) / SNAPSHOTS_PER_UNIT if taken < snapshots else np.inf

    k = first
    while k < gaps.size:
        arrival = now + gaps[k]
        while True:
            if taken < snapshots and next_snapshot <= arrival:
                instant = next_snapshot
            elif arrival < stage_end:
                instant = arrival
            else:
                break

            # ---- departures up to `instant`: Server.serve, Dispatcher.depart ----
            weight = snapshots - taken  # snapshots of the stage that will see a change made now
            last = np.int64(min(instant * per_unit, LATEST))
            if pending == 0:
                position = last
            while True:
                at = position & mask
                node = np.int64(head[at])
                if node != NO_NODE:
                    kept = NO_NODE
                    while node != NO_NODE:
                        after = np.int64(following[node])
                        if time[node] > instant:  # later in this span of time, or a later turn of the wheel
                            following[node] = kept
                            kept = node
                            node = after
                            continue
                        n = np.int64(server[node])
                        following[node] = free_node
                        free_node = node
                        node = after
                        pending -= 1
                        level = np.int64(queue[n]) - 1
                        queue[n] = level
                        present -= 1
                        below[group[n], level] += weight
                        if level == 0:
                            idle += 1
                            for i in range(fastest.size):
                                idle_among[i] += n < fastest[i]
                        if how == BY_SETS:
                            word = words[level, n >> 6]
                            words[level, n >> 6] = word | (U1 << np.uint64(n & 63))
                            if word == ZERO:
                                block = blocks[level, n >> 12]
                                blocks[level, n >> 12] = block | (U1 << np.uint64((n >> 6) & 63))
                                if block == ZERO:
                                    regions[level, n >> 18] |= U1 << np.uint64((n >> 12) & 63)
                            on[level] += 1
                            if ties != BY_INDEX:
                                if n_tie_classes > 1:
                                    on_by_class[level, tie_class[n]] += 1
                                on_by_block[level, n >> 12] += 1
                        elif how == BY_TREE:
                            node_up = n_leaves + n
                            best[node_up] = rank[speed_class[n], level]
                            while node_up > 1:
                                node_up >>= 1
                                left, right = best[2 * node_up], best[2 * node_up + 1]
                                best[node_up] = min(left, right)
                                tied[node_up] = (left <= right) * tied[2 * node_up] + (right <= left) * tied[2 * node_up + 1]
                    head[at] = kept
                if position >= last:
                    break
                position += 1
            if instant < next_snapshot:
                break

            # ---- a snapshot: Tally.count_paths ----
            if observing:
                waiting = present - (n_servers - idle)
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
                    slack = watch.tails[i, 1] - (n_servers - idle)
                    counts.tails[i] += min(waiting - watch.tails[i, 0], slack) >= watch.tails[i, 2]
                for i in range(fastest.size):
                    counts.idle_tails[i] += idle_among[i] >= watch.at_least[i]
                for i in range(watch.eta.size):
                    excess = max(present / n_servers - watch.eta[i], 0.0)
                    power = excess
                    for _ in range(watch.power[i] - 1):
                        power *= excess
                    counts.powers[i] += power
            taken += 1
            next_snapshot = origin + (first_snapshot + taken) / SNAPSHOTS_PER_UNIT if taken < snapshots else np.inf

        if arrival >= stage_end:
            break
        now = arrival

        # ---- the choice: Dispatcher.choose, policies.policy.route ----
        n = -1
        if how == BY_SETS:
            level = 0
            while level < places and on[level] == 0:
                level += 1
            if level < places:
                b = 0
                if n_blocks > 1:
                    region = 0
                    while regions[level, region] == ZERO:
                        region += 1
                    b = region << 6 | first_one(regions[level, region])
                w = b << 6 | first_one(blocks[level, b])
                n = w << 6 | first_one(words[level, w])
                if ties != BY_INDEX:
                    m = on_by_class[level, tie_class[n]] if n_tie_classes > 1 else on[level]
                    if m > 1 and ties == BY_NUMBER:
                        # no bit is on before this class's first one: number r of the class is number r of the set
                        r = np.int64(draws[k] * m)
                        b = 0
                        while r >= on_by_block[level, b]:
                            r -= on_by_block[level, b]
                            b += 1
                        w = b << 6
                        ones = count_ones(words[level, w])
                        while r >= ones:
                            r -= ones
                            w += 1
                            ones = count_ones(words[level, w])
                        n = w << 6 | nth_one(words[level, w], r)
                    elif m > 1:
                        total = 0.0
                        target = np.inf
                        for turn in range(2):  # the sum first, then the first partial sum above its share
                            left_over = m
                            partial = 0.0
                            w = n >> 6
                            word = words[level, w]
                            chosen = n
                            while left_over > 0:
                                while word == ZERO:
                                    w += 1
                                    word = words[level, w]
                                chosen = w << 6 | first_one(word)
                                word &= word - U1
                                left_over -= 1
                                partial += rate[chosen]
                                if partial > target:
                                    break
                            if turn == 0:
                                total = partial
                                target = draws[k] * total
                            else:
                                n = chosen
        elif how == BY_TREE:
            m = np.int64(tied[1])
            top = best[1]
            if ties == BY_RATE:
                total = 0.0
                for i in range(n_servers):
                    if best[n_leaves + i] == top:
                        total += rate[i]
                target = draws[k] * total
                partial = 0.0
                for i in range(n_servers):
                    if best[n_leaves + i] == top:
                        n = i
                        partial += rate[i]
                        if partial > target:
                            break
            else:
                r = np.int64(draws[k] * m) if ties == BY_NUMBER else 0
                node = 1
                while node < n_leaves:
                    node *= 2
                    if best[node] > top:
                        node += 1
                    elif best[node + 1] == top and r >= tied[node]:
                        r -= tied[node]
                        node += 1
                n = node - n_leaves
        elif how == BY_DRAW:
            if ties == BY_NUMBER:
                n = np.int64(draws[k] * n_servers)
            elif ties == BY_INDEX:
                n = 0
            else:
                n = min(np.searchsorted(cumulative, draws[k] * cumulative[-1], side="right"), n_servers - 1)
        else:
            # policies.policy.asked: with replacement a server may come up twice, without each pick skips the earlier ones
            m = 0
            for i in range(asked.size):
                if order.replace:
                    pick = np.int64(samples[k, i] * n_servers)
                else:
                    pick = np.int64(samples[k, i] * (n_servers - i))
                    for j in range(m):
                        pick += pick >= asked[j]
                j = m
                while j > 0 and asked[j - 1] > pick:
                    j -= 1
                if j > 0 and asked[j - 1] == pick:
                    continue
                for i_up in range(m, j, -1):
                    asked[i_up] = asked[i_up - 1]
                asked[j] = pick
                m += 1
            top = rank[speed_class[asked[0]], queue[asked[0]]]
            for j in range(1, m):
                top = min(top, rank[speed_class[asked[j]], queue[asked[j]]])
            among = m
            m = 0
            for j in range(among):  # the best, still ascending
                if rank[speed_class[asked[j]], queue[asked[j]]] == top:
                    asked[m] = asked[j]
                    m += 1
            r = 0
            if ties == BY_NUMBER and m > 1:
                r = np.int64(draws[k] * m)
            elif ties == BY_RATE:
                total = 0.0
                for j in range(m):
                    total += rate[asked[j]]
                target = draws[k] * total
                partial = rate[asked[0]]
                while r < m - 1 and partial <= target:
                    r += 1
                    partial += rate[asked[r]]
            n = asked[r]

        # ---- the job joins, or is blocked: Dispatcher.route ----
        if n >= 0:
            level = np.int64(queue[n])
            if level == places:
                n = -1
        else:
            level = places
        start = np.nan
        departure = np.nan
        if n < 0:
            blocked += 1
        else:
            queue[n] = level + 1
            start = max(arrival, free_at[n])
            departure = start + sizes[k] / rate[n]
            free_at[n] = departure
            present += 1
            g = group[n]
            below[g, level] -= snapshots - taken
            if level == 0:
                idle -= 1
                for i in range(fastest.size):
                    idle_among[i] -= n < fastest[i]
            if how == BY_SETS:
                word = words[level, n >> 6] & ~(U1 << np.uint64(n & 63))
                words[level, n >> 6] = word
                if word == ZERO:
                    block = blocks[level, n >> 12] & ~(U1 << np.uint64((n >> 6) & 63))
                    blocks[level, n >> 12] = block
                    if block == ZERO:
                        regions[level, n >> 18] &= ~(U1 << np.uint64((n >> 12) & 63))
                on[level] -= 1
                if ties != BY_INDEX:
                    if n_tie_classes > 1:
                        on_by_class[level, tie_class[n]] -= 1
                    on_by_block[level, n >> 12] -= 1
            elif how == BY_TREE:
                node_up = n_leaves + n
                best[node_up] = rank[speed_class[n], level + 1]
                while node_up > 1:
                    node_up >>= 1
                    left, right = best[2 * node_up], best[2 * node_up + 1]
                    best[node_up] = min(left, right)
                    tied[node_up] = (left <= right) * tied[2 * node_up] + (right <= left) * tied[2 * node_up + 1]

            # its departure: a new node at the front of its list
            node = np.int64(free_node)
            if node == NO_NODE:
                nodes_used += 1
                node = nodes_used
            else:
                free_node = np.int64(following[node])
            time[node] = departure
            server[node] = n
            at = np.int64(min(departure * per_unit, LATEST)) & mask
            following[node] = head[at]
            head[at] = node
            pending += 1

            # ---- its counts: counting.JobCounter._count_batch, tally.time_bin, tally.ticks ----
            joins[g, level] += 1
            if departure <= last_instant:
                wait, response = start - arrival, departure - arrival
                wait_ticks += np.int64(math.floor(wait * TICKS + 0.5))
                response_ticks += np.int64(math.floor(response * TICKS + 0.5))
                place = np.int64(0)
                if wait != 0.0:
                    place = min(max((np.float64(wait).view(np.int64) >> BIN_SHIFT) - FIRST_BIN + 1, 1), LAST_BIN)
                wait_bins[band[g], place] += 1
                place = np.int64(0)
                if response != 0.0:
                    place = min(max((np.float64(response).view(np.int64) >> BIN_SHIFT) - FIRST_BIN + 1, 1), LAST_BIN)
                response_bins[band[g], place] += 1
            else:
                unfinished += 1
                departure = np.nan
                if start > last_instant:
                    start = np.nan

        if keeping:
            rows.arrival[k] = arrival
            rows.server[k] = n
            rows.level[k] = level
            rows.start[k] = start
            rows.departure[k] = departure
        k += 1

    clock.time[0] = now
    clock.counters[0], clock.counters[1], clock.counters[2] = present, idle, position
    clock.counters[3], clock.counters[4], clock.counters[5], clock.counters[6] = free_node, nodes_used, pending, taken
    sums[0] += blocked
    sums[1] += unfinished
    sums[2] += wait_ticks
    sums[3] += response_ticks
    return k
