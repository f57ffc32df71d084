"""The states of many replications, a row each, and one event of the chain on all rows at once.

In    the words of a block of events
Out   queue lengths (form "servers") or counts (form "classes"), joins and snapshots counted
Rule  a row has at most one departure or arrival a step, so plain indexing never meets a place twice
Cost  form "servers": a byte a server, and N bytes read an arrival; form "classes": O(cells) an arrival
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.chain.choices import sampling
from jfsq_simpy.chain.observed import Observed
from jfsq_simpy.chain.plan import Plan
from jfsq_simpy.chain.shares import by_group, exchanged
from jfsq_simpy.chain.tables import class_events, rate_weights, server_events, times_high
from jfsq_simpy.draws import Words
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups

MOST_IN_BYTE = 255  # snapshots counted in bytes before they are added up


class ServersAbreast:
    """Form "servers": how many jobs each server of each replication holds, fastest first."""

    def __init__(self, system: System, plan: Plan, groups: Groups, n_paths: int, holding: int) -> None:
        self.system, self.plan, self.groups = system, plan, groups
        self.n, self.places = system.n_servers, system.places
        self.events = server_events(system)
        self.queues = np.zeros((n_paths, self.n), dtype=np.uint8)
        self.queues[:, :holding] = 1
        self.flat = self.queues.reshape(-1)
        self.group_of = groups.of_server()
        self.joins = np.zeros((n_paths, groups.n_groups, self.places + 1), dtype=np.int64)
        self.at_most = np.zeros((self.places, n_paths, self.n), dtype=np.uint8)  # snapshots with queue <= level
        self.in_bytes = 0
        self.held = np.zeros_like(self.joins)
        if plan.rule == "sample":
            self.chooser = _Sampler(system)

    def load(self, words: Words, choices: Words) -> None:
        """Decode a block of events: uint64 arrays (n, n_paths, words an event)."""
        n = words.shape[0]
        codes = self.events.decode(words.reshape(n, -1))
        step, path = np.nonzero(codes < self.n)
        self.leaving = path * self.n + codes[step, path]
        self.leaving_from = np.searchsorted(step, np.arange(n + 1))
        step, self.path = np.nonzero(codes == self.n)
        self.arriving_from = np.searchsorted(step, np.arange(n + 1))
        self.choices = choices[step, self.path] if self.plan.rule != "first" else choices[:0, 0]
        self.server = np.empty(self.path.size, dtype=np.int64)
        self.level = np.empty(self.path.size, dtype=np.int64)

    def step(self, k: int) -> None:
        """Event k of the block, in every replication."""
        leaving = self.leaving[self.leaving_from[k] : self.leaving_from[k + 1]]
        held = self.flat[leaving]
        self.flat[leaving] = held - (held > 0)  # at an idle server nothing happens
        arriving = slice(self.arriving_from[k], self.arriving_from[k + 1])
        path = self.path[arriving]
        server = self.choose(self.queues[path], arriving)
        joined = path * self.n + server
        level = self.flat[joined]
        self.flat[joined] = level + (level < self.places)  # at a full server the job is blocked
        self.server[arriving], self.level[arriving] = server, level

    def choose(self, queues: IntArray, arriving: slice) -> IntArray:
        """The server each arrival is sent to, int array (n_arrivals,); `queues` (n_arrivals, n_servers)."""
        if self.plan.rule == "first":
            return queues.argmin(axis=1)
        if self.plan.rule == "uniform":
            tied = queues == queues.min(axis=1, keepdims=True)
            number = times_high(self.choices[arriving, 0], tied.sum(axis=1))
            return (np.cumsum(tied, axis=1, dtype=np.int32) > number[:, None]).argmax(axis=1)
        return self.chooser.choose(queues, self.choices[arriving])

    def snapshot(self, observed: Observed) -> None:
        """Count the state as it stands."""
        for level in range(self.places):
            self.at_most[level] += self.queues <= level
        self.in_bytes += 1
        if self.in_bytes == MOST_IN_BYTE:
            self._add_up()
        if observed.wanted:
            idle = self.queues == 0
            observed.take(self.queues.sum(axis=1, dtype=np.int64), idle.sum(axis=1), lambda m: idle[:, :m].sum(axis=1))

    def _add_up(self) -> None:
        first = self.groups.edges[:-1]
        below = np.zeros(self.joins.shape[:2], dtype=np.int64)
        for level in range(self.places):
            upto = np.add.reduceat(self.at_most[level], first, axis=1, dtype=np.int64)
            self.held[:, :, level] += upto - below
            below = upto
        self.held[:, :, self.places] += self.in_bytes * self.groups.sizes - below
        self.at_most[:] = 0
        self.in_bytes = 0

    def count_joins(self) -> IntArray:
        """Count the block's arrivals by group and level; how many there were, int array (n_paths,)."""
        np.add.at(self.joins, (self.path, self.group_of[self.server], self.level), 1)
        return np.bincount(self.path, minlength=self.queues.shape[0])

    def counted(self) -> tuple[list[IntArray], list[IntArray]]:
        """Joins and held levels by group since the last call, a table (n_groups, places + 1) a replication."""
        self._add_up()
        tables = ([exchanged(t, self.system, self.groups) for t in whole.copy()] for whole in (self.joins, self.held))
        joins, held = tables
        self.joins[:] = 0
        self.held[:] = 0
        return joins, held

    def copy(self) -> IntArray:
        return self.queues.astype(np.int64)


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
        self.chooser = _Sampler(system) if plan.rule == "sample" else None
        ranks = system.policy.rank_table(rates, system.places).reshape(-1)
        self.order = np.argsort(ranks, kind="stable")  # best rank first, then by class and level
        ranks = ranks[self.order]
        self.last_of_rank = np.searchsorted(ranks, ranks, side="right") - 1  # of the cell in that place
        self.weight = np.repeat(rate_weights(rates), self.levels)[self.order] if system.policy.ties == "rate" else 1
        self.choose_tied = system.policy.ties != "index" and bool((np.diff(ranks) == 0).any())

    def load(self, words: Words, choices: Words) -> None:
        """Decode a block of events: uint64 arrays (n, n_paths, words an event)."""
        n = words.shape[0]
        which, place = self.events.decode(words.reshape(n, -1))
        arrival = which == self.events.n_classes
        step, self.leaving_path = np.nonzero(~arrival)
        self.leaving_from = np.searchsorted(step, np.arange(n + 1))
        self.leaving_class, self.leaving_place = which[step, self.leaving_path], place[step, self.leaving_path]
        step, self.path = np.nonzero(arrival)
        self.arriving_from = np.searchsorted(step, np.arange(n + 1))
        self.choices = choices[step, self.path]
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
        if not self.choose_tied:
            return self.order[first]
        # nobody ranks before the best, so the running sum starts with the tied servers
        running = np.cumsum(sizes * self.weight, axis=1)
        tied = running[np.arange(path.size), self.last_of_rank[first]]
        number = times_high(choices[:, 0], tied)
        return self.order[(running > number[:, None]).argmax(axis=1)]

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
        return np.bincount(self.path, minlength=self.cells.shape[0])

    def counted(self) -> tuple[list[IntArray], list[IntArray]]:
        """Joins and held levels by group since the last call, a table (n_groups, places + 1) a replication."""
        joins, held = ([by_group(t, self.system.rates, self.groups) for t in whole] for whole in (self.joins, self.held))
        self.joins[:] = 0
        self.held[:] = 0
        return joins, held

    def copy(self) -> IntArray:
        return self.counts.copy()


