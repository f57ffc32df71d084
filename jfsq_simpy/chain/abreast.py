"""Form "servers" for many replications, a row each: one event of the chain on all rows at once.

In    the streams of words
Out   queue lengths, joins and snapshots counted
Rule  a row has at most one departure or arrival a step, so plain indexing never meets a place twice
Cost  a byte a server and replication; N bytes read an arrival (`SetsAbreast` reads a few words)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.chain.choices import choice_words
from jfsq_simpy.chain.observed import Observed
from jfsq_simpy.chain.plan import Plan
from jfsq_simpy.chain.sampler import Sampler
from jfsq_simpy.chain.shares import exchanged
from jfsq_simpy.chain.streams import Streams
from jfsq_simpy.chain.tables import server_events, times_high
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups

MOST_IN_BYTE = 255  # snapshots counted in bytes before they are added up
Bytes = NDArray[np.uint8]


class ServersAbreast:
    """How many jobs each server of each replication holds, fastest first."""

    def __init__(self, system: System, plan: Plan, groups: Groups, n_paths: int, holding: int) -> None:
        self.system, self.plan, self.groups, self.n_paths = system, plan, groups, n_paths
        self.n, self.places = system.n_servers, system.places
        self.events = server_events(system)
        self.queues: Bytes = np.zeros((n_paths, self.n), dtype=np.uint8)
        self.queues[:, :holding] = 1
        self.flat = self.queues.reshape(-1)
        self.group_of = groups.of_server()
        self.joins = np.zeros((n_paths, groups.n_groups, self.places + 1), dtype=np.int64)
        self.held = np.zeros_like(self.joins)
        self.at_most: Bytes = np.zeros((self.places, n_paths, self.n), dtype=np.uint8)  # snapshots with queue <= level
        self.full = np.zeros(self.places + 1, dtype=np.int64)  # snapshots at which no queue exceeded the level
        self.in_bytes = 0
        self.sampler = Sampler(system) if plan.rule == "sample" else None
        self.n_choices = choice_words(system)

    def load(self, streams: Streams, first: int, n: int) -> None:
        """Decode a block: events first .. first + n - 1 of every replication."""
        codes = self.events.decode(streams.events(first, n, self.events.words))
        codes, first_of_step = codes.reshape(-1), np.arange(n + 1) * self.n_paths
        path = np.tile(np.arange(self.n_paths), n)
        leaving, arriving = np.flatnonzero(codes < self.n), np.flatnonzero(codes == self.n)
        self.leaving, self.leaving_path, self.path = codes[leaving], path[leaving], path[arriving]
        self.leaving_at = self.leaving_path * self.n + self.leaving
        self.leaving_from = np.searchsorted(leaving, first_of_step).tolist()
        self.arriving_from = np.searchsorted(arriving, first_of_step).tolist()
        if self.plan.rule != "first":
            self.choices = streams.choices(first + arriving // self.n_paths, self.path, self.n_choices)
        self.server = np.zeros(self.path.size, dtype=np.int64)
        self.level = np.zeros(self.path.size, dtype=np.int64)

    def step(self, k: int) -> None:
        """Event k of the block, in every replication."""
        self.leave(slice(self.leaving_from[k], self.leaving_from[k + 1]))
        self.arrive(slice(self.arriving_from[k], self.arriving_from[k + 1]))

    def leave(self, these: slice) -> None:
        """Services end; at an idle server nothing happens."""
        at = self.leaving_at[these]
        held = self.flat[at]
        self.flat[at] = held - (held > 0)

    def arrive(self, these: slice) -> None:
        """Jobs join the servers the rule sends them to; at a full one they are blocked."""
        path = self.path[these]
        server = self.choose(self.queues[path], these)
        at = path * self.n + server
        level = self.flat[at]
        self.flat[at] = level + (level < self.places)
        self.server[these], self.level[these] = server, level

    def choose(self, queues: Bytes, these: slice) -> IntArray:
        """The server each arrival is sent to, int array (n_arrivals,); `queues` (n_arrivals, n_servers)."""
        server: IntArray
        if self.sampler is not None:
            return self.sampler.choose(queues, self.choices[these])
        if self.plan.rule == "first":
            server = queues.argmin(axis=1)
        else:
            tied = queues == queues.min(axis=1, keepdims=True)
            number = times_high(self.choices[these, 0], tied.sum(axis=1))
            server = (np.cumsum(tied, axis=1, dtype=np.int32) > number[:, None]).argmax(axis=1)
        return server

    def snapshot(self, observed: Observed) -> None:
        """Count the state as it stands."""
        highest = int(self.queues.max())
        self.full[highest] += 1  # and so do all levels above
        for level in range(highest):
            self.at_most[level] += self.queues <= level
        self.in_bytes += 1
        if self.in_bytes == MOST_IN_BYTE:
            self._add_up()
        if observed.wanted:
            idle = self.queues == 0
            observed.take(self.queues.sum(axis=1, dtype=np.int64), idle.sum(axis=1), lambda m: idle[:, :m].sum(axis=1))

    def _add_up(self) -> None:
        if not self.in_bytes:
            return
        first, full = self.groups.edges[:-1], np.cumsum(self.full)
        below = np.zeros(self.joins.shape[:2], dtype=np.int64)
        for level in range(self.places):
            upto = np.add.reduceat(self.at_most[level], first, axis=1, dtype=np.int64) + full[level] * self.groups.sizes
            self.held[:, :, level] += upto - below
            below = upto
        self.held[:, :, self.places] += self.in_bytes * self.groups.sizes - below
        self.at_most[:] = 0
        self.full[:] = 0
        self.in_bytes = 0

    def count_joins(self) -> IntArray:
        """Count the block's arrivals by group and level; how many there were, int array (n_paths,)."""
        # replication by replication: one row of counts at a time stays in the fast cache
        order = np.argsort(self.path.astype(np.uint16), kind="stable") if self.n_paths <= 2**16 else slice(None)
        cell = (self.path * self.groups.n_groups + self.group_of[self.server]) * (self.places + 1) + self.level
        np.add.at(self.joins.reshape(-1), cell[order], 1)
        arrivals: IntArray = np.bincount(self.path, minlength=self.n_paths)
        return arrivals

    def counted(self) -> tuple[list[IntArray], list[IntArray]]:
        """Joins and held levels by group since the last call, a table (n_groups, places + 1) a replication."""
        self._add_up()
        joins, held = ([exchanged(t, self.system, self.groups) for t in whole] for whole in (self.joins, self.held))
        self.joins, self.held = np.zeros_like(self.joins), np.zeros_like(self.held)
        return joins, held

    def copy(self) -> IntArray:
        """Queue lengths, int array (n_paths, n_servers)."""
        return self.queues.astype(np.int64)
