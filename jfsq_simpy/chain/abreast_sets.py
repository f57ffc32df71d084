"""JFSQ by sets of bits, for many replications: the fastest shortest queue in a few words, whatever N.

In    the streams of words
Out   the same queue lengths as `ServersAbreast`, event for event
Rule  bit n of set l is on when server n holds at most l jobs, so an event changes one bit, and the first
      bit of the lowest set that is not empty is the job's server. Above the words of a set, a bit says
      whether a word is empty, and so on up to a single word
Cost  some fifteen array operations a step and layer; a layer for each factor of 64 in N
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.chain.abreast import ServersAbreast
from jfsq_simpy.chain.plan import Plan
from jfsq_simpy.chain.streams import Streams
from jfsq_simpy.draws import Words
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups

ONE = np.uint64(1)


def lowest_bit(words: Words) -> tuple[Words, IntArray]:
    """The lowest bit that is on in each word (0 if none), and its position.

    >>> lowest_bit(np.array([12, 1], dtype=np.uint64))
    (array([4, 1], dtype=uint64), array([2, 0]))
    """
    bit = words & (~words + ONE)
    return bit, np.bitwise_count(bit - ONE).astype(np.int64)


class SetsAbreast(ServersAbreast):
    """Queue lengths, and for each level the set of servers at or below it.

    `layers[d]` is flat over (places + 1 rows, n_paths, sizes[d] words); layer 0 holds the servers, the
    last one word a row. Row l + 1 is the set of level l; row 0 takes what the departure from an idle
    server would write, and is never read.
    """

    def __init__(self, system: System, plan: Plan, groups: Groups, n_paths: int, holding: int) -> None:
        super().__init__(system, plan, groups, n_paths, holding)
        on = np.ones((self.places + 1, self.n), dtype=bool)
        on[1, :holding] = False
        self.layers: list[Words] = []
        self.sizes: list[int] = []
        while not self.sizes or self.sizes[-1] > 1:
            size = -(-on.shape[1] // 64)
            bits = np.zeros((self.places + 1, 64 * size), dtype=bool)
            bits[:, : on.shape[1]] = on
            words = np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)
            self.layers.append(np.repeat(words, n_paths, axis=0).reshape(-1))
            self.sizes.append(size)
            on = words != 0

    def load(self, streams: Streams, first: int, n: int) -> None:
        super().load(streams, first, n)
        self.leaving_word, self.leaving_bit, inside = [], [], self.leaving
        for size in self.sizes:
            self.leaving_word.append(self.leaving_path * size + (inside >> 6))
            self.leaving_bit.append(ONE << (inside & 63).astype(np.uint64))
            inside = inside >> 6

    def leave(self, these: slice) -> None:
        at = self.leaving_at[these]
        held = self.flat[at]
        self.flat[at] = held - (held > 0)
        row = held.astype(np.int64) * self.n_paths  # it holds at most held - 1 jobs now
        for words, size, word, bit in zip(self.layers, self.sizes, self.leaving_word, self.leaving_bit, strict=True):
            words[row * size + word[these]] |= bit[these]

    def arrive(self, these: slice) -> None:
        path = self.path[these]
        row, word = self._lowest_set(path)
        if not word.all():
            self.level[these] = self.places  # all places taken: blocked, unless set otherwise below
            free = np.flatnonzero(word)
            these, path, row, word = free + these.start, path[free], row[free], word[free]
        inside = np.zeros_like(path)
        visited = []
        for words, size in zip(reversed(self.layers), reversed(self.sizes), strict=True):
            at = row * size + inside
            word = words[at]
            bit, position = lowest_bit(word)
            visited.append((words, at, word, bit))
            inside = inside * 64 + position
        emptied = np.ones(path.size, dtype=bool)
        for words, at, word, bit in reversed(visited):
            left = word ^ (bit * emptied)  # a word that has become empty is taken out of the layer above
            words[at] = left
            emptied &= left == 0
        level = row // self.n_paths - 1
        self.flat[path * self.n + inside] = level + 1
        self.server[these], self.level[these] = inside, level

    def _lowest_set(self, path: IntArray) -> tuple[IntArray, Words]:
        """Row of the lowest set that is not empty, and its top word (0 where all are empty)."""
        top = self.layers[-1]
        row = path + self.n_paths
        word = top[row]
        for _ in range(self.places - 1):
            if word.all():
                break
            empty = np.flatnonzero(word == 0)
            row[empty] += self.n_paths
            word[empty] = top[row[empty]]
        return row, word