def _levels_at(counts: IntArray, place: IntArray) -> IntArray:
    """The level of the server at a place of a class: counts (n, levels), place (n,), idle servers first."""
    return (np.cumsum(counts, axis=1) <= place[:, None]).sum(axis=1)


class _Sampler:
    """The best of d servers drawn, for many jobs at once."""

    def __init__(self, system: System) -> None:
        self.system, self.query = system, sampling(system)
        self.first_server, self.levels = system.rates.first_server, system.places + 1
        self.ranks = system.policy.rank_table(system.rates, system.places)
        self.weights = rate_weights(system.rates)

    def choose(self, queues: IntArray, choices: Words) -> IntArray:
        """Servers, int array (n,), from queue lengths (n, n_servers) and choices (n, d + 1)."""
        asked = self._picked(choices)
        classes = self._class_of(asked)
        best = self._best(classes, np.take_along_axis(queues, asked, axis=1), asked, choices[:, -1])
        return asked[np.arange(best.size), best]

    def choose_cells(self, counts: IntArray, choices: Words) -> IntArray:
        """Cells (class * levels + level), int array (n,), from counts (n, n_classes, levels)."""
        asked = self._picked(choices)
        classes = self._class_of(asked)
        place = asked - self.first_server[classes]
        running = np.cumsum(counts, axis=2)[np.arange(asked.shape[0])[:, None], classes]
        levels = (running <= place[:, :, None]).sum(axis=2)
        best = self._best(classes, levels, asked, choices[:, -1])
        row = np.arange(best.size)
        return classes[row, best] * self.levels + levels[row, best]

    def _picked(self, choices: Words) -> IntArray:
        """Servers asked, int array (n, d), ascending; with replacement a server may stand twice."""
        picks = np.empty((choices.shape[0], 0), dtype=np.int64)
        for i in range(self.query.d):
            pick = times_high(choices[:, i], self.system.n_servers - (0 if self.query.replace else i))
            if not self.query.replace:
                for j in range(i):  # picks are kept in ascending order
                    pick += pick >= picks[:, j]
            picks = np.sort(np.column_stack([picks, pick]), axis=1)
        return picks

    def _class_of(self, servers: IntArray) -> IntArray:
        return np.searchsorted(self.first_server, servers, side="right") - 1

    def _best(self, classes: IntArray, levels: IntArray, asked: IntArray, word: Words) -> IntArray:
        """Which column of the asked wins, int array (n,)."""
        ranks = self.ranks[classes, levels]
        tied = ranks == ranks.min(axis=1, keepdims=True)
        tied[:, 1:] &= asked[:, 1:] != asked[:, :-1]  # a server drawn twice counts once
        if self.system.policy.ties == "index":
            return tied.argmax(axis=1)
        running = np.cumsum(tied * self.weights[classes] if self.system.policy.ties == "rate" else tied, axis=1)
        return (running > times_high(word, running[:, -1])[:, None]).argmax(axis=1)
