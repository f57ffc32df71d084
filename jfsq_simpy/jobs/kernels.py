"""The jobs view as one compiled loop: what `process` does with generators, done with arrays.

In    a block of draws, the stage of the run to stop at, the arrays of `layout`
Out   the same arrays, changed in place; how many jobs of the block have been routed
Rule  at one instant: departures, then the snapshot, then arrivals in their order. A FIFO job's start and
      departure are known when it arrives, so its record and its counts are complete at once
Cost  some 35 ns a job with JFSQ among servers of different speeds for N up to 10^4, some 70 where every
      choice is a tie, O(log N) more with a tree, O(N) with work left; draws (about 9 ns) not included

Each section names what it repeats in `process`, `policies.policy`, `counting` or `tally`. No fastmath:
sums and quotients are rounded as they are there. Indices are uint64, which Numba need not check for a
minus sign.
"""

# Numba infers the types of locals; what it takes for an int64, mypy sees as int here and as np.int64 there.
# mypy: disable-error-code="assignment, arg-type"
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from jfsq_simpy.jobs.bits import U0, U1, U4, U6, U10, U12, U18, U63, first_one
from jfsq_simpy.jobs.board_kernels import (
    OWN,
    REFRESHED,
    Posted,
    choose_by_board,
    first_read,
    goes_by_boards,
    post_left,
    post_sent,
    refresh_boards,
)
from jfsq_simpy.jobs.choices import (
    ask,
    ask_fast_and_slow,
    ask_least_work,
    best_in_tree,
    best_of_asked,
    by_rate_in_set,
    first_above,
    nth_in_set,
    put_in_tree,
)
from jfsq_simpy.jobs.compiling import compiled
from jfsq_simpy.jobs.layout import NO_NODE, Calendar, Clock, Counts, Rows, Servers, Watch
from jfsq_simpy.jobs.order import (
    BY_COIN,
    BY_DRAW,
    BY_IDLE,
    BY_INDEX,
    BY_NUMBER,
    BY_SETS,
    BY_TREE,
    BY_TURN,
    BY_WORK,
    Order,
    rule_of,
)
from jfsq_simpy.jobs.prefetch import prefetch
from jfsq_simpy.jobs.snapshots import count_snapshot, idle_among
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import BIN_SHIFT, FIRST_BIN, N_BINS, SNAPSHOTS_PER_UNIT, TICKS

LATEST = 4e18  # list numbers stay below 2^62
FAR = 64  # lists to walk through before it pays to ask whether they can hold anything
AHEAD = 12  # lists; about as many jobs
LAST_BIN = N_BINS - 1


