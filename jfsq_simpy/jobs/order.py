"""The dispatcher's view in the compiled events loop: arrays in which the best server is found at once.

In    a System, the queue lengths to start from
Out   an Order: arrays that the kernel reads, and changes as servers' queue lengths change
Rule  thermometer sets: bit n of set l is on while server n holds at most l jobs, so an arrival or a
      departure flips one bit, and with servers fastest first the fastest shortest queue is the first
      bit that is on in the first set that is not empty
Cost  1 byte a server and 8 places with sets, 16 to 32 bytes a server with a tree
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.jobs.layout import Bytes, Indices
from jfsq_simpy.policies import AskAll, AskClass, AskEachClass, AskFastSlow, AskSample, AskWork, IdleFirst, InTurn, Policy
from jfsq_simpy.policies.policy import nothing
from jfsq_simpy.policies.ranking import KEY_TOLERANCE
from jfsq_simpy.rates import FloatArray, IntArray, Rates
from jfsq_simpy.system import System

Ints = NDArray[np.int32]
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

FAN = 16  # counts that are looked through for one of a given number


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
    spans: Ints  # (places, ...) bits on in 16 words, in 16 of these spans, and so on up to 16; kept where ties are drawn
    span_at: Words  # where in a row of `spans` each size begins, the smallest first
    # rank tables
    speed_class: Indices  # (N,)
    rank: Ints  # (n_classes, places + 1)
    best: Ints  # (2 * leaves,) tournament tree: the best rank below each node, node 1 the root
    tied: Ints  # (2 * leaves,) how many servers below have it
    weights: FloatArray  # (N,) rates as the dispatcher believes them to be, where ties are broken by them; else (0,)
    cumulative: FloatArray  # (N,) running sums of these, where all servers always tie
    asked: IntArray  # room for the servers asked, ascending
    shares: IntArray  # (parts, 3) who is asked: d of the n servers from first on; columns first, n, d
    chances: FloatArray  # (parts,) running sums of the probabilities with which a class is chosen; a coin's two
    replace: bool  # whether a server may be drawn twice


# ---- built from a System -------------------------------------------------------------------------------------


def order_of(system: System, queue: Bytes, speeds: FloatArray) -> Order:
    """The dispatcher's view of servers that hold `queue` jobs each and are believed to have these speeds (N,)."""
    policy, rates, places = system.policy, system.rates, system.places
    how, ties, classes = rule_of(system)
    sets = places if how == BY_SETS else 0
    words, blocks, regions = _sets(queue, sets)
    spans, span_at = _spans(words if ties == BY_NUMBER else words[:, :0])
    several = how == BY_SETS and ties != BY_INDEX and classes.size > 1
    tie_class = np.repeat(np.arange(classes.size, dtype=np.uint32), classes) if several else np.zeros(0, np.uint32)
    on_by_class = np.zeros((sets, classes.size if several else 0), np.int64)
    for level in range(sets if several else 0):
        on_by_class[level] = np.bincount(tie_class[queue <= level], minlength=classes.size)
    tabled = how not in (BY_SETS, BY_DRAW, BY_TURN)
    rank, speed_class = _ranks(system, speeds) if tabled else (np.zeros((0, 0), np.int32), np.zeros(0, np.uint32))
    treed = how in (BY_TREE, BY_IDLE) and system.knowledge.true_queues  # else each board has a tree of its own
    best, tied = tree(rank[speed_class, queue]) if treed else (np.zeros(0, np.int32), np.zeros(0, np.int32))
    shares, chances = _shares(policy.query, rates)
    by_rate = ties == BY_RATE
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
        spans=spans,
        span_at=span_at,
        speed_class=speed_class,
        rank=rank,
        best=best,
        tied=tied,
        weights=speeds.copy() if by_rate else np.zeros(0),  # a kernel is compiled once more for arrays it may not write to
        cumulative=np.cumsum(speeds) if by_rate and how == BY_DRAW else np.zeros(0),
        asked=np.zeros(system.n_servers if how in (BY_CLASS, BY_WORK) else policy.samples, np.int64),
        shares=shares,
        chances=chances,
        replace=bool(getattr(getattr(policy.query, "then", policy.query), "replace", False)),
    )


def rule_of(system: System) -> tuple[int, int, IntArray]:
    """How the best server is found, how ties are broken, and how many servers are in each class that may tie.

    >>> how, ties, _ = rule_of(System(rates=[1.5, 0.5], load=0.9, places=3))
    >>> (how, ties) == (BY_SETS, BY_INDEX)
    True
    """
    how, ties = _how(system), TIES[system.policy.ties]
    classes = _tie_classes(system.policy, system.rates) if how == BY_SETS else np.zeros(1, np.int64)
    if how == BY_SETS and classes.size == system.n_servers:
        ties = BY_INDEX  # no two servers ever rank the same
    return how, ties, classes


# ---- parts ---------------------------------------------------------------------------------------------------


def _how(system: System) -> int:
    policy, believed = system.policy, system.knowledge.speeds
    if not isinstance(policy.query, AskAll):
        return QUERIES[type(policy.query)]
    if system.knowledge.true_queues and (policy.level_only or (policy.level_then_speed and believed is None)):
        return BY_SETS
    if believed is not None:  # one way for a whole run, whatever is believed in time
        return BY_DRAW if policy.key is nothing and not policy.full_last else BY_TREE
    return BY_TREE if policy.rank_table(system.rates, system.places).any() else BY_DRAW


def _ranks(system: System, speeds: FloatArray) -> tuple[Ints, Indices]:
    """The rank table, and which of its rows is each server's (N,)."""
    rates, policy = system.rates, system.policy
    if system.knowledge.speeds is None:
        return policy.rank_table(rates, system.places), np.repeat(np.arange(rates.n_classes, dtype=np.uint32), rates.counts)
    distinct, of = np.unique(speeds, return_inverse=True)  # as `believing.ranks_by_belief`
    return policy.ranks(distinct, system.places), of.astype(np.uint32)


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


def _sets(queue: Bytes, sets: int) -> tuple[Words, Words, Words]:
    filled = FAN if queue.size > 64 * FAN else 1
    words = np.stack([_packed(queue <= level, filled) for level in range(sets)]) if sets else np.zeros((0, 0), np.uint64)
    blocks = np.stack([_packed(row != 0) for row in words]) if sets else words
    regions = np.stack([_packed(row != 0) for row in blocks]) if sets else words
    return words, blocks, regions


def _packed(flags: NDArray[np.bool_], words: int = 1) -> Words:
    """One bit a flag, the lowest bit first, filled up to a multiple of so many words."""
    padded = np.zeros(-(-flags.size // (64 * words)) * 64 * words, bool)
    padded[: flags.size] = flags
    return np.packbits(padded, bitorder="little").view(np.uint64)


def _spans(words: Words) -> tuple[Ints, Words]:
    """Counts of bits over counts of bits, each row filled up to a multiple of 16."""
    layers = [np.bitwise_count(words).astype(np.int32)]
    while layers[-1].shape[1] > FAN:
        above = layers[-1].reshape(len(words), -1, FAN).sum(axis=2, dtype=np.int32)
        layers.append(np.pad(above, [(0, 0), (0, -above.shape[1] % FAN)]))
    widths = [layer.shape[1] for layer in layers[1:]]
    spans = np.concatenate(layers[1:], axis=1) if widths else np.zeros((len(words), 0), np.int32)
    return spans, np.cumsum([0, *widths])[:-1].astype(np.uint64)


def tree(ranks: Ints) -> tuple[Ints, Ints]:
    """A tournament tree of servers that rank so: `best` and `tied` of an Order."""
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
