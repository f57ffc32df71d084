"""What a word means: the uniformised chain's events as integer tables.

In    a System
Out   ServerEvents (form "servers": a word or two name the server that finishes, or an arrival) and
      ClassEvents (form "classes": the speed class, and which of its servers)
Rule  the tables are functions of the System alone. A *null event* is a departure refused: time
      passes, nothing else; the uniformisation rate counts it, so every event reads as many words
Cost  one word an event up to 16,383 servers (8 to 16 bytes a server); above, two words and a table of
      cells of up to 64 servers (under 1 byte a server, and 8 more where speeds differ inside a cell)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from threading import Lock
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.chain.alias import AliasTable, alias_table
from jfsq_simpy.draws import Words
from jfsq_simpy.rates import FloatArray, IntArray, Rates
from jfsq_simpy.system import System

Table = TypeVar("Table")
MOST_IN_ONE_WORD = 2**14 - 1  # servers: with the arrival 2^14 columns, 128 KiB, still in the fast cache
CELL_BITS = 6
SLOWEST_IN_CELL = 0.875  # of the cell's fastest: at most one event in eight is null, and far fewer on average
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_ALL = 2**64 - 1


def times_high(words: Words | np.uint64, count: IntArray | int) -> IntArray:
    """floor(word * count / 2^64), exactly, for counts below 2^63: a place among `count`, int array.

    >>> times_high(np.array([0, 2**63, 2**64 - 1], dtype=np.uint64), 10)
    array([0, 5, 9])
    """
    n = np.asarray(count, dtype=np.uint64)
    high, low = words >> _HALF, words & _LOW
    n_high, n_low = n >> _HALF, n & _LOW
    # schoolbook multiplication in base 2^32; no partial sum reaches 2^64
    middle = high * n_low + ((low * n_low) >> _HALF)
    carry = low * n_high + (middle & _LOW)
    product: Words = high * n_high + (middle >> _HALF) + (carry >> _HALF)
    return product.astype(np.int64)


@dataclass(frozen=True)
class ServerEvents:
    """Form "servers": words to codes 0 .. N-1 (that server finishes), N (an arrival) or N+1 (null).

    With one word an event, outcome i of the alias table is server i and outcome N an arrival. With
    two, outcome i is cell i: servers first[i] .. first[i] + 2^bits[i] - 1; the top bits of the second
    word name one of them, and the rest is a coin, accepted at or below the server's `limit`
    (rate over the cell's fastest, times 2^64). `surely[i]` is the lowest limit in the cell, so that
    nearly every coin is settled without looking the server up.
    """

    n_servers: int
    words: int  # an event
    rate: float  # Lambda: events per unit time
    alias: AliasTable
    first: NDArray[np.int32]  # (n_cells + 1,) the last cell is the arrival: one "server", number N
    bits: NDArray[np.uint8]  # (n_cells + 1,)
    surely: Words  # (n_cells + 1,)
    limit_at: NDArray[np.int64]  # (n_cells + 1,) where the cell's limits begin
    limit: Words

    def decode(self, words: Words) -> IntArray:
        """Codes of events, int array (...) from words (self.words, ...)."""
        if self.words == 1:
            return self.alias.draw(words[0])
        cell, second = self.alias.draw(words[0]), words[1]
        bits = self.bits[cell].astype(np.uint64)
        # a cell of one server has no bits to read: two shifts, because shifting by 64 is undefined
        code: IntArray = self.first[cell].astype(np.int64) + (second >> np.uint64(1) >> (np.uint64(63) - bits)).astype(np.int64)
        coin = second << bits
        doubtful = np.nonzero(coin > self.surely[cell])
        at = self.limit_at[cell[doubtful]] + code[doubtful] - self.first[cell[doubtful]]
        code[doubtful] = np.where(coin[doubtful] > self.limit[at], self.n_servers + 1, code[doubtful])
        return code


def remembered(build: Callable[[System], Table]) -> Callable[[System], Table]:
    """`build`, done once for a System and kept as long as it lives: replications share their tables."""
    kept: WeakKeyDictionary[System, Table] = WeakKeyDictionary()
    lock = Lock()

    @wraps(build)
    def table_of(system: System) -> Table:
        with lock:
            if system not in kept:
                kept[system] = build(system)
            return kept[system]

    return table_of


@remembered
def server_events(system: System) -> ServerEvents:
    """The events of a System, server by server. O(N / 64), and O(N) where speeds differ inside cells."""
    if system.n_servers <= MOST_IN_ONE_WORD:
        return _one_word(system)
    rates = system.rates
    first, bits = cells(rates)
    fastest, slowest = _rate_at(rates, first), _rate_at(rates, first + (1 << bits) - 1)
    alias, rate = alias_table(np.append(fastest * (1 << bits), system.arrival_rate))
    mixed = slowest < fastest
    sizes = np.where(mixed, 1 << bits, 0)
    limit_at = np.cumsum(sizes) - sizes
    limit = np.empty(int(sizes.sum()), dtype=np.uint64)
    for cell_bits in range(1, CELL_BITS + 1):
        for chunk in _chunks(np.flatnonzero(mixed & (bits == cell_bits))):
            inside = np.arange(1 << cell_bits)
            share = _rate_at(rates, first[chunk, None] + inside) / fastest[chunk, None]
            limit[limit_at[chunk, None] + inside] = _limits(share)
    return ServerEvents(
        system.n_servers,
        2,
        rate,
        alias,
        np.append(first, system.n_servers).astype(np.int32),
        np.append(bits, 0).astype(np.uint8),
        np.append(_limits(slowest / fastest), np.uint64(_ALL)),
        np.append(limit_at, 0),
        limit,
    )


def _one_word(system: System) -> ServerEvents:
    alias, rate = alias_table(np.append(system.rates.vector(), system.arrival_rate))
    no_words = np.zeros(0, np.uint64)
    return ServerEvents(
        system.n_servers, 1, rate, alias, np.zeros(0, np.int32), np.zeros(0, np.uint8), no_words, np.zeros(0, np.int64), no_words
    )


def cells(rates: Rates) -> tuple[IntArray, IntArray]:
    """Runs of 2^bits servers of nearly equal speed: int arrays first, bits (n_cells,), in order of servers.

    Blocks of 64 are halved until the slowest server is at least 7/8 as fast as the fastest: at most
    one server's rate is then overstated by 8/7, whatever the profile (a few very fast servers stand alone).
    """
    n = rates.n_servers
    start, kept_first, kept_bits = np.arange(0, n, 1 << CELL_BITS, dtype=np.int64), [], []
    for bits in range(CELL_BITS, -1, -1):
        size = 1 << bits
        last = np.minimum(start + size, n) - 1
        even = (start + size <= n) & (_rate_at(rates, last) >= SLOWEST_IN_CELL * _rate_at(rates, start))
        kept_first.append(start[even])
        kept_bits.append(np.full(int(even.sum()), bits, dtype=np.int64))
        rest = start[~even]
        start = np.concatenate([rest, rest + size // 2])
        start = start[start < n]
    first, bits_of = np.concatenate(kept_first), np.concatenate(kept_bits)
    order = np.argsort(first)
    return first[order], bits_of[order]


def _rate_at(rates: Rates, servers: IntArray) -> FloatArray:
    if rates.all_distinct:
        return rates.speeds[servers]
    return rates.speeds[np.searchsorted(rates.first_server, servers, side="right") - 1]


def _limits(share: FloatArray) -> Words:
    """The highest accepted coin for an acceptance probability in (0, 1]."""
    below_one = share < 1.0
    scaled = (np.where(below_one, share, 0.5) * 2.0**64).astype(np.uint64) - np.uint64(1)
    return np.where(below_one, scaled, np.uint64(_ALL))


def _chunks(cell_numbers: IntArray, size: int = 1 << 12) -> list[IntArray]:
    # temporaries of a few megabytes, whatever N is
    return [cell_numbers[i : i + size] for i in range(0, cell_numbers.size, size)]


@dataclass(frozen=True)
class ClassEvents:
    """Form "classes": the first word names a speed class that has a service end, or an arrival
    (outcome n_classes); the second names a place 0 .. count-1 among the class's servers.

    Places are dealt out by level, the idle ones first: which server it was does not matter to the counts.
    """

    n_classes: int
    rate: float  # Lambda
    alias: AliasTable
    counts: IntArray  # (n_classes,)
    words: int = 2

    def decode(self, words: Words) -> tuple[IntArray, IntArray]:
        """Class (n_classes for an arrival) and place of each event, int arrays (...) from words (2, ...)."""
        which = self.alias.draw(words[0])
        count = np.append(self.counts, 1)[which]
        return which, times_high(words[1], count)


@remembered
def class_events(system: System) -> ClassEvents:
    """The events of a System, class by class. O(n_classes)."""
    rates = system.rates
    alias, rate = alias_table(np.append(rates.speeds * rates.counts, system.arrival_rate))
    return ClassEvents(rates.n_classes, rate, alias, rates.counts)


def rate_weights(rates: Rates) -> IntArray:
    """int array (n_classes,): speeds as whole numbers whose sum over all servers is at most 2^62 (ties by rate)."""
    spare = 61 - int(rates.n_servers).bit_length()
    return np.maximum(np.floor(np.ldexp(rates.speeds, spare)), 1.0).astype(np.int64)
