"""Alias tables in whole numbers: an outcome of given probability from one 64-bit word.

In    positive weights; words
Out   outcome numbers, each with its weight's share of the words
Rule  no float is met at event time: weights become integers that sum to 2^62 exactly, so every
      engine, on every machine, reads the same outcome from the same word
Cost  O(1) a draw, 8 bytes a column; the columns are the next power of two above the outcomes
Source: Walker (1977); the filling order is the sweep of Huebschle-Schneider & Sanders (2022), section 4.2
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jfsq_simpy.draws import Words
from jfsq_simpy.rates import FloatArray, IntArray

WEIGHT_BITS = 62  # the sum of a table's weights is 2^62: partial sums still fit a signed integer
_MANTISSA_BITS = 53


@dataclass(frozen=True)
class AliasTable:
    """Columns of equal width; each holds its own outcome below a limit and another one above.

    The top `bits` of a word name the column, the rest of the word is compared with the limit. Limits
    are multiples of 2^bits, so the other outcome, below 2^bits, is kept in the limit's low bits: one
    load a draw, and the comparison is not disturbed when the word's low bits are set.
    """

    bits: int
    column: Words  # (2**bits,) limit | other outcome

    def draw(self, words: Words) -> IntArray:
        """The outcome of each word, int array like `words`.

        >>> table, _ = alias_table(np.array([1.0, 3.0]))
        >>> table.draw(np.array([0, 2**61, 2**62, 2**63], dtype=np.uint64))
        array([0, 0, 1, 1])
        """
        own = words >> np.uint64(64 - self.bits)
        low = np.uint64((1 << self.bits) - 1)
        column = self.column[own.view(np.int64)]
        other = column & low
        # where(kept, own, other), in arithmetic: several times as fast on random conditions
        kept = (words << np.uint64(self.bits) | low) < column
        drawn: Words = other ^ ((own ^ other) * kept)
        return drawn.view(np.int64)


def alias_table(weights: FloatArray) -> tuple[AliasTable, float]:
    """The table of outcomes 0 .. n-1 with probabilities proportional to `weights`, and the sum of the weights.

    `weights` : float array (n,), > 0. Every probability is right to 2^-62. O(n) exact integer operations.
    """
    whole, total = integer_weights(weights)
    bits = max(1, int(whole.size - 1).bit_length())
    columns, width = 1 << bits, 1 << (WEIGHT_BITS - bits)
    amount = np.zeros(columns, dtype=np.int64)
    amount[: whole.size] = whole
    keeps, other = _level(amount, width)
    # a full column's limit would be 2^64; it is given 0, and itself as the other outcome
    limit = np.where(keeps < width, keeps, 0).astype(np.uint64) << np.uint64(bits + 64 - WEIGHT_BITS)
    return AliasTable(bits, limit | other.astype(np.uint64)), total


def integer_weights(weights: FloatArray) -> tuple[IntArray, float]:
    """Integers summing to 2^62, each within 1 of its exact share, and the exact sum rounded once.

    >>> integer_weights(np.array([0.25, 0.75]))[0] / 2.0**62
    array([0.25, 0.75])
    """
    mantissa, exponent = np.frexp(weights)
    lowest = int(exponent.min())
    digits = np.ldexp(mantissa, _MANTISSA_BITS).astype(np.int64).astype(object)
    # Python integers: every float is a whole multiple of one power of two, so nothing is rounded here
    running = np.cumsum(digits << (exponent - lowest).astype(object))
    # rounding the running sum, not each weight, makes the parts add up to the whole
    edges = ((running << WEIGHT_BITS) // running[-1]).astype(np.int64)
    return np.diff(edges, prepend=np.int64(0)), _times_power_of_two(int(running[-1]), lowest - _MANTISSA_BITS)


def _times_power_of_two(digits: int, exponent: int) -> float:
    return float(digits << exponent) if exponent >= 0 else digits / (1 << -exponent)


def _level(amount: IntArray, width: int) -> tuple[IntArray, IntArray]:
    """Fill columns below `width` from those above, in order: what each keeps, and whose the rest is.

    Light columns are filled one after the other by the first heavy column that still has excess; a
    heavy column that overshoots is filled up by the next heavy one. With running sums of what is
    missing and what is to spare, each question is one binary search.
    """
    light, heavy = np.flatnonzero(amount < width), np.flatnonzero(amount >= width)
    missing = np.concatenate([[0], np.cumsum(width - amount[light])])
    spare = np.cumsum(amount[heavy] - width)
    keeps, other = amount.copy(), np.arange(amount.size)
    giver = np.searchsorted(spare, missing[:-1], side="right")
    other[light] = heavy[np.minimum(giver, heavy.size - 1)]
    emptied = np.searchsorted(missing, spare, side="left")
    keeps[heavy] = width + spare - missing[emptied]
    other[heavy[:-1]] = heavy[1:]
    return keeps, np.where(keeps >= width, np.arange(amount.size), other)
