"""The arrays the compiled events loop works on: servers, their order, pending departures, counts.

In    a System, the queue lengths to start from, what is observed
Out   tuples of arrays that the kernel reads and changes in place
Rule  thermometer sets: bit n of set l is on while server n holds at most l jobs, so an arrival or a
      departure flips one bit, and with servers fastest first the fastest shortest queue is the first
      bit that is on in the first set that is not empty
Cost  about 100 bytes a server with 5 places: 24 to know it, 1 in the sets, 16 a job present, up to 64 in
      the calendar (at most 32 MiB in all); nothing grows with the run
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.policies import AskAll, AskClass, AskEachClass, AskFastSlow, AskSample, AskWork, IdleFirst, InTurn, Policy
from jfsq_simpy.policies.ranking import KEY_TOLERANCE
from jfsq_simpy.rates import FloatArray, IntArray, Rates
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups, Observables, Tally

Bytes = NDArray[np.uint8]
Shorts = NDArray[np.uint16]
Ints = NDArray[np.int32]
Indices = NDArray[np.uint32]
Words = NDArray[np.uint64]

# how the dispatcher finds the best server
BY_SETS = 0  # JFSQ and JSQ: thermometer sets
BY_TREE = 1  # any rank table, all servers asked: a tournament tree
BY_DRAW = 2  # all servers always rank the same
BY_SAMPLE = 3  # some servers are asked, of all or of each speed class
BY_CLASS = 4  # servers of one class are asked, a sample or all of them
BY_WORK = 5  # those with the least work left
BY_IDLE = 6  # the idle ones by a tree, and where there are none a sample
BY_TURN = 7  # nobody is asked
BY_COIN = 8  # fast and slow servers are asked, and the ones or the others left
QUERIES = {
    AskAll: BY_SETS,
    AskSample: BY_SAMPLE,
    AskEachClass: BY_SAMPLE,
    AskClass: BY_CLASS,
    AskFastSlow: BY_COIN,
    AskWork: BY_WORK,
    IdleFirst: BY_IDLE,
    InTurn: BY_TURN,
}

# how ties are broken
TIES = {"uniform": 0, "index": 1, "rate": 2}
BY_NUMBER, BY_INDEX, BY_RATE = 0, 1, 2

NO_NODE = np.uint64(0)
LARGEST_WHEEL = 2**23


Servers = NDArray[np.void]  # (N,) of SERVER: what is known of each server, together because it is used together
SERVER = np.dtype(
    [
        ("rate", np.float64),
        ("free_at", np.float64),  # when the last job accepted so far leaves
        ("group", np.uint32),  # the tally's group
        ("band", np.uint8),  # the band in which its waits are binned
        ("queue", np.uint8),  # Q_n, the job in service included
    ],
    align=True,
)
NODE = np.dtype([("time", np.float64), ("server", np.uint32), ("following", np.uint32)], align=True)
Clock = NDArray[np.void]  # (1,) of STATE: where the loop stands between two calls
STATE = np.dtype(
    [
        ("now", np.float64),  # the last arrival
        ("position", np.int64),  # the wheel's list
        ("free_node", np.uint64),  # the first node no longer in use
        ("nodes_used", np.uint64),
        ("taken", np.int64),  # snapshots of this stage so far
    ],
    align=True,
)
# `below` turns into levels when the batch is complete: flips of a set's bits, each times the snapshots that see it
CELL = np.dtype([("joins", np.int64), ("below", np.int64)], align=True)
TOTALS = np.dtype([(name, np.int64) for name in ("blocked", "unfinished", "wait_ticks", "response_ticks")], align=True)


class Order(NamedTuple):
    """The dispatcher's view: where the best server is. Which arrays are in use depends on `how`."""

    how: int
    ties: int
    n_tie_classes: int
    tie_class: Indices  # (N,) servers of one tie class and level rank the same; (0,) where nothing ties
    # thermometer sets, each with summaries: a bit of a block is on while the word below it is not 0
    words: Words  # (places, ceil(N / 64))
    blocks: Words  # (places, ceil(N / 64^2))
    regions: Words  # (places, ceil(N / 64^3))
    on: IntArray  # (places,) bits on in each set: servers that hold at most l jobs; kept whatever `how`
    on_by_class: IntArray  # (places, n_tie_classes)
    on_by_block: Ints  # (places, ceil(N / 64^2)), kept where ties are drawn
    # rank tables
    speed_class: Indices  # (N,)
    rank: Ints  # (n_classes, places + 1)
    best: Ints  # (2 * leaves,) tournament tree: the best rank below each node, node 1 the root
    tied: Ints  # (2 * leaves,) how many servers below have it
    cumulative: FloatArray  # (N,) running sums of the rates, for draws in proportion to the rate
    asked: IntArray  # room for the servers asked, ascending
    shares: IntArray  # (parts, 3) who is asked: d of the n servers from first on; columns first, n, d
    chances: FloatArray  # (parts,) running sums of the probabilities with which a class is chosen; a coin's two
    replace: bool  # whether a server may be drawn twice


