"""From words to events, compiled: what `tables` does with arrays, a block at a time.

In    a stream, the number of the block's first event
Out   codes: server 0 .. N-1 has finished, N an arrival, N + 1 null
Rule  the words are computed in loops of their own, because those loops are vectorised
Cost  1.1 to 1.5 ns an event of one word, 2.2 to 2.6 ns of two
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment, no-any-return"
# kernels turn NumPy scalars of one width into another, which Numba follows and type checkers do not

from __future__ import annotations

import numpy as np

from jfsq_simpy.chain.layout import Codes, Stream
from jfsq_simpy.jobs.compiling import part

U0, U1, U27, U30, U31, U32, U63, U64 = (np.uint64(k) for k in (0, 1, 27, 30, 31, 32, 63, 64))
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
LOW = np.uint64(0xFFFFFFFF)


@part
def mix64(z: np.uint64) -> np.uint64:
    """SplitMix64's finaliser: repeats `draws.mix64`."""
    z = (z ^ (z >> U30)) * MIX_1
    z = (z ^ (z >> U27)) * MIX_2
    return z ^ (z >> U31)


@part
def times_high(word: np.uint64, count: np.uint64) -> np.uint64:
    """floor(word * count / 2^64): repeats `tables.times_high`."""
    high, low, n_high, n_low = word >> U32, word & LOW, count >> U32, count & LOW
    middle = high * n_low + ((low * n_low) >> U32)
    carry = low * n_high + (middle & LOW)
    return high * n_high + (middle >> U32) + (carry >> U32)


@part
def decode(stream: Stream, codes: Codes, first: int, n: int) -> None:
    """The codes of events first .. first + n - 1: repeats `ServerEvents.decode`."""
    start, gamma = stream
    words, n_servers, table_bits, column, first_of, cell_bits, surely, limit_at, limit, one, two, code, _, _ = codes
    bits = np.uint64(table_bits)
    shift, low = U64 - bits, (U1 << bits) - U1
    step = np.uint64(words) * gamma
    before = start + np.uint64(first) * step
    for i in range(n):
        one[i] = mix64(before + np.uint64(i) * step + gamma)
    if words == 1:
        for i in range(n):
            word = one[i]
            own = word >> shift
            entry = column[own]
            code[i] = np.int32(own) if ((word << bits) | low) < entry else np.int32(entry & low)
        return
    for i in range(n):
        two[i] = mix64(before + np.uint64(i) * step + step)
    for i in range(n):
        word, second = one[i], two[i]
        own = word >> shift
        entry = column[own]
        cell = own if ((word << bits) | low) < entry else entry & low
        inside = np.uint64(cell_bits[cell])
        server = np.int64(first_of[cell]) + np.int64((second >> U1) >> (U63 - inside))
        coin = second << inside
        if coin > surely[cell] and coin > limit[limit_at[cell] + server - np.int64(first_of[cell])]:
            server = np.int64(n_servers + 1)
        code[i] = server


@part
def recode(code, at, stop, arrival, leaving, before):
    """Codes at .. stop - 1 as runs: `leaving` gets every code but arrivals, in order, and before[j] how many
    of them precede arrival j; the last entry of `before` is how many there are. Returns the number of arrivals.

    No branch: an arrival's code is written too, and then written over.
    """
    n_leaving, n_arriving = U0, U0
    for i in range(at, stop):
        c = code[np.uint64(i)]
        leaving[n_leaving] = c
        before[n_arriving] = n_leaving
        arrives = np.uint64(c == arrival)
        n_leaving += U1 - arrives
        n_arriving += arrives
    before[n_arriving] = n_leaving
    return np.int64(n_arriving)
