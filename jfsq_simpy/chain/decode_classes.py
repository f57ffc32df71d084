"""From words to events in form "classes", compiled.

In    a stream, the number of the block's first event
Out   for each event a speed class (n_classes for an arrival) and a place among its servers
Rule  repeats `ClassEvents.decode`
Cost  about 2 ns an event
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.chain.decode import LOW, U1, U32, U64, mix64
from jfsq_simpy.chain.layout import Stream
from jfsq_simpy.chain.layout_classes import ClassCodes
from jfsq_simpy.jobs.compiling import part


@part
def decode_classes(stream: Stream, codes: ClassCodes, first: int, n: int) -> None:
    """The classes and places of events first .. first + n - 1."""
    start, gamma = stream
    table_bits, column, count, one, two, which, place, _, _, _ = codes
    bits = np.uint64(table_bits)
    shift, low = U64 - bits, (U1 << bits) - U1
    step = gamma + gamma
    before = start + np.uint64(first) * step
    for i in range(n):
        one[i] = mix64(before + np.uint64(i) * step + gamma)
    for i in range(n):
        two[i] = mix64(before + np.uint64(i) * step + step)
    for i in range(n):
        word, second = one[i], two[i]
        own = word >> shift
        entry = column[own]
        drawn = own if ((word << bits) | low) < entry else entry & low
        which[i] = drawn
        # counts are below 2^32, so the short product is exact
        place[i] = ((second >> U32) * count[drawn] + (((second & LOW) * count[drawn]) >> U32)) >> U32
