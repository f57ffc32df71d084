"""The arrays of form "classes", and of the rules that rank by class.

In    a System, its event tables
Out   tuples of arrays, as in `layout`
Rule  counts are kept as "at most l jobs", so that an event changes one entry; a column before the first
      and a class after the last take what a departure from an idle server would write
Cost  about 40 bytes a speed class and level, whatever N
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.chain.choices import sampling
from jfsq_simpy.chain.layout import BLOCK, FAN, block_arrays, leaving_array
from jfsq_simpy.chain.plan import FEW_CELLS
from jfsq_simpy.chain.tables import ClassEvents, rate_weights
from jfsq_simpy.draws import Words
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System

NEVER_REACHED = 2**63


class ClassCodes(NamedTuple):
    """What `decode_classes` reads, and where it puts a block of events."""

    bits: int
    column: Words
    servers: Words  # (n_classes + 1,) servers of each class; 1 for the arrival
    one: Words  # (BLOCK,) first words
    two: Words  # (BLOCK,) second words
    which: NDArray[np.int32]  # (BLOCK,) speed class; n_classes is an arrival
    place: Words  # (BLOCK,) place among the class's servers
    leaving: NDArray[np.int32]  # (BLOCK + 2,) the classes that are not arrivals; the last one is always idle
    from_place: Words  # (BLOCK + 2,) and their places
    before: NDArray[np.int32]  # (BLOCK + 1,) how many of them precede each arrival


class ClassCounts(NamedTuple):
    """Counts by class and level.

    Row k of `at_most`, places + 2 wide: column l + 1 is how many of the class's servers hold at most l
    jobs; column 0 takes what an idle server's departure would write, and the last is never reached.
    Row n_classes is the arrival's, and row n_classes + 1 a class that is always idle.
    """

    n_classes: int
    first_server: IntArray  # (n_classes + 1,)
    at_most: Words  # rows of places + 2
    bit_of: Words  # like at_most: the entry's bit in the order of levels, then classes; or empty
    row_of: NDArray[np.int32]  # (n_classes * places,) the entry of each bit


class RankOrder(NamedTuple):
    """Cells (class * (places + 1) + level) in the order of their ranks, under a tree of sums.

    `sums` has a layer of cells and above it layers of sums of 16, up to one of at most 16; a cell's
    amount is its servers times the class's `weight` (1 unless ties go by rate).
    """

    cell_at: NDArray[np.int32]  # (n_cells,) the cell in each position
    position_of: NDArray[np.int32]  # (n_cells,) the position of each cell
    rank_of: NDArray[np.int32]  # (n_cells,) the rank in each position
    tied: Words  # (n_ranks,) the amount of each rank
    by_choice: NDArray[np.bool_]  # (n_ranks,) whether several cells share it, and one is to be chosen
    weight: Words  # (n_classes,)
    sums: Words
    layer: Words  # where each layer begins, the cells first


class ClassCount(NamedTuple):
    """What is counted in form "classes"; both arrays are shaped as the kernel likes."""

    joins: IntArray
    held: IntArray  # like at_most, summed over snapshots
    numbers: IntArray  # blocked, snapshots, arrivals, rows of the log


class Draw(NamedTuple):
    """The sample a job draws, and how the best of it is found."""

    replace: bool
    ties: int  # 0 by index, 1 uniform, 2 by rate
    class_of: NDArray[np.int32]  # (n_servers,), or empty when the rank does not depend on the class
    ranks: NDArray[np.int32]  # (n_classes, places + 1)
    weight: Words  # (n_classes,)
    asked: IntArray  # (d,)
    speed_class: IntArray  # (d,)
    level: IntArray  # (d,)
    share: Words  # (d,)


def class_codes(events: ClassEvents) -> ClassCodes:
    """The event tables as arrays for `decode_classes`."""
    return ClassCodes(
        events.alias.bits,
        events.alias.column,
        np.append(events.counts, 1).astype(np.uint64),
        *block_arrays(),
        np.zeros(BLOCK, dtype=np.uint64),
        leaving_array(events.n_classes + 1),
        np.zeros(BLOCK + 2, dtype=np.uint64),
        np.zeros(BLOCK + 1, dtype=np.int32),
    )


def class_counts(system: System, holding: int) -> ClassCounts:
    """Counts with one job at each of the `holding` fastest servers. O(cells)."""
    rates, places = system.rates, system.places
    n, width = rates.n_classes, places + 2
    at_most = np.full((n + 2, width), NEVER_REACHED, dtype=np.uint64)
    at_most[:n, 1:-1] = rates.counts[:, None]
    at_most[:n, 1] -= np.clip(holding - rates.first_server[:-1], 0, rates.counts).astype(np.uint64)
    bit_of, row_of = np.zeros((n + 2, width), dtype=np.uint64), np.zeros(n * places, dtype=np.int32)
    if n * places <= FEW_CELLS:
        bit = np.arange(places)[None, :] * n + np.arange(n)[:, None]
        bit_of[:n, 1:-1] = np.uint64(1) << bit.astype(np.uint64)
        row_of[bit] = np.arange(n)[:, None] * width + np.arange(places)[None, :] + 1
    return ClassCounts(n, rates.first_server, at_most.ravel(), bit_of.ravel(), row_of)


def rank_order(system: System, holding: int) -> RankOrder:
    """The cells in order, with the amounts of the state at time 0. O(cells log cells)."""
    rates, levels = system.rates, system.places + 1
    ties = system.policy.ties
    ranks = system.policy.rank_table(rates, system.places).reshape(-1)
    cell_at = np.argsort(ranks, kind="stable").astype(np.int32)
    position_of = np.empty_like(cell_at)
    position_of[cell_at] = np.arange(cell_at.size, dtype=np.int32)
    weight = rate_weights(rates).astype(np.uint64) if ties == "rate" else np.ones(rates.n_classes, dtype=np.uint64)
    busy = np.clip(holding - rates.first_server[:-1], 0, rates.counts)
    amount = np.zeros((rates.n_classes, levels), dtype=np.uint64)
    amount[:, 0], amount[:, 1] = (rates.counts - busy).astype(np.uint64) * weight, busy.astype(np.uint64) * weight
    layers = [amount.reshape(-1)[cell_at]]
    while layers[-1].size > FAN:
        layers.append(np.add.reduceat(layers[-1], np.arange(0, layers[-1].size, FAN)))
    cells_of_rank = np.bincount(ranks)
    tied = np.zeros(cells_of_rank.size, dtype=np.uint64)
    np.add.at(tied, ranks, amount.reshape(-1))
    return RankOrder(
        cell_at,
        position_of,
        ranks[cell_at].astype(np.int32),
        tied,
        (cells_of_rank > 1) & (ties != "index"),
        weight,
        np.concatenate(layers),
        np.cumsum([0, *(x.size for x in layers[:-1])]).astype(np.uint64),
    )


def class_count(n_joins: int, n_held: int) -> ClassCount:
    """Nothing counted yet."""
    return ClassCount(np.zeros(n_joins, dtype=np.int64), np.zeros(n_held, dtype=np.int64), np.zeros(4, dtype=np.int64))


def draw(system: System, form: str) -> Draw:
    """How a System's jobs draw whom to ask. O(N) memory where ranks depend on the speed, in form "servers"."""
    rates, query = system.rates, sampling(system)
    ranks = system.policy.rank_table(rates, system.places)
    blind = bool((ranks == ranks[0]).all()) and system.policy.ties != "rate"
    by_server = form == "servers" and not blind
    return Draw(
        query.replace,
        ("index", "uniform", "rate").index(system.policy.ties),
        rates.class_of_server().astype(np.int32) if by_server else np.zeros(0, dtype=np.int32),
        ranks,
        rate_weights(rates).astype(np.uint64),
        np.zeros(query.d, dtype=np.int64),
        np.zeros(query.d, dtype=np.int64),
        np.zeros(query.d, dtype=np.int64),
        np.zeros(query.d, dtype=np.uint64),
    )
