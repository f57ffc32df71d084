"""The counts themselves: a Tally a batch, how tallies add up, and what an engine hands back.

In    groups and levels of servers at snapshots; engines fill in jobs, each in its own way
Out   a Tally; the sum of several; an Outcome, which is one replication's
Rule  integers add up exactly in any order. The few float sums are made one after the other, never pairwise:
      then every engine has the same bits
Cost  memory O(groups x places), and 5,378 bins a band where waits are measured job by job
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.tally.bins import N_BINS
from jfsq_simpy.tally.groups import Groups
from jfsq_simpy.tally.observables import NOTHING, SURGE_POWERS, Observables, squashed


@dataclass
class Tally:
    """The counts of one batch of one replication (or of several, added up).

    `joins[g, l]` accepted jobs that joined a server of group g behind l jobs; `blocked` jobs refused;
    `levels[g, l]` servers of group g holding l jobs, summed over `snapshots`. Jobs view only:
    `wait_bins`, `response_bins` [band, bin] and the sums in ticks, of jobs that left; `unfinished` are the rest.
    """

    joins: IntArray  # (n_groups, places)
    levels: IntArray  # (n_groups, places + 1)
    blocked: int = 0
    snapshots: int = 0
    joint: IntArray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    tails: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    idle_tails: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    powers: FloatArray = field(default_factory=lambda: np.zeros(0))
    path: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    surges: FloatArray = field(default_factory=lambda: np.zeros(0))
    wait_bins: IntArray | None = None  # (n_bands, N_BINS)
    response_bins: IntArray | None = None
    wait_ticks: int = 0
    response_ticks: int = 0
    unfinished: int = 0

    @classmethod
    def empty(cls, groups: Groups, places: int, observe: Observables = NOTHING, *, per_job: bool) -> Tally:
        """A tally of zeros; `per_job` for the jobs view, whose waits are measured one by one."""

        def bins() -> IntArray | None:
            return np.zeros((groups.n_bands, N_BINS), np.int64) if per_job else None

        return cls(
            joins=np.zeros((groups.n_groups, places), np.int64),
            levels=np.zeros((groups.n_groups, places + 1), np.int64),
            joint=np.zeros(observe.joint_shape, np.int64),
            tails=np.zeros(len(observe.tails), np.int64),
            idle_tails=np.zeros(len(observe.idle_tails), np.int64),
            powers=np.zeros(len(observe.powers)),
            surges=np.zeros(SURGE_POWERS if observe.surges else 0),
            wait_bins=bins(),
            response_bins=bins(),
        )

    @property
    def accepted(self) -> int:
        return int(self.joins.sum())

    @property
    def routed(self) -> int:
        """Jobs that arrived in the window."""
        return self.accepted + self.blocked

    def observe(self, observe: Observables, groups: Groups, levels: NDArray[np.integer[Any]]) -> None:
        """Count one snapshot: `levels` int array (n_groups, places + 1), servers by group and level."""
        self.levels += levels
        self.snapshots += 1
        present = np.array([int((levels @ np.arange(levels.shape[1])).sum())])
        among = [np.array([int(levels[groups.edges[:-1] < m, 0].sum())]) for m, _ in observe.idle_tails]
        self.count_paths(observe, groups, present, np.array([int(levels[:, 0].sum())]), among)

    def count_paths(
        self, observe: Observables, groups: Groups, present: IntArray, idle: IntArray, idle_among: Sequence[IntArray]
    ) -> None:
        """Count the observables of consecutive snapshots.

        `present`, `idle` : int arrays (n,), jobs present and idle servers; `idle_among` : one such array
        for each of `observe.idle_tails`, idle servers among the m fastest.
        """
        n_servers = int(groups.edges[-1])
        busy = n_servers - idle
        waiting = present - busy
        if observe.path:
            self.path = np.concatenate([self.path, present])
        if observe.joint:
            row = np.searchsorted(observe.joint[0], waiting, side="right") - 1
            column = np.searchsorted(observe.joint[1], idle, side="right") - 1
            rows, columns = self.joint.shape
            inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
            np.add.at(self.joint, (row[inside], column[inside]), 1)
        for i, (a, c, t) in enumerate(observe.tails):
            self.tails[i] += np.count_nonzero(np.minimum(waiting - a, c - busy) >= t)
        for i, ((_, t), among) in enumerate(zip(observe.idle_tails, idle_among, strict=True)):
            self.idle_tails[i] += np.count_nonzero(among >= t)
        for i, (eta, r) in enumerate(observe.powers):
            excess = np.maximum(present / n_servers - eta, 0.0)
            power = excess.copy()
            for _ in range(r - 1):
                power *= excess
            # one after the other, as an engine adds them: the same bits in every engine
            self.powers[i] = np.cumsum(np.concatenate([self.powers[i : i + 1], power]))[-1]

    def count_surges(self, observe: Observables, present: IntArray, surge: FloatArray) -> None:
        """Count what followed consecutive snapshots.

        `present` : int array (n,), jobs present; `surge` : float array (n,), arrivals from each to the next
        snapshot of the batch, less their expectation.
        """
        if observe.surges:
            centre, scale = observe.surges
            crowded, power = squashed((present - centre) / scale), surge
            for k in range(SURGE_POWERS):
                self.surges[k] = np.cumsum(np.concatenate([self.surges[k : k + 1], power]))[-1]
                power = power * crowded

    def __eq__(self, other: object) -> bool:  # so tallies have no hash, and should have none: counting changes them
        if not isinstance(other, Tally):
            return NotImplemented
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))


def merged(tallies: Iterable[Tally]) -> Tally:
    """The sum of tallies of one system; paths are joined in the order given.

    >>> one = Tally(joins=np.array([[3, 1]]), levels=np.array([[5, 2, 1]]), blocked=1, snapshots=8)
    >>> merged([one, one, one]).routed
    15
    """
    parts = list(tallies)
    total: dict[str, Any] = {}
    for f in fields(Tally):
        values = [getattr(t, f.name) for t in parts]
        if f.name == "path":
            total[f.name] = np.concatenate(values)
        elif values[0] is None:
            total[f.name] = None
        else:
            total[f.name] = sum(values[1:], values[0])
    return Tally(**total)


@dataclass
class Outcome:
    """What an engine hands back for one replication: a tally for each batch of the window."""

    tallies: list[Tally]
    arrivals: int  # jobs simulated, warm-up included
    facts: dict[str, Any] = field(default_factory=dict)  # what the engine chose: its form, words an event, ...