class Calendar(NamedTuple):
    """Pending departures: a wheel of short unordered lists, one for each span of time.

    Departures between two arrivals commute, so a list needs no order. Later turns of the wheel share its
    lists; their entries wait until their time has come.
    """

    per_unit: float  # lists a unit of time
    mask: int  # lists - 1, a power of 2 less 1
    head: Indices  # (lists,) first node, 0 for none
    nodes: NDArray[np.void]  # (nodes + 1,) of NODE


class Watch(NamedTuple):
    """The observables, as arrays."""

    rows: IntArray  # edges of the joint histogram: waiting jobs, idle servers
    columns: IntArray
    tails: FloatArray  # (n, 3)
    fastest: IntArray  # (n_idle_tails,)
    at_least: FloatArray  # (n_idle_tails,)
    eta: FloatArray  # (n_powers,)
    power: IntArray  # (n_powers,)


class Counts(NamedTuple):
    """One batch of the window; all but `cells` and `totals` are the tally's own arrays."""

    cells: NDArray[np.void]  # (n_groups, places) of CELL
    totals: NDArray[np.void]  # (1,) of TOTALS
    wait_bins: IntArray
    response_bins: IntArray
    joint: IntArray
    tails: IntArray
    idle_tails: IntArray
    powers: FloatArray
    path: IntArray  # (snapshots,) jobs present, or (0,)


class Rows(NamedTuple):
    """The records of a block of jobs, or arrays of length 0 where nobody reads them."""

    arrival: FloatArray
    server: IntArray
    level: IntArray
    start: FloatArray
    departure: FloatArray


# ---- built from a System -------------------------------------------------------------------------------------


def servers_of(system: System, groups: Groups, queue: Bytes, free_at: FloatArray) -> Servers:
    """The servers, holding `queue` jobs each and idle from `free_at` on."""
    servers = np.zeros(system.n_servers, SERVER)
    servers["rate"], servers["free_at"], servers["queue"] = system.rates.vector(), free_at, queue
    servers["group"] = np.repeat(np.arange(groups.n_groups, dtype=np.uint32), groups.sizes)
    servers["band"] = np.repeat(groups.band.astype(np.uint8), groups.sizes)
    return servers


