"""From job records to the tally: the readable twin of what the compiled engine counts as it goes.

In    blocks of columns in the order of arrival, complete rows (the last block may hold unfinished jobs)
Out   one Tally a batch of the window
Rule  queue lengths are rebuilt from the records alone. At one instant departures come first, then
      snapshots, then arrivals; a job of size 0 leaves after it came, before the next arrival
Cost  O(n log n) a block of n rows, in NumPy; memory O(block + jobs present), with observables also its snapshots
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import N_BINS, NOTHING, Observables, Tally, Window, groups_of, ticks, time_bin

Columns = dict[str, NDArray[Any]]


class JobCounter:
    """Counts one replication's records."""

    def __init__(self, system: System, window: Window, observe: Observables) -> None:
        self.places, self.n_servers = system.places, system.n_servers
        self.window, self.observe = window, observe
        self.groups = groups_of(system, observe)
        self.group_of = self.groups.of_server()
        self.tallies = [Tally.empty(self.groups, system.places, observe, per_job=True) for _ in range(window.batches)]
        # snapshots first_of[b] .. first_of[b + 1] - 1 belong to batch b
        self.first_of = window.snapshots_before(window.edges)
        self.next_snapshot = 0
        self.cells = np.zeros((self.groups.n_groups, system.places + 1), np.int64)  # servers by group and level
        self.cells[:, 0] = self.groups.sizes
        self.queue = np.zeros(self.n_servers, np.int64)  # queue lengths after every event applied so far
        self.pending = _events(_no_rows())  # of rows already seen, later than every event applied

    def add(self, columns: Columns) -> None:
        """Count the next rows."""
        if columns["job"].size:
            self._count_jobs(columns)
            self._replay(columns, until=float(columns["arrival"][-1]))

    def finish(self) -> list[Tally]:
        """Apply what is pending and take the remaining snapshots."""
        self._replay(_no_rows(), until=np.inf)
        return self.tallies

    # ---- per-job counts ----

    def _count_jobs(self, columns: Columns) -> None:
        arrival = columns["arrival"]
        counted = (columns["job"] >= 0) & (arrival >= self.window.warmup) & (arrival < self.window.end)
        batch_of = np.searchsorted(self.window.edges, arrival, side="right") - 1
        for b in np.unique(batch_of[counted]).tolist():
            here = counted & (batch_of == b)
            self._count_batch(self.tallies[b], {name: column[here] for name, column in columns.items()})

    def _count_batch(self, tally: Tally, columns: Columns) -> None:
        accepted = columns["server"] >= 0
        tally.blocked += int(np.count_nonzero(~accepted))
        group = self.group_of[columns["server"][accepted]]
        cell = group * self.places + columns["level"][accepted]
        tally.joins += np.bincount(cell, minlength=tally.joins.size).reshape(tally.joins.shape)
        left = ~np.isnan(columns["departure"][accepted])
        tally.unfinished += int(np.count_nonzero(~left))
        band = self.groups.band[group[left]]
        arrival = columns["arrival"][accepted][left]
        wait = columns["start"][accepted][left] - arrival
        response = columns["departure"][accepted][left] - arrival
        tally.wait_ticks += int(ticks(wait).sum())
        tally.response_ticks += int(ticks(response).sum())
        for bins, times in ((tally.wait_bins, wait), (tally.response_bins, response)):
            assert bins is not None
            bins += np.bincount(band * N_BINS + time_bin(times), minlength=bins.size).reshape(bins.shape)

    # ---- snapshots ----

    def _replay(self, columns: Columns, until: float) -> None:
        """Apply every event before `until`, all of which are known, and take the snapshots before it.

        What happens at `until` itself waits: rows still to come may share the instant.
        """
        events = {name: np.concatenate([self.pending[name], new]) for name, new in _events(columns).items()}
        now = events["time"] < until
        self.pending = {name: values[~now] for name, values in events.items()}
        events = {name: values[now] for name, values in events.items()}
        before = self._levels_before(events)
        seen = self.window.snapshots_before(events["time"], inclusive=events["phase"] >= ARRIVAL)
        self._snapshots(int(self.window.snapshots_before(until)), seen, self.group_of[events["server"]], before, events["change"])

    def _levels_before(self, events: Columns) -> IntArray:
        """Queue length at the server of each event just before it; `queue` moves on to the last one."""
        phase, server = events["phase"], events["server"]
        in_turn = np.where(phase >= ARRIVAL, events["job"], 0)
        order = np.lexsort((phase, in_turn, phase >= ARRIVAL, events["time"], server))
        at, step = server[order], events["change"][order]
        running = np.cumsum(step)
        first = np.flatnonzero(np.concatenate([[True], at[1:] != at[:-1]])) if at.size else np.empty(0, np.int64)
        base = np.repeat(running[first] - step[first], np.diff(np.append(first, at.size)))
        after = running - base + self.queue[at]
        before: IntArray = np.empty_like(after)
        before[order] = after - step
        last = np.append(first[1:], at.size) - 1 if at.size else first
        self.queue[at[last]] = after[last]
        return before

    def _snapshots(self, last: int, seen: IntArray, group: IntArray, before: IntArray, change: IntArray) -> None:
        """Take snapshots up to `last` (exclusive), and leave `cells` as after every change."""
        width = self.places + 1
        old, new = group * width + before, group * width + before + change
        seen = np.clip(seen, self.next_snapshot, last)
        for b, tally in enumerate(self.tallies):
            begin, end = max(self.next_snapshot, int(self.first_of[b])), min(last, int(self.first_of[b + 1]))
            if begin < end:
                self._take(tally, begin, end, seen, old, new, group, before, change)
        self.cells += self._net(old, new, np.ones(seen.size))
        self.next_snapshot = max(last, self.next_snapshot)

    def _take(
        self,
        tally: Tally,
        begin: int,
        end: int,
        seen: IntArray,
        old: IntArray,
        new: IntArray,
        group: IntArray,
        before: IntArray,
        change: IntArray,
    ) -> None:
        # a change seen from snapshot i on counts in end - i of them, in all of them if it came earlier
        times_seen = np.clip(end - np.maximum(seen, begin), 0, None)
        tally.levels += self.cells * (end - begin) + self._net(old, new, times_seen)
        tally.snapshots += end - begin
        if self.observe == NOTHING:
            return
        tally.count_paths(
            self.observe,
            self.groups,
            present=self._path(begin, end, seen, change, int((self.cells @ np.arange(self.places + 1)).sum())),
            idle=self._path(begin, end, seen, _idle_change(before, change), int(self.cells[:, 0].sum())),
            idle_among=[
                self._path(
                    begin,
                    end,
                    seen,
                    np.where(self.groups.edges[group] < m, _idle_change(before, change), 0),
                    int(self.cells[self.groups.edges[:-1] < m, 0].sum()),
                )
                for m, _ in self.observe.idle_tails
            ],
        )

    def _net(self, old: IntArray, new: IntArray, weight: NDArray[Any]) -> IntArray:
        size = self.cells.size
        net = np.bincount(new, weight, minlength=size) - np.bincount(old, weight, minlength=size)
        return net.astype(np.int64).reshape(self.cells.shape)  # whole numbers below 2^53: exact

    def _path(self, begin: int, end: int, seen: IntArray, change: IntArray, initial: int) -> IntArray:
        inside = seen < end
        steps = np.bincount(np.maximum(seen[inside], begin) - begin, change[inside], minlength=end - begin)
        return initial + np.cumsum(steps).astype(np.int64)


