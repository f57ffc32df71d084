"""The caller's observables in a compiled run: the kernels keep a log, and the log is counted here.

In    a log of snapshots: jobs present, idle servers, idle servers among the first so many, arrivals so far
Out   the fields of a Tally that `Observables` asks for
Rule  counted by `Tally.count_paths` and `count_surges`, so by the definition itself
Cost  about a microsecond a snapshot, and nothing where nothing is asked
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jfsq_simpy.chain.exchange import cuts_of, overlap, seeds
from jfsq_simpy.chain.layout import Stream
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups, Observables, Tally

ROWS = 2**13  # snapshots logged before they are counted


class Log(NamedTuple):
    """What a kernel writes at each snapshot, a row each; no rows: nothing is wanted."""

    row: IntArray  # (ROWS, 3 + n_marks): jobs present, idle servers, idle servers among the first `marks`, arrivals of the batch
    marks: IntArray  # (n_marks,)


NO_LOG = Log(np.zeros((0, 3), dtype=np.int64), np.zeros(0, dtype=np.int64))


class Watcher:
    """The observables of one batch of one replication; its snapshots are `first`, first + 1, ... of the window."""

    def __init__(self, system: System, groups: Groups, observe: Observables, first: int, choices: Stream, expected: float) -> None:
        self.observe, self.groups, self.number, self.choices = observe, groups, first, choices
        self.expected = expected  # arrivals from one snapshot to the next
        self.last = np.zeros((0, 2), dtype=np.int64)  # jobs present and arrivals so far, at the last snapshot counted
        self.cuts = cuts_of(system, observe)
        marks = np.concatenate([self.cuts.begin, self.cuts.end])
        self.log = Log(np.zeros((ROWS, 3 + marks.size), dtype=np.int64), marks)
        self.tally = Tally.empty(groups, system.places, observe, per_job=False)

    def take(self, n: int) -> None:
        """Count the first n rows of the log."""
        rows = self.log.row[:n]
        among = [self._idle_among(i, rows[:, 2:-1]) for i in range(self.cuts.fastest.size)]
        self.tally.count_paths(self.observe, self.groups, rows[:, 0], rows[:, 1], among)
        known = np.concatenate([self.last, rows[:, [0, -1]]])
        self.tally.count_surges(self.observe, known[:-1, 0], np.diff(known[:, 1]) - self.expected)
        self.last = known[-1:]
        self.number += n

    def _idle_among(self, i: int, idle_before: IntArray) -> IntArray:
        """Idle servers among the m fastest at each snapshot: counted, and drawn where m cuts a class."""
        n_cuts = self.cuts.fastest.size
        fastest, begin, end = (int(x[i]) for x in self.cuts)
        before = idle_before[:, i]
        if begin == end:
            return before
        numbers = np.arange(self.number, self.number + before.size)
        seed = seeds(self.choices.start, self.choices.gamma, numbers, n_cuts, i)
        return before + overlap(end - begin, fastest - begin, idle_before[:, n_cuts + i] - before, seed)

    def put(self, tally: Tally) -> None:
        """Write what was seen into a tally."""
        for name in ("joint", "tails", "idle_tails", "powers", "path", "surges"):
            setattr(tally, name, getattr(self.tally, name))


def is_wanted(observe: Observables) -> bool:
    """Whether there is anything to watch."""
    return bool(observe.joint or observe.tails or observe.idle_tails or observe.powers or observe.path or observe.surges)
