"""Snapshots beyond the levels: the caller's observables, counted for many replications at once.

In    at each snapshot, jobs present, idle servers and arrivals so far of every replication
Out   the fields of each replication's Tally that `Observables` asks for
Rule  the same comparisons, and the same float operations in the same order, as `Tally.observe` and `Tally.count_surges`
Cost  a few array operations a snapshot; nothing when nothing is asked
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jfsq_simpy.chain.exchange import cuts_of, overlap, seeds
from jfsq_simpy.chain.streams import Streams
from jfsq_simpy.chain.watching import is_wanted
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import SURGE_POWERS, Observables, Tally, squashed


class Observed:
    """What one batch saw at its snapshots, a row a replication."""

    def __init__(self, observe: Observables, system: System, n_paths: int, first: int, streams: Streams, expected: float) -> None:
        self.observe, self.n_servers = observe, system.n_servers
        self.cuts, self.number, self.streams = cuts_of(system, observe), first, streams
        self.joint = np.zeros((n_paths, *observe.joint_shape), dtype=np.int64)
        self.tails = np.zeros((n_paths, len(observe.tails)), dtype=np.int64)
        self.idle_tails = np.zeros((n_paths, len(observe.idle_tails)), dtype=np.int64)
        self.powers = np.zeros((n_paths, len(observe.powers)))
        self.path: list[IntArray] = []
        self.expected = expected  # arrivals from one snapshot to the next
        self.arrived = np.zeros(n_paths, dtype=np.int64)  # since the last snapshot
        self.surges = np.zeros((n_paths, SURGE_POWERS if observe.surges else 0))
        self.last: IntArray | None = None  # jobs present at the last snapshot

    @property
    def wanted(self) -> bool:
        """Whether there is anything to count."""
        return is_wanted(self.observe)

    def arrivals(self, path: IntArray) -> None:
        """Count arrivals, each at the replication it came in."""
        self.arrived += np.bincount(path, minlength=self.arrived.size)

    def take(self, present: IntArray, idle: IntArray, idle_before: Callable[[int], IntArray]) -> None:
        """Count one snapshot of every replication.

        `present`, `idle` : int arrays (n_paths,). `idle_before(m)` : likewise, idle servers among the m
        fastest as the chain holds them.
        """
        busy = self.n_servers - idle
        waiting = present - busy
        if self.observe.joint:
            row = np.searchsorted(self.observe.joint[0], waiting, side="right") - 1
            column = np.searchsorted(self.observe.joint[1], idle, side="right") - 1
            rows, columns = self.observe.joint_shape
            inside = np.flatnonzero((row >= 0) & (row < rows) & (column >= 0) & (column < columns))
            self.joint[inside, row[inside], column[inside]] += 1
        for i, (a, c, t) in enumerate(self.observe.tails):
            self.tails[:, i] += np.minimum(waiting - a, c - busy) >= t
        for i, (_, t) in enumerate(self.observe.idle_tails):
            self.idle_tails[:, i] += self._idle_among(i, idle_before) >= t
        for i, (eta, r) in enumerate(self.observe.powers):
            excess = np.maximum(present / self.n_servers - eta, 0.0)
            power = np.ones_like(excess)
            for _ in range(r):
                power *= excess
            self.powers[:, i] += power
        if self.observe.path:
            self.path.append(present)
        self._count_surges()
        self.last = present
        self.number += 1

    def _count_surges(self) -> None:
        if self.observe.surges and self.last is not None:
            centre, scale = self.observe.surges
            crowded, power = squashed((self.last - centre) / scale), self.arrived - self.expected
            for k in range(SURGE_POWERS):
                self.surges[:, k] += power
                power = power * crowded
        self.arrived[:] = 0

    def _idle_among(self, i: int, idle_before: Callable[[int], IntArray]) -> IntArray:
        m, begin, end = (int(x[i]) for x in self.cuts)
        idle = idle_before(begin)
        if begin < end:
            seed = seeds(self.streams.choice_start, self.streams.choice_gamma, self.number, self.cuts.fastest.size, i)
            idle = idle + overlap(end - begin, m - begin, idle_before(end) - idle, seed)
        return idle

    def put(self, path: int, tally: Tally) -> None:
        """Write one replication's row into its tally."""
        tally.joint, tally.tails, tally.idle_tails = self.joint[path], self.tails[path], self.idle_tails[path]
        tally.powers, tally.surges = self.powers[path], self.surges[path]
        if self.path:
            tally.path = np.array([p[path] for p in self.path], dtype=np.int64)
