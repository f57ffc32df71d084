"""The words of several replications side by side: events down, replications across.

In    a seed, replication numbers
Out   words of a block of events, and the choice words of given arrivals
Rule  word i is mix64(start + (i + 1) * gamma), as `draws.WordStream` has it, with a start and a gamma a
      replication: nothing is stored, so a choice is computed only where one is made
Cost  about 5 ns a word
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jfsq_simpy.draws import Purpose, Seed, Words, mix64, word_stream
from jfsq_simpy.rates import IntArray


class Streams:
    """The streams `EVENTS` and `CHOICES` of each replication.

    >>> streams = Streams(Seed.of(1), [4, 9])
    >>> bool(streams.events(10, 3, 2)[1, 2, 0] == word_stream(Seed.of(1), 4, Purpose.EVENTS).words(25, 1)[0])
    True
    """

    def __init__(self, seed: Seed, numbers: Sequence[int]) -> None:
        self.event_start, self.event_gamma = _abreast(seed, numbers, Purpose.EVENTS)
        self.choice_start, self.choice_gamma = _abreast(seed, numbers, Purpose.CHOICES)

    def events(self, first: int, n: int, width: int) -> Words:
        """The words of events first .. first + n - 1, `width` each: uint64 array (width, n, n_paths)."""
        number = np.arange(first, first + n, dtype=np.uint64) * np.uint64(width)
        word = number[None, :, None] + np.arange(1, width + 1, dtype=np.uint64)[:, None, None]
        with np.errstate(over="ignore"):
            return mix64(self.event_start + word * self.event_gamma)

    def choices(self, event: IntArray, path: IntArray, width: int) -> Words:
        """The choice words of the arrivals that are event[i] of replication path[i]: uint64 array (n, width)."""
        word: Words = np.add.outer(event * width, np.arange(1, width + 1)).astype(np.uint64)
        with np.errstate(over="ignore"):
            return mix64(self.choice_start[path, None] + word * self.choice_gamma[path, None])


def _abreast(seed: Seed, numbers: Sequence[int], purpose: Purpose) -> tuple[Words, Words]:
    streams = [word_stream(seed, n, purpose) for n in numbers]
    return np.array([s.start for s in streams], dtype=np.uint64), np.array([s.gamma for s in streams], dtype=np.uint64)