def order_of(system: System, queue: Bytes) -> Order:
    """The dispatcher's view of servers that hold `queue` jobs each."""
    policy, rates, places = system.policy, system.rates, system.places
    how = _how(system)
    classes = _tie_classes(policy, rates) if how == BY_SETS else np.zeros(1, np.int64)
    ties = TIES[policy.ties]
    if how == BY_SETS and classes.size == system.n_servers:
        ties = BY_INDEX  # no two servers ever rank the same
    sets = places if how == BY_SETS else 0
    words, blocks, regions, on_by_block = _sets(queue, sets)
    several = how == BY_SETS and ties != BY_INDEX and classes.size > 1
    tie_class = np.repeat(np.arange(classes.size, dtype=np.uint32), classes) if several else np.zeros(0, np.uint32)
    on_by_class = np.zeros((sets, classes.size if several else 0), np.int64)
    for level in range(sets if several else 0):
        on_by_class[level] = np.bincount(tie_class[queue <= level], minlength=classes.size)
    tabled = how not in (BY_SETS, BY_DRAW, BY_TURN)
    rank = policy.rank_table(rates, places) if tabled else np.zeros((0, 0), np.int32)
    speed_class = np.repeat(np.arange(rates.n_classes, dtype=np.uint32), rates.counts) if tabled else np.zeros(0, np.uint32)
    treed = how in (BY_TREE, BY_IDLE)
    best, tied = _tree(rank[speed_class, queue]) if treed else (np.zeros(0, np.int32), np.zeros(0, np.int32))
    shares, chances = _shares(policy.query, rates)
    by_rate = how == BY_DRAW and ties == BY_RATE
    return Order(
        how=how,
        ties=ties,
        n_tie_classes=int(classes.size),
        tie_class=tie_class,
        words=words,
        blocks=blocks,
        regions=regions,
        on=np.array([np.count_nonzero(queue <= level) for level in range(places)], dtype=np.int64),
        on_by_class=on_by_class,
        on_by_block=on_by_block,
        speed_class=speed_class,
        rank=rank,
        best=best,
        tied=tied,
        cumulative=np.cumsum(rates.vector()) if by_rate else np.zeros(0),
        asked=np.zeros(system.n_servers if how in (BY_CLASS, BY_WORK) else policy.samples, np.int64),
        shares=shares,
        chances=chances,
        replace=bool(getattr(getattr(policy.query, "then", policy.query), "replace", False)),
    )


def calendar_of(system: System, departures: FloatArray) -> Calendar:
    """The wheel, holding the departures (n,) of jobs at servers 0 .. n - 1.

    One list for each expected gap between arrivals, and enough of them for a turn to be long beside the
    time jobs stay: lists are then short, and few entries of later turns are met early.
    """
    n = departures.size
    wanted = system.n_servers * max(8, system.places)
    lists = min(max(64, 1 << (wanted - 1).bit_length()), LARGEST_WHEEL)
    calendar = Calendar(
        per_unit=system.arrival_rate,
        mask=lists - 1,
        head=np.zeros(lists, np.uint32),
        nodes=np.zeros(system.n_servers * system.places + 1, NODE),
    )
    calendar.nodes["time"][1 : n + 1], calendar.nodes["server"][1 : n + 1] = departures, np.arange(n)
    at = np.minimum(departures * calendar.per_unit, 4e18).astype(np.int64) & calendar.mask
    node = np.argsort(at, kind="stable").astype(np.uint32)
    at, node = at[node], node + np.uint32(1)
    same = at[1:] == at[:-1]
    calendar.nodes["following"][node[:-1][same]] = node[1:][same]
    first = np.concatenate([[True], ~same])[:n]
    calendar.head[at[first]] = node[first]
    return calendar


def clock_of(queue: Bytes) -> Clock:
    """Time 0, with `queue` jobs present."""
    clock = np.zeros(1, STATE)
    clock["nodes_used"] = np.count_nonzero(queue)
    return clock


def watch_of(observe: Observables) -> Watch:
    """The observables, as arrays."""
    rows, columns = observe.joint or ((), ())
    return Watch(
        np.array(rows, dtype=np.int64),
        np.array(columns, dtype=np.int64),
        np.array(observe.tails, dtype=np.float64).reshape(-1, 3),
        np.array([m for m, _ in observe.idle_tails], dtype=np.int64),
        np.array([t for _, t in observe.idle_tails], dtype=np.float64),
        np.array([eta for eta, _ in observe.powers], dtype=np.float64),
        np.array([r for _, r in observe.powers], dtype=np.int64),
    )


def counts_of(tally: Tally, snapshots: int, observe: Observables) -> Counts:
    """Where the kernel counts: the tally's own arrays."""
    assert tally.wait_bins is not None
    assert tally.response_bins is not None
    return Counts(
        np.zeros(tally.joins.shape, CELL),
        np.zeros(1, TOTALS),
        tally.wait_bins,
        tally.response_bins,
        tally.joint,
        tally.tails,
        tally.idle_tails,
        tally.powers,
        np.zeros(snapshots if observe.path else 0, np.int64),
    )