def loop_for(any_policy: bool, by_board: bool = False) -> Callable[..., int]:
    """The loop, compiled for any policy, or for those where sets alone decide: no trees, no samples, no ties to draw.

    What stands under `if any_policy` is then not compiled at all; nor is, where dispatchers see the servers
    themselves, what stands under `if by_board`.
    """

    @compiled
    def advance(
        first: int, gaps: FloatArray, sizes: FloatArray, draws: FloatArray, samples: FloatArray, turns: IntArray,
        marks: IntArray, stage_end: float, last_instant: float, origin: float, first_snapshot: int, snapshots: int,
        fleet: Servers, order: Order, calendar: Calendar, clock: Clock, watch: Watch, counts: Counts, rows: Rows,
        posted: Posted,
    ) -> int:  # fmt: skip
        """Route jobs `first`, first + 1, ... of a block until one arrives at or after `stage_end`.

        Snapshots first_snapshot + 0 .. snapshots - 1, at origin + i / 8, are the stage's. Returns the number
        of the first job that has not been routed; with the block's length, the stage is not over.
        Repeats `process.run`, `counting.JobCounter`.
        """
        how, ties, in_tree = BY_SETS, BY_INDEX, False
        if any_policy:
            how, ties, in_tree = order.how, order.ties, order.best.size > 0
        n_tie_classes = order.n_tie_classes
        tie_class, words, blocks, regions = order.tie_class, order.words, order.blocks, order.regions
        on, on_by_class, spans, span_at = order.on, order.on_by_class, order.spans, order.span_at
        speed_class, rank, best, tied = order.speed_class, order.rank, order.best, order.tied
        asked, weights = order.asked, order.weights
        per_unit, mask, head, nodes = calendar
        cells, wait_bins, response_bins = counts.cells, counts.wait_bins, counts.response_bins

        n_servers, places, n_blocks = fleet.size, np.uint64(on.size), blocks.shape[1]
        n_spans = np.uint64(span_at.size)
        observing = watch.rows.size + watch.tails.size + watch.fastest.size + watch.eta.size + counts.path.size > 0
        keeping = rows.arrival.size > 0
        state, totals = clock[0], counts.totals[0]
        now, position, taken = state["now"], state["position"], state["taken"]
        free_node, nodes_used = state["free_node"], state["nodes_used"]
        blocked = unfinished = wait_ticks = response_ticks = 0
        refresh, every, refreshed_in_turn = posted.next_refresh[0], posted.every, posted.turns
        told_of_leaving, told_of_sending = posted.kind != REFRESHED, posted.kind == OWN or posted.count_own
        shown, best_on, tied_on, senders = posted.shown, posted.best, posted.tied, posted.senders
        reports, sent_after, kind = posted.reports, posted.sent_after, posted.kind
        next_snapshot = origin + (first_snapshot + taken) / SNAPSHOTS_PER_UNIT if taken < snapshots else np.inf

        k = first
        while k < gaps.size:
            arrival = now + gaps[k]
            if by_board:
                refresh = first_read(refresh, every, refreshed_in_turn, min(arrival, stage_end))
            while True:
                refreshing, refresh_time = False, np.inf
                if by_board:
                    refresh_time = refresh * every / refreshed_in_turn
                    refreshing = refresh_time <= min(arrival, next_snapshot) and refresh_time < stage_end
                if refreshing:
                    instant = refresh_time
                elif taken < snapshots and next_snapshot <= arrival and next_snapshot < stage_end:
                    instant = next_snapshot
                elif arrival < stage_end:
                    instant = arrival
                else:
                    break

                # ---- departures up to `instant`: Server.serve, Dispatcher.depart ----
                unseen = snapshots - taken  # snapshots of the stage that will see what changes now
                last = np.int64(min(instant * per_unit, LATEST))
                if last - position > FAR and on[0] == n_servers:
                    position = last
                while True:
                    node = np.uint64(head[position & mask])
                    if node != NO_NODE:
                        kept = NO_NODE
                        while node != NO_NODE:
                            entry = nodes[node]
                            following = np.uint64(entry["following"])
                            if entry["time"] > instant:  # later in this span of time, or in a later turn of the wheel
                                entry["following"] = kept
                                kept = node
                            else:
                                n = np.uint64(entry["server"])
                                entry["following"] = free_node
                                free_node = node
                                server = fleet[n]
                                level = np.uint64(server["queue"]) - U1
                                server["queue"] = level
                                cells[server["group"], level]["below"] += unseen
                                on[level] += 1
                                if how == BY_SETS:
                                    words[level, n >> U6] |= U1 << (n & U63)
                                    blocks[level, n >> U12] |= U1 << ((n >> U6) & U63)
                                    if n_blocks > 1:
                                        regions[level, n >> U18] |= U1 << ((n >> U12) & U63)
                                if any_policy:
                                    if in_tree:
                                        put_in_tree(best, tied, n, rank[speed_class[n], level])
                                    elif how == BY_SETS and ties != BY_INDEX:
                                        inside = n >> U10
                                        for d in range(n_spans):
                                            spans[level, span_at[d] + inside] += 1
                                            inside >>= U4
                                        if n_tie_classes > 1:
                                            on_by_class[level, tie_class[n]] += 1
                                if by_board and told_of_leaving:
                                    post_left(
                                        kind, shown, best_on, tied_on, reports, sent_after, rank, speed_class,
                                        np.int64(places), n, np.int64(senders[node]), np.int64(level),
                                    )  # fmt: skip
                            node = following
                        head[position & mask] = kept
                    if position >= last:
                        break
                    position += 1
                    prefetch(nodes, np.uint64(head[(position + 2 * AHEAD) & mask]))
                    prefetch(fleet, np.uint64(nodes[head[(position + AHEAD) & mask]]["server"]))
                if by_board and refreshing:
                    refresh_boards(posted, rank, speed_class, fleet, refresh)
                    refresh += 1
                    continue
                if instant < next_snapshot:
                    break

                # ---- a snapshot: Tally.count_paths ----
                if observing:
                    for i in range(watch.fastest.size):
                        among = idle_among(fleet, words, watch.fastest[i], how)
                        counts.idle_tails[i] += among >= watch.at_least[i]
                    count_snapshot(on, n_servers, taken, watch, counts)
                taken += 1
                next_snapshot = origin + (first_snapshot + taken) / SNAPSHOTS_PER_UNIT if taken < snapshots else np.inf

            if arrival >= stage_end:
                break
            now = arrival

            # ---- the choice: Dispatcher.choose, policies.policy.choose_among ----
            n, level = U0, U0
            if how == BY_SETS:  # the first bit of the first set that is not empty
                while level < places and on[level] == 0:
                    level += U1
                if level < places:
                    block = U0
                    if n_blocks > 1:
                        region = U0
                        while regions[level, region] == U0:
                            region += U1
                        block = region << U6 | first_one(regions[level, region])
                    w = block << U6 | first_one(blocks[level, block])
                    n = w << U6 | first_one(words[level, w])
            if any_policy:
                u = draws[k] if ties != BY_INDEX else 0.0
                if how == BY_SETS:
                    if ties != BY_INDEX and level < places:
                        # no faster class has a bit on, so number r of this class is number r of the set
                        m = on_by_class[level, tie_class[n]] if n_tie_classes > 1 else on[level]
                        if m > 1 and ties == BY_NUMBER:
                            n = nth_in_set(words, spans, span_at, level, int(u * m))
                        elif m > 1:
                            n = by_rate_in_set(weights, words, level, n, m, u)
                else:
                    if by_board:
                        board = marks[k] % shown.shape[0]
                        n = choose_by_board(
                            shown[board], best_on[board], tied_on[board], weights, how, ties, u, samples[k],
                            asked, order.shares, order.chances, order.replace, rank, speed_class,
                        )  # fmt: skip
                    elif how == BY_TREE or (how == BY_IDLE and on[0] > 0):
                        n = best_in_tree(best, tied, ties, u, weights)
                    elif how == BY_TURN:
                        n = np.uint64(turns[k])
                    elif how == BY_DRAW:
                        if ties == BY_NUMBER:
                            n = np.uint64(u * n_servers)
                        elif ties != BY_INDEX:
                            n = np.uint64(first_above(order.cumulative, u * order.cumulative[n_servers - 1]))
                    else:
                        if how == BY_WORK:
                            m = ask_least_work(asked, fleet, places)
                        elif how == BY_COIN:
                            m = ask_fast_and_slow(asked, order.shares, order.chances, samples[k], fleet)
                        else:
                            m = ask(asked, order.shares, order.chances, samples[k], order.replace)
                        n = best_of_asked(asked, m, rank, speed_class, fleet, weights, ties, u)
                    level = np.uint64(fleet[n]["queue"])

            # ---- the job joins, or is blocked: Dispatcher.route ----
            if level < places:
                server = fleet[n]
                start = max(arrival, server["free_at"])  # an idle server was free before
                departure = start + sizes[k] / server["rate"]
                server["free_at"] = departure
                server["queue"] = level + U1
                cell = cells[server["group"], level]
                cell["joins"] += 1
                cell["below"] -= snapshots - taken
                on[level] -= 1
                if how == BY_SETS:
                    word = words[level, n >> U6] & ~(U1 << (n & U63))
                    words[level, n >> U6] = word
                    bits = blocks[level, n >> U12] & ~(np.uint64(word == U0) << ((n >> U6) & U63))
                    blocks[level, n >> U12] = bits
                    if n_blocks > 1:
                        regions[level, n >> U18] &= ~(np.uint64(bits == U0) << ((n >> U12) & U63))
                if any_policy:
                    if in_tree:
                        put_in_tree(best, tied, n, rank[speed_class[n], level + U1])
                    elif how == BY_SETS and ties != BY_INDEX:
                        inside = n >> U10
                        for d in range(n_spans):
                            spans[level, span_at[d] + inside] -= 1
                            inside >>= U4
                        if n_tie_classes > 1:
                            on_by_class[level, tie_class[n]] -= 1

                # its departure: a node at the front of its list
                node = free_node
                if node == NO_NODE:
                    nodes_used += U1
                    node = nodes_used
                entry = nodes[node]
                free_node = np.uint64(entry["following"])  # 0 in a new node
                at = np.int64(min(departure * per_unit, LATEST)) & mask
                entry["time"] = departure
                entry["server"] = n
                entry["following"] = head[at]
                head[at] = node
                if by_board and told_of_sending:
                    senders[node] = marks[k]
                    post_sent(kind, shown, best_on, tied_on, reports, sent_after, rank, speed_class, np.int64(places), n, marks[k])

                # ---- its counts: JobCounter._count_batch, tally.time_bin, tally.ticks ----
                if departure <= last_instant:
                    band = server["band"]
                    place = 0
                    if start > arrival:
                        wait = start - arrival
                        wait_ticks += np.int64(math.floor(wait * TICKS + 0.5))
                        place = min(max((np.float64(wait).view(np.int64) >> BIN_SHIFT) - FIRST_BIN + 1, 1), LAST_BIN)
                    wait_bins[band, place] += 1
                    response = departure - arrival
                    response_ticks += np.int64(math.floor(response * TICKS + 0.5))
                    place = min(max((np.float64(response).view(np.int64) >> BIN_SHIFT) - FIRST_BIN + 1, 1), LAST_BIN)
                    response_bins[band, place * (response > 0.0)] += 1
                else:
                    unfinished += 1
            else:
                blocked += 1

            if keeping:
                joined = level < places
                rows.arrival[k] = arrival
                rows.server[k] = np.int64(n) if joined else -1
                rows.level[k] = np.int64(level)
                rows.start[k] = start if joined and start <= last_instant else np.nan
                rows.departure[k] = departure if joined and departure <= last_instant else np.nan
            k += 1

        state["now"], state["position"], state["taken"] = now, position, taken
        state["free_node"], state["nodes_used"] = free_node, nodes_used
        posted.next_refresh[0] = refresh
        totals["blocked"] += blocked
        totals["unfinished"] += unfinished
        totals["wait_ticks"] += wait_ticks
        totals["response_ticks"] += response_ticks
        return k

    return advance


advance_by_sets = loop_for(any_policy=False)
advance_by_any = loop_for(any_policy=True)
advance_by_board = loop_for(any_policy=True, by_board=True)


def loop_of(system: System) -> Callable[..., int]:
    """The loop that suits what dispatchers go by: a seventh faster where nothing need be drawn to choose a server."""
    if goes_by_boards(system):
        return advance_by_board
    how, ties, _ = rule_of(system)
    return advance_by_sets if how == BY_SETS and ties == BY_INDEX else advance_by_any
