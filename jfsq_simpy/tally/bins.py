"""Times as integers: bins for their law, ticks for their sum.

In    times >= 0: waits and responses
Out   the bin of each, the edges of bins, times in whole ticks
Rule  found from the float's own bits, with no logarithm, and so the same in every engine; kernels write out the
      same formulas and read the constants here
Cost  O(1) a time
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.rates import FloatArray, IntArray

# Waits and responses are binned by the leading bits of the float: 128 bins an octave, each at most
# 0.8 % wide, found without a logarithm and so equal to the last bit in every engine.
BIN_SHIFT = 45
LOWEST_EXPONENT, HIGHEST_EXPONENT = -20, 22
FIRST_BIN = (1023 + LOWEST_EXPONENT) << (52 - BIN_SHIFT)
N_BINS = ((HIGHEST_EXPONENT - LOWEST_EXPONENT) << (52 - BIN_SHIFT)) + 2  # bin 0 holds exact zeros
TICKS = 2.0**24  # sums of times are kept in integer ticks of 2^-24


def time_bin(times: FloatArray) -> IntArray:
    """The bin of each time >= 0, int array of the same shape: 0 for exactly 0, the last for what is beyond.

    >>> time_bin(np.array([0.0, 1.0, 1.001, 2.0]))
    array([   0, 2561, 2561, 2689])
    """
    bits = np.ascontiguousarray(times, dtype=np.float64).view(np.int64)
    inside = np.clip((bits >> BIN_SHIFT) - FIRST_BIN + 1, 1, N_BINS - 1)
    return np.where(times == 0.0, 0, inside)


def bin_edges() -> FloatArray:
    """float array (N_BINS + 1,): bin k holds times in [edge_k, edge_k+1); bin 0 is {0}, the last is open above."""
    bits = (np.arange(N_BINS - 1, dtype=np.int64) + FIRST_BIN) << BIN_SHIFT
    inner = bits.view(np.float64)
    return np.concatenate([[0.0, 0.0], inner[1:], [np.inf]])


def ticks(times: FloatArray) -> IntArray:
    """Times in whole ticks, rounded half up: sums of these are exact in any order."""
    return np.floor(times * TICKS + 0.5).astype(np.int64)
