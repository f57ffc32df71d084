"""Counting and finding bits of 64-bit words, for the compiled kernels.

In    uint64 words
Out   positions as uint64, ready to be used as an index; counts as int64
Rule  plain arithmetic that LLVM knows by sight: each of these becomes one or two machine instructions,
      and without compilation it still runs. Every constant is a uint64, because Numba makes
      uint64 + int64 an int64 and NumPy makes it a float64.
Cost  about a nanosecond
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.jobs.compiling import compiled
from jfsq_simpy.jobs.compiling import numba as numba  # for whoever asks here whether it is installed

Word = np.uint64

U0, U1, U2, U4, U6, U10, U12, U18, U56, U63 = [np.uint64(k) for k in (0, 1, 2, 4, 6, 10, 12, 18, 56, 63)]
PAIRS, NIBBLES, BYTES = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
SUM = np.uint64(0x0101010101010101)


@compiled
def count_ones(word: Word) -> int:
    """How many bits are on.

    >>> int(count_ones(np.uint64(0b1011)))
    3
    """
    word = word - ((word >> U1) & PAIRS)
    word = (word & NIBBLES) + ((word >> U2) & NIBBLES)
    word = (word + (word >> U4)) & BYTES
    return np.int64((word * SUM) >> U56)  # type: ignore[return-value]  # Numba's int


@compiled
def first_one(word: Word) -> Word:
    """The position of the lowest bit that is on; 64 if there is none.

    >>> int(first_one(np.uint64(0b1000)))
    3
    """
    return np.uint64(count_ones(~word & (word - U1)))


@compiled
def nth_one(word: Word, n: int) -> Word:
    """The position of the bit that is number `n` (from 0) among those that are on.

    >>> int(nth_one(np.uint64(0b1011), 2))
    3
    """
    for _ in range(n):
        word = word & (word - U1)
    return first_one(word)