def rows_of(n: int) -> Rows:
    """Room for `n` records."""
    return Rows(np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n), np.empty(n))


# ---- parts ---------------------------------------------------------------------------------------------------


def _how(system: System) -> int:
    policy = system.policy
    if not isinstance(policy.query, AskAll):
        return QUERIES[type(policy.query)]
    if policy.level_then_speed or policy.level_only:
        return BY_SETS
    return BY_TREE if policy.rank_table(system.rates, system.places).any() else BY_DRAW


def _shares(query: object, rates: Rates) -> tuple[IntArray, FloatArray]:
    """Whom a sampling query asks, part by part, and the running sums of the chances of each part."""
    if isinstance(query, IdleFirst):
        query = query.then
    if isinstance(query, AskSample):
        return np.array([[0, rates.n_servers, query.d]]), np.zeros(0)
    by_class = np.stack([rates.first_server[:-1], rates.counts, np.zeros(rates.n_classes, np.int64)], axis=1)
    if isinstance(query, AskEachClass):
        by_class[:, 2] = query.d
        return by_class[by_class[:, 2] > 0], np.zeros(0)
    if isinstance(query, AskClass):
        by_class[:, 2] = query.d or 0  # 0: all of them
        last = int(np.flatnonzero(query.probabilities)[-1])
        return by_class, np.cumsum(query.probabilities)[: last + 1]
    if isinstance(query, AskFastSlow):
        by_class[:, 2] = query.d
        return by_class, np.array([query.p_slow, 1 - query.p_fast])  # of the slow ones, if one is idle and if not
    return np.zeros((0, 3), np.int64), np.zeros(0)


def _tie_classes(policy: Policy, rates: Rates) -> IntArray:
    """Servers in each run of servers that rank the same at equal level, fastest first."""
    if policy.level_only:
        return np.array([rates.n_servers])
    # speeds so close that the rank table would give them one rank
    apart = -np.diff(rates.speeds) > KEY_TOLERANCE * rates.speeds[:-1]
    return np.bincount(np.concatenate([[0], np.cumsum(apart)]), weights=rates.counts).astype(np.int64)


def _sets(queue: Bytes, sets: int) -> tuple[Words, Words, Words, Ints]:
    words = np.stack([_packed(queue <= level) for level in range(sets)]) if sets else np.zeros((0, 0), np.uint64)
    blocks = np.stack([_packed(row != 0) for row in words]) if sets else words
    regions = np.stack([_packed(row != 0) for row in blocks]) if sets else words
    starts = np.arange(0, queue.size, 4096)
    by_block = [np.add.reduceat((queue <= level).astype(np.int32), starts) for level in range(sets)]
    return words, blocks, regions, np.array(by_block, dtype=np.int32).reshape(sets, -1 if sets else 0)


def _packed(flags: NDArray[np.bool_]) -> Words:
    """One bit a flag, the lowest bit first."""
    padded = np.zeros(-(-flags.size // 64) * 64, bool)
    padded[: flags.size] = flags
    return np.packbits(padded, bitorder="little").view(np.uint64)


def _tree(ranks: Ints) -> tuple[Ints, Ints]:
    leaves = 1 << (ranks.size - 1).bit_length()
    best = np.full(2 * leaves, np.iinfo(np.int32).max, np.int32)
    tied = np.ones(2 * leaves, np.int32)
    best[leaves : leaves + ranks.size] = ranks
    width = leaves
    while width > 1:
        left, right = best[width : 2 * width : 2], best[width + 1 : 2 * width : 2]
        parents = slice(width // 2, width)
        best[parents] = np.minimum(left, right)
        tied[parents] = tied[width : 2 * width : 2] * (left <= right) + tied[width + 1 : 2 * width : 2] * (right <= left)
        width //= 2
    return best, tied