def _idle_change(before: IntArray, change: IntArray) -> IntArray:
    return np.where((before == 0) & (change > 0), -1, 0) + np.where((before == 1) & (change < 0), 1, 0)


# What may happen at one instant, in this order; arrivals and what leaves at once go job by job.
PRESENT, DEPARTURE, ARRIVAL, AT_ONCE = range(4)


def _events(columns: Columns) -> Columns:
    """Two events a job that was accepted: it joins, and it leaves (at infinity if it has not)."""
    joined = columns["server"] >= 0
    server, job, arrival = columns["server"][joined], columns["job"][joined], columns["arrival"][joined]
    departure = np.nan_to_num(columns["departure"][joined], nan=np.inf)
    initial = job < 0  # present at time 0: these did not arrive then, so a snapshot at time 0 sees them
    at_once = (departure == arrival) & ~initial  # size 0 at an idle server
    return {
        "time": np.concatenate([arrival, departure]),
        "server": np.concatenate([server, server]),
        "job": np.concatenate([job, job]),
        "phase": np.concatenate([np.where(initial, PRESENT, ARRIVAL), np.where(at_once, AT_ONCE, DEPARTURE)]),
        "change": np.repeat(np.array([1, -1]), job.size),
    }


def _no_rows() -> Columns:
    none = np.empty(0, np.int64)
    return {"job": none, "server": none, "arrival": np.empty(0), "departure": np.empty(0)}
