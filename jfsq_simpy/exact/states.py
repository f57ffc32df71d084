"""The states of the queue-length chain and how to move between them.

In    units (runs of servers not told apart inside) and places
Out   every state as counts[unit, level], and the state reached when one server of a unit moves a level
Rule  a unit of one server is a server: the full chain is the lumped chain whose units are single servers
Cost  a table of compositions for each unit; the number of states is known beforehand, by `n_states`
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jfsq_simpy.rates import FloatArray, IntArray, Rates


@dataclass(frozen=True)
class Units:
    """Servers by unit: `sizes[u]` servers of speed `speeds[u]`, adjacent in index, fastest first."""

    sizes: IntArray
    speeds: FloatArray
    speed_class: IntArray

    @property
    def n_units(self) -> int:
        return int(self.sizes.size)

    @property
    def edges(self) -> IntArray:
        """int array (n_units + 1,): unit u holds servers edges[u] .. edges[u + 1] - 1."""
        return np.concatenate([[0], np.cumsum(self.sizes)])


def units_of(rates: Rates, cuts: Iterable[int] = ()) -> Units:
    """Speed classes as units, cut also before the given servers.

    >>> from jfsq_simpy.rates import two_speed
    >>> units_of(two_speed(4, ratio=3), cuts=[1]).sizes
    array([1, 1, 2])
    """
    inner = [c for c in cuts if 0 < c < rates.n_servers]
    edges = np.unique(np.concatenate([rates.first_server, np.array(inner, dtype=np.int64)]))
    speed_class = np.searchsorted(rates.first_server, edges[:-1], side="right") - 1
    return Units(np.diff(edges), rates.speeds[speed_class], speed_class)


def n_states(sizes: IntArray, places: int) -> int:
    """How many states the chain over such units has, as an exact integer (it may be astronomical).

    >>> n_states(np.array([1, 1, 1]), 2), n_states(np.array([3]), 2)
    (27, 10)
    """
    return math.prod(math.comb(n + places, places) for n in sizes.tolist())


class Compositions:
    """All ways to spread n servers over levels 0 .. places, in lexicographic order.

    `counts` int array (n_compositions, places + 1); `up[c, l]` the composition after a server at level l
    gains a job, `down[c, l]` after one at level l loses one; -1 where no server is at l.
    """

    def __init__(self, n: int, places: int) -> None:
        self._choose = _pascal(n, places)
        self.places = places
        self.counts = _spread(n, places + 1)
        self.up = np.full((len(self.counts), places + 1), -1, dtype=np.int64)
        self.down = self.up.copy()
        for level in range(places):
            self._fill(self.up, level, level + 1)
            self._fill(self.down, level + 1, level)

    @property
    def size(self) -> int:
        return len(self.counts)

    def _fill(self, table: IntArray, source: int, target: int) -> None:
        rows = np.flatnonzero(self.counts[:, source])
        moved = self.counts[rows]
        moved[:, source] -= 1
        moved[:, target] += 1
        table[rows, source] = self.rank(moved)

    def rank(self, counts: IntArray) -> IntArray:
        """The place of each row in the list: how many compositions come before it."""
        left = counts.sum(axis=1)
        place = np.zeros(len(counts), dtype=np.int64)
        for level in range(self.places):
            rest = self.places - level
            after = left - counts[:, level]
            # those that have fewer at this level: sum of C(left - v + rest - 1, rest - 1) over v < counts
            place += self._choose[left, rest] - self._choose[after, rest]
            left = after
        return place


def _pascal(n: int, places: int) -> IntArray:
    """choose[m, p] = C(m + p, p)."""
    return np.array([[math.comb(m + p, p) for p in range(places + 1)] for m in range(n + 1)], dtype=np.int64)


def _spread(n: int, levels: int) -> IntArray:
    rows = np.zeros((1, 0), dtype=np.int64)
    left = np.array([n])
    for _ in range(levels - 1):
        # each row branches into 0 .. left at this level
        repeats = left + 1
        start = np.repeat(np.cumsum(repeats) - repeats, repeats)
        value = np.arange(int(repeats.sum())) - start
        rows = np.concatenate([np.repeat(rows, repeats, axis=0), value[:, None]], axis=1)
        left = np.repeat(left, repeats) - value
    return np.concatenate([rows, left[:, None]], axis=1)


class StateSpace:
    """Every state of the chain over given units, numbered 0 .. n_states - 1; number s is a list of
    compositions, one a unit, read as digits.

    >>> one_fast_one_slow = Units(np.array([1, 1]), np.array([1.5, 0.5]), np.array([0, 1]))
    >>> StateSpace(one_fast_one_slow, places=1).counts(np.array([0, 3])).tolist()
    [[[0, 1], [0, 1]], [[1, 0], [1, 0]]]
    """

    def __init__(self, units: Units, places: int) -> None:
        self.units, self.places = units, places
        tables = {n: Compositions(n, places) for n in np.unique(units.sizes).tolist()}
        self.tables = [tables[n] for n in units.sizes.tolist()]
        radix = np.array([t.size for t in self.tables], dtype=np.int64)
        self.strides = np.concatenate([np.cumprod(radix[::-1])[::-1][1:], [1]])
        self.radix = radix
        self.n_states = math.prod(radix.tolist())

    @property
    def most_jobs(self) -> int:
        """Jobs present when every server is full."""
        return int(self.units.sizes.sum()) * self.places

    @property
    def empty(self) -> int:
        """The state in which all servers are idle: the last composition of every unit."""
        return int(self.n_states) - 1

    def counts(self, states: IntArray) -> IntArray:
        """int array (n, n_units, places + 1): servers of each unit at each level in the given states."""
        digits = (states[:, None] // self.strides) % self.radix
        return np.stack([t.counts[digits[:, u]] for u, t in enumerate(self.tables)], axis=1)

    @cached_property
    def jobs(self) -> IntArray:
        """int array (n_states,): jobs present in each state."""
        level = np.arange(self.places + 1)
        total = np.zeros(1, dtype=np.int64)
        for t in self.tables:
            total = (total[:, None] + t.counts @ level).ravel()
        return total

    def moved(self, states: IntArray, unit: int, level: int, step: int) -> IntArray:
        """The states after one server of a unit, which must be there, goes from `level` to `level + step` (step 1 or -1)."""
        table = self.tables[unit]
        digit = (states // self.strides[unit]) % self.radix[unit]
        new = (table.up if step == 1 else table.down)[digit, level]
        return np.asarray(states + (new - digit) * self.strides[unit])
