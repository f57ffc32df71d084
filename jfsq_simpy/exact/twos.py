"""Equal servers with two places that join the shortest queue: exact to N = 10^4 and beyond.

In    N, the arrival rate
Out   the stationary law block by block: a block holds the states with k servers of two jobs, k = N .. 0
Rule  a second job is only ever placed when nobody is idle, so k grows from one state of each block: seen
      from block k, all blocks above are one excursion, and only its total weight matters
Cost  O(N^2) time (about 2 s at N = 10^4), O(N) memory; a block is forgotten when the next one is made

State (i, k): i idle servers, k with two jobs, o = N - i - k with one. From it, arrivals lead to o + 1 (i > 0)
or to k + 1 (i = 0), services to o - 1 (rate o) or, with o + 1, to k - 1 (rate k). Write pi_k for block k as a
row over o = 0 .. N - k, M_k for its tridiagonal matrix of outflow minus flow within, s for what block k + 1
sends in, e for the state with nobody idle, a for the arrival rate. Then

    pi_k = s M_k^-1 + c e M_k^-1,

where c, what block k - 1 sends in, follows from the cut between k and k + 1: a pi_k(nobody idle) = sum of s.
As s leaves through that state or to block k - 1, this reads c = k sum(s M_k^-1) / (a (e M_k^-1)(nobody idle)):
no difference is left. Neither has the factorisation of M_k one: see `_pivots`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy

from jfsq_simpy.rates import FloatArray, IntArray

PIVOTS_AT_ONCE = 2**23  # floats: 64 MB
SCALE_UP = 2.0**500


class Block(NamedTuple):
    """The states with `twos` servers of two jobs: P(`ones` = 0 .. N - twos | twos), and P(twos) up to a constant.

    P(twos) is proportional to mass x 2^exponent: over thousands of blocks floats would overflow, and
    logarithms lose the last digits.
    """

    twos: int
    by_ones: FloatArray
    mass: float
    exponent: int

    @classmethod
    def of(cls, twos: int, pi: FloatArray, mass: float, exponent: int) -> Block:
        """From probabilities `pi` in units of mass x 2^exponent."""
        total = float(pi.sum())
        mantissa, shift = math.frexp(total * mass)
        return cls(twos, pi / total, mantissa, exponent + shift)


def blocks(n_servers: int, arrival_rate: float) -> Iterator[Block]:
    """Blocks k = N, N - 1, .., 0 of the stationary law.

    >>> law = [*blocks(1, 0.5)]                    # M/M/1/2: 4/7, 2/7, 1/7
    >>> law[1].by_ones, [b.mass * 2.0**b.exponent for b in law]
    (array([0.66666667, 0.33333333]), [1.0, 6.0])
    """
    block = Block.of(n_servers, np.ones(1), 1.0, 0)
    yield block
    for k, pivots in _pivots(n_servers, arrival_rate):
        block = _below(block, k, pivots, arrival_rate)
        yield block
    yield _lowest(block, n_servers, arrival_rate)


class Summary(NamedTuple):
    """What the metrics need: means and shares as in `Solution` (one unit), and what masses must be divided by."""

    levels: FloatArray  # (1, 3) mean number of servers with 0, 1, 2 jobs
    sent: FloatArray  # (1, 3) shares of jobs that find 0, 1, 2 jobs at their server
    jobs: FloatArray  # (2 N + 1,) law of jobs present
    total: tuple[float, int]  # mass, exponent


def summary(n_servers: int, arrival_rate: float) -> Summary:
    """One pass over the blocks, everything added up in units of the largest so far."""
    jobs, levels, sent = np.zeros(2 * n_servers + 1), np.zeros(3), np.zeros(3)
    total, exponent = 0.0, 0
    ones = np.arange(n_servers + 1, dtype=np.float64)
    for block in blocks(n_servers, arrival_rate):
        if block.exponent > exponent:
            smaller = math.ldexp(1.0, exponent - block.exponent)
            jobs, levels, sent, total = jobs * smaller, levels * smaller, sent * smaller, total * smaller
            exponent = block.exponent
        k, pi = block.twos, block.by_ones
        pi = pi * math.ldexp(block.mass, block.exponent - exponent)
        mass, o = float(pi.sum()), ones[: pi.size]
        total += mass
        jobs[2 * k : 2 * k + pi.size] += pi
        levels += np.array([pi @ o[::-1], pi @ o, k * mass])
        sent[0] += pi[:-1].sum()
        sent[1 if k < n_servers else 2] += pi[-1]  # nobody idle
    return Summary(levels[None] / total, sent[None] / total, jobs / total, (total, exponent))


def states(n_servers: int, arrival_rate: float, total: tuple[float, int]) -> Iterator[tuple[IntArray, FloatArray]]:
    """Every state: counts int array (n, 3) of servers with 0, 1, 2 jobs, and probabilities, block by block."""
    for block in blocks(n_servers, arrival_rate):
        ones = np.arange(block.by_ones.size)
        counts = np.stack([ones[::-1], ones, np.full(ones.size, block.twos)], axis=1)
        yield counts, block.by_ones * math.ldexp(block.mass / total[0], block.exponent - total[1])


def _below(above: Block, k: int, pivots: FloatArray, arrival_rate: float) -> Block:
    """Block k from block k + 1, for k >= 1."""
    sent = np.empty(pivots.size)
    sent[0], sent[1:] = 0.0, (k + 1) * above.by_ones  # a service there leaves one more server with one job
    down = np.arange(1.0, pivots.size) / pivots[:-1]
    direct = _solved(sent, pivots, down, arrival_rate)
    entered = np.ones(pivots.size)
    entered[:-1] = np.cumprod(down[::-1])[::-1]  # from the state with nobody idle, up to a factor
    return Block.of(k, direct + (k * float(direct.sum()) / arrival_rate) * entered, above.mass, above.exponent)


def _solved(sent: FloatArray, pivots: FloatArray, down: FloatArray, arrival_rate: float) -> FloatArray:
    """sent M^-1 from the factors of M: forward and backward substitution, sums of positive terms."""
    n = pivots.size
    if n < 3:  # LAPACK's tridiagonal routine wants three rows
        out = sent / pivots
        out[1] += arrival_rate * out[0] / pivots[1]
        out[0] += down[0] * out[1]
        return out
    above = np.full(n - 1, -arrival_rate)
    unpivoted = np.arange(1, n + 1, dtype=np.int32)
    out, _ = scipy.linalg.lapack.dgttrs(-down, pivots, above, np.zeros(n - 2), unpivoted, sent, trans="T", overwrite_b=1)
    return np.asarray(out)


def _pivots(n_servers: int, arrival_rate: float) -> Iterator[tuple[int, FloatArray]]:
    """For k = N - 1 .. 1: the pivots of M_k when states are taken out from o = 0 up, float array (N - k + 1,).

    A pivot is a + x[o], where x[o], the rate of leaving for block k - 1 rather than for o + 1 (below o, or from
    there), obeys x[0] = k, x[o] = k + o x[o-1] / (a + x[o-1]): LU factors of M_k without a subtraction. Many
    k at once, since each step in o is a Python call.
    """
    high = n_servers
    while high > 1:
        low = max(1, high - max(1, PIVOTS_AT_ONCE // n_servers))
        k = np.arange(low, high, dtype=np.float64)
        x = np.empty((n_servers - low + 1, k.size))
        x[0] = k
        share = np.empty(k.size)
        for o in range(1, len(x)):
            np.add(x[o - 1], arrival_rate, out=share)
            np.divide(x[o - 1], share, out=share)
            np.multiply(share, o, out=share)
            np.add(share, k, out=x[o])
        x += arrival_rate
        rows = np.ascontiguousarray(x.T)
        for i in range(k.size - 1, -1, -1):
            yield low + i, rows[i, : n_servers - low - i + 1]
        high = low


def _lowest(above: Block, n_servers: int, arrival_rate: float) -> Block:
    """Block 0, by cuts: arrivals from o - 1 to o carry the services from o to o - 1 and what enters below o.

    Its probabilities may span thousands of orders of magnitude (all idle against none), so the recursion
    keeps its own exponent; what is too small for a float beside the largest becomes 0.
    """
    entered = np.concatenate([[0.0], np.cumsum(above.twos * above.by_ones)]).tolist()
    value, exponent = entered[n_servers] / arrival_rate, 0  # nobody idle: all that enters leaves from here
    values, exponents = [value], [0]
    for ones in range(n_servers, 0, -1):
        value = (ones * value + math.ldexp(entered[ones - 1], -exponent)) / arrival_rate
        if value > SCALE_UP:
            value, shift = math.frexp(value)
            exponent += shift
        values.append(value)
        exponents.append(exponent)
    pi = np.ldexp(np.array(values[::-1]), np.array(exponents[::-1]) - exponent)
    return Block.of(0, pi, above.mass, above.exponent + exponent)
