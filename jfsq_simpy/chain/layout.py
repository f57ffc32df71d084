"""The arrays the compiled kernels work on, and how they are laid out before a run.

In    a System, its event tables, its groups, what to observe
Out   tuples of arrays (Numba passes a tuple's arrays by reference)
Rule  server numbers are followed by two more places: N stands for an arrival, N + 1 for an idle server
      that is always idle, so that a null event is a departure at which nothing happens
Cost  1 byte a server and 1.02 bits a server and place; up to 262,016 servers 2 bytes for the server's group
      and 1 byte a server and place to count snapshots in, above (JFSQ) nearly nothing
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.chain.tables import ServerEvents
from jfsq_simpy.draws import Words, WordStream
from jfsq_simpy.errors import PlanError
from jfsq_simpy.rates import IntArray
from jfsq_simpy.tally import Groups

BLOCK = 2048  # events decoded at a time: their codes stay in the fastest cache
LANES = 128  # bytes: rows padded to this are counted by whole vectors
MOST_GROUPS = 2**16
FAN = 16  # children of a node in a tree of sums


class Stream(NamedTuple):
    """The words of one stream: word i is mix64(start + (i + 1) * gamma)."""

    start: np.uint64
    gamma: np.uint64

    @classmethod
    def of(cls, words: WordStream) -> Stream:
        return cls(words.start, words.gamma)


class Codes(NamedTuple):
    """What `decode` reads, and where it puts the codes of a block of events."""

    words: int  # an event
    n_servers: int
    bits: int
    column: Words
    first: NDArray[np.int32]
    cell_bits: NDArray[np.uint8]
    surely: Words
    limit_at: IntArray
    limit: Words
    one: Words  # (BLOCK,) first words
    two: Words  # (BLOCK,) second words
    code: NDArray[np.int32]  # (BLOCK,)
    leaving: NDArray[np.int32]  # (BLOCK + 2,) the codes that are not arrivals; the last is an idle server
    before: NDArray[np.int32]  # (BLOCK + 1,) how many of them precede each arrival


class Sets(NamedTuple):
    """Queue lengths, and for each level the set of servers at or below it, as bits.

    Bit n of row l + 1 of `leaf` is on when server n holds at most l jobs (row 0 takes what an idle
    server's departure would write, and is never read). Above the leaves, a bit of `middle` or `top`
    is on when the word it stands for is not empty; a row has one word of `top`, and as many layers of
    `middle` as it takes, the lowest first.
    """

    queue: NDArray[np.uint8]  # (padded,)
    leaf: Words  # (places + 1) rows of n_leaf
    middle: Words  # (places + 1) rows of n_middle
    layer: Words  # where in a row of `middle` each layer begins
    top: Words  # (places + 1,)
    layers: tuple[int, ...]  # as long as there are layers: a kernel is compiled for each depth
    n_leaf: int
    n_middle: int


class Sums(NamedTuple):
    """Queue lengths and sets as in `Sets`, under counts of set bits instead of "not empty".

    Where a row of `leaf` has more than 16 words, a row of `node` has layers of counts: of 16 words, of 16
    of those counts, and so on up to a layer of at most 16; `on` is the count of the whole row.
    """

    queue: NDArray[np.uint8]
    leaf: Words  # (places + 1) rows of n_leaf, and 16 words more
    node: Words  # (places + 1) rows of n_node, and 16 counts more
    layer: Words  # where in a row of `node` each layer begins
    on: Words  # (places + 1,)
    n_leaf: int
    n_node: int


class Count(NamedTuple):
    """What is counted: joins, and at snapshots how many servers hold at most l jobs."""

    group_of: NDArray[np.uint16]  # (n_servers,), or in a large fleet the first server's of each word of 64
    edges: IntArray  # (n_groups + 1,)
    joins: IntArray  # (n_groups * places,)
    at_most: IntArray  # (n_groups * places,)
    in_bytes: NDArray[np.uint8]  # (places * padded,) or empty: snapshots not yet added to `at_most`
    full: IntArray  # (places,) snapshots at which this was the lowest level no server exceeded
    numbers: IntArray  # blocked, snapshots, arrivals, rows of the log


BLOCKED, SNAPSHOTS, ARRIVALS, LOGGED = range(4)


def codes(events: ServerEvents) -> Codes:
    """The event tables as arrays for `decode`."""
    return Codes(
        events.words,
        events.n_servers,
        events.alias.bits,
        events.alias.column,
        events.first,
        events.bits,
        events.surely,
        events.limit_at,
        events.limit,
        *block_arrays(),
        leaving_array(events.n_servers + 1),
        np.zeros(BLOCK + 1, dtype=np.int32),
    )


def block_arrays() -> tuple[Words, Words, NDArray[np.int32]]:
    """Room for a block's first words, second words and outcomes."""
    return np.zeros(BLOCK, dtype=np.uint64), np.zeros(BLOCK, dtype=np.uint64), np.zeros(BLOCK, dtype=np.int32)


def leaving_array(nobody: int) -> NDArray[np.int32]:
    """Room for those who leave, and behind it someone from whom nothing leaves."""
    return np.append(np.zeros(BLOCK + 1, dtype=np.int32), np.int32(nobody))


def n_layers(n_servers: int) -> int:
    """Layers between the leaves and the top: 0, 1 or 3, because a kernel is compiled for each number.

    >>> [n_layers(n) for n in (4_000, 200_000, 10**6, 10**9)]
    [0, 1, 3, 3]
    """
    return len(_row_sizes(n_servers)) - 1


def _row_sizes(n_servers: int) -> list[int]:
    """Words of a row: of leaves, then of each layer of middles."""
    sizes = [-(-(n_servers + 2) // 64)]
    while sizes[-1] > 64 or len(sizes) == 3:
        sizes.append(-(-sizes[-1] // 64))
    return sizes


def queues(n_servers: int, holding: int) -> NDArray[np.uint8]:
    """Queue lengths, padded; what lies behind the last server exceeds every level."""
    queue = np.zeros(-(-(n_servers + 2) // LANES) * LANES, dtype=np.uint8)
    queue[:holding] = 1
    queue[n_servers + 2 :] = 255
    return queue


def sets(n_servers: int, places: int, holding: int) -> Sets:
    """The sets with one job at each of the `holding` fastest servers. O(places N / 64)."""
    queue = queues(n_servers, holding)
    sizes = _row_sizes(n_servers)
    rows = [_row(n_servers, min(holding, n_servers) if level == 0 else 0, sizes) for level in range(places)]
    leaf, middle = ([np.zeros_like(rows[0][i]), *(row[i] for row in rows)] for i in (0, 1))
    layer = np.cumsum([0, *sizes[1:]]).astype(np.uint64)
    top = np.array([0, *(row[2] for row in rows)], dtype=np.uint64)
    return Sets(
        queue,
        np.concatenate(leaf),
        np.concatenate([*middle, np.zeros(1, np.uint64)]),
        layer,
        top,
        (0,) * (len(sizes) - 1),
        sizes[0],
        sum(sizes[1:]),
    )


def sums(n_servers: int, places: int, holding: int) -> Sums:
    """As `sets`, with counts. O(places N / 64)."""
    plain = sets(n_servers, places, holding)
    n_leaf = plain.n_leaf
    below = np.bitwise_count(plain.leaf).astype(np.uint64).reshape(places + 1, n_leaf)
    on = below.sum(axis=1, dtype=np.uint64)
    layers: list[Words] = []
    while below.shape[1] > FAN:
        below = np.add.reduceat(below, np.arange(0, below.shape[1], FAN), axis=1)
        layers.append(below)
    layer = np.cumsum([0, *(x.shape[1] for x in layers)])[:-1].astype(np.uint64)
    node = np.concatenate([np.zeros((places + 1, 0), np.uint64), *layers], axis=1)
    more = np.zeros(FAN, np.uint64)  # a search looks at 16 words or counts, also where the last row has fewer
    leaf = np.concatenate([plain.leaf, more])
    return Sums(plain.queue, leaf, np.concatenate([node.ravel(), more]), layer, on, n_leaf, node.shape[1])


def _row(n_servers: int, first: int, sizes: list[int]) -> tuple[Words, Words, np.uint64]:
    """One level's leaves, middles and top with servers first .. n_servers - 1 in the set."""
    layers, end = [], n_servers
    for size in [*sizes, 1]:
        layers.append(_bits_between(first, end, size))
        first, end = first // 64, (-(-end // 64) if first < end else 0)
    middle = np.concatenate([np.zeros(0, np.uint64), *layers[1:-1]])
    return layers[0], middle, layers[-1][0]


def _bits_between(first: int, end: int, n_words: int) -> Words:
    """Words with bits first .. end - 1 on. No temporary is larger than the result."""
    words = np.zeros(n_words, dtype=np.uint64)
    if first >= end:
        return words
    low, high = first // 64, (end - 1) // 64
    words[low : high + 1] = np.uint64(2**64 - 1)
    words[low] &= np.uint64((2**64 - 1) << (first % 64) & (2**64 - 1))
    words[high] &= np.uint64(2**64 - 1 >> (63 - (end - 1) % 64))
    return words


def count(groups: Groups, places: int, padded: int, *, by_word: bool = False) -> Count:
    """Nothing counted yet; `by_word` for a large fleet. Errors: PlanError above 65,535 groups."""
    if groups.n_groups >= MOST_GROUPS:
        raise PlanError(f"{groups.n_groups} groups of servers are above {MOST_GROUPS - 1}: observe fewer idle_tails at once.")
    if by_word:
        words = np.arange(0, int(groups.edges[-1]), 64)
        group_of = (np.searchsorted(groups.edges, words, side="right") - 1).astype(np.uint16)
    else:
        group_of = np.repeat(np.arange(groups.n_groups, dtype=np.uint16), groups.sizes)
    cells = groups.n_groups * places
    return Count(
        group_of,
        groups.edges,
        np.zeros(cells, dtype=np.int64),
        np.zeros(cells, dtype=np.int64),
        np.zeros(0 if by_word else places * padded, dtype=np.uint8),
        np.zeros(places, dtype=np.int64),
        np.zeros(4, dtype=np.int64),
    )
