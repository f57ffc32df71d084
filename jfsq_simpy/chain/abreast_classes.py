"""Form "classes" for many replications, a row each: counts by speed class and level.

In    the streams of words
Out   counts, joins and snapshots counted
Rule  cells (class, level) stand in the order of their ranks: the first that is not empty is the job's,
      and where several share its rank, the running sum of their servers finds the one of a given number
Cost  O(cells) an arrival, whatever N
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.chain.choices import choice_words
from jfsq_simpy.chain.observed import Observed
from jfsq_simpy.chain.plan import Plan
from jfsq_simpy.chain.sampler import Sampler
from jfsq_simpy.chain.shares import by_group
from jfsq_simpy.chain.streams import Streams
from jfsq_simpy.chain.tables import class_events, rate_weights, times_high
from jfsq_simpy.draws import Words
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups


class ClassesAbreast:
    """Form "classes": how many servers of each speed class hold 0 .. places jobs, in each replication."""

    def __init__(self, system: System, plan: Plan, groups: Groups, n_paths: int, holding: int) -> None:
        self.system, self.plan, self.groups = system, plan, groups
        self.events = class_events(system)
        rates, self.levels = system.rates, system.places + 1
        busy = np.clip(holding - rates.first_server[:-1], 0, rates.counts)
        self.counts = np.zeros((n_paths, rates.n_classes, self.levels), dtype=np.int64)
        self.counts[:, :, 0], self.counts[:, :, 1] = rates.counts - busy, busy
        self.cells = self.counts.reshape(n_paths, -1)
        self.joins, self.held = np.zeros_like(self.counts), np.zeros_like(self.counts)
        self.chooser = Sampler(system) if plan.rule == "sample" else None
        self.n_choices = choice_words(system)
        ranks = system.policy.rank_table(rates, system.places).reshape(-1)
        self.order = np.argsort(ranks, kind="stable")  # best rank first, then by class and level
        ranks = ranks[self.order]
        self.last_of_rank = np.searchsorted(ranks, ranks, side="right") - 1  # of the cell in that place
        self.weight = np.repeat(rate_weights(rates), self.levels)[self.order] if system.policy.ties == "rate" else 1
        self.choose_tied = system.policy.ties != "index" and bool((np.diff(ranks) == 0).any())

    def load(self, streams: Streams, first: int, n: int) -> None:
        """Decode a block: events first .. first + n - 1 of every replication."""
        which, place = self.events.decode(streams.events(first, n, self.events.words))
        which, place, first_of_step = which.reshape(-1), place.reshape(-1), np.arange(n + 1) * self.cells.shape[0]
        path = np.tile(np.arange(self.cells.shape[0]), n)
        arrives = which == self.events.n_classes
        leaving, arriving = np.flatnonzero(~arrives), np.flatnonzero(arrives)
        self.leaving_class, self.leaving_place = which[leaving], place[leaving]
        self.leaving_path, self.path = path[leaving], path[arriving]
        self.leaving_from = np.searchsorted(leaving, first_of_step).tolist()
        self.arriving_from = np.searchsorted(arriving, first_of_step).tolist()
        self.choices = streams.choices(first + arriving // self.cells.shape[0], self.path, self.n_choices)
        self.sent = np.empty(self.path.size, dtype=np.int64)

    def step(self, k: int) -> None:
        """Event k of the block, in every replication."""
        leaving = slice(self.leaving_from[k], self.leaving_from[k + 1])
        path, which = self.leaving_path[leaving], self.leaving_class[leaving]
        level = _levels_at(self.counts[path, which], self.leaving_place[leaving])
        busy = level > 0
        path, cell = path[busy], (which * self.levels + level)[busy]
        self.cells[path, cell] -= 1
        self.cells[path, cell - 1] += 1
        arriving = slice(self.arriving_from[k], self.arriving_from[k + 1])
        path = self.path[arriving]
        cell = self.choose(path, self.choices[arriving])
        self.sent[arriving] = cell
        taken = cell % self.levels < self.levels - 1
        path, cell = path[taken], cell[taken]
        self.cells[path, cell] -= 1
        self.cells[path, cell + 1] += 1

    def choose(self, path: IntArray, choices: Words) -> IntArray:
        """The cell (class * levels + level) each arrival is sent to."""
        if self.chooser is not None:
            return self.chooser.choose_cells(self.counts[path], choices)
        sizes = self.cells[path][:, self.order]
        first = (sizes > 0).argmax(axis=1)
        cell: IntArray = self.order[first]
        if not self.choose_tied:
            return cell
        # nobody ranks before the best, so the running sum starts with the tied servers
        running = np.cumsum(sizes * self.weight, axis=1)
        tied = running[np.arange(path.size), self.last_of_rank[first]]
        number = times_high(choices[:, 0], tied)
        cell = self.order[(running > number[:, None]).argmax(axis=1)]
        return cell

    def snapshot(self, observed: Observed) -> None:
        """Count the state as it stands."""
        self.held += self.counts
        if observed.wanted:
            levels = np.arange(self.levels)
            first = self.system.rates.first_server
            idle = self.counts[:, :, 0]
            present = (self.counts @ levels).sum(axis=1)
            observed.take(present, idle.sum(axis=1), lambda m: idle[:, : np.searchsorted(first, m)].sum(axis=1))

    def count_joins(self) -> IntArray:
        """Count the block's arrivals by class and level; how many there were, int array (n_paths,)."""
        np.add.at(self.joins.reshape(self.cells.shape), (self.path, self.sent), 1)
        arrivals: IntArray = np.bincount(self.path, minlength=self.cells.shape[0])
        return arrivals

    def counted(self) -> tuple[list[IntArray], list[IntArray]]:
        """Joins and held levels by group since the last call, a table (n_groups, places + 1) a replication."""
        joins, held = ([by_group(t, self.system.rates, self.groups) for t in whole] for whole in (self.joins, self.held))
        self.joins[:] = 0
        self.held[:] = 0
        return joins, held

    def copy(self) -> IntArray:
        """Counts, int array (n_paths, n_classes, places + 1)."""
        return self.counts.copy()


def _levels_at(counts: IntArray, place: IntArray) -> IntArray:
    """The level of the server at a place of a class: counts (n, levels), place (n,), idle servers first."""
    level: IntArray = (np.cumsum(counts, axis=1) <= place[:, None]).sum(axis=1)
    return level
