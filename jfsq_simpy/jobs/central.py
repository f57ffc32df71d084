"""One queue before all servers, fastest server first, as SimPy has it: what dispatchers are measured against.

In    jobs as they come, the servers
Out   jobs served; their records and counts
Rule  a job that finds servers idle takes the fastest of them (ties uniform); else it waits in the one queue,
      which has room for N (b - 1), and the server that is free first takes the first in it. Nobody changes
      servers once started
Cost  O(log N) a job, O(groups x places) a snapshot

Waiting jobs belong to no server, but records and counts speak of servers and levels. So the waiting jobs
are *seated*: number w of them (from 0) at server w mod N, on level 1 + w // N, as if they kept the queues
as even as can be, the fastest longest. Jobs that wait, servers that are idle or busy and jobs present are
then what they are; which server a waiting job is seated at means nothing. In a job's record `level` is 0 if
it started at once, else its seat's, and `server` is the one that served it (its seat's, as long as none has).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any

import numpy as np
import simpy
from sortedcontainers import SortedList

from jfsq_simpy.jobs.counting import Columns, JobCounter
from jfsq_simpy.jobs.job import Job
from jfsq_simpy.jobs.process import Arrival, Server
from jfsq_simpy.jobs.records import JobRecorder
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, SNAPSHOTS_PER_UNIT, Observables, Window


class CentralQueue:
    """Hands the first waiting job to the first free server: a dispatcher that may wait with its choice."""

    def __init__(self, env: simpy.Environment, system: System, servers: list[Server], recorder: JobRecorder) -> None:
        self.env, self.servers = env, servers
        self.waiting: deque[Job] = deque()
        self.room = system.n_servers * (system.places - 1)
        self.speed_class = system.rates.class_of_server().tolist()
        self.idle = SortedList((self.speed_class[s.index], s.index) for s in servers)
        self.seats = recorder.counter = SeatCounter(system, recorder.counter.window, recorder.counter.observe)
        self.places = system.places
        self.on_departure: Callable[[Job], None] = lambda job: None
        for server in servers:
            server.on_departure = self.depart

    def run(self, jobs: Iterable[Job]) -> Generator[simpy.Event, Any, None]:
        for job in jobs:
            yield Arrival(self.env, job.gap)
            self.route(job)

    def route(self, job: Job) -> None:
        job.arrival = self.env.now
        self.seats.see_until(self.env.now, inclusive=True)  # snapshots come before arrivals
        if self.idle:
            fastest, _ = self.idle[0]
            tied = self.idle.bisect_left((fastest + 1,))  # this many idle servers are as fast, in order of index
            _, n = self.idle[int(job.tie * tied)]
            self.send(job, self.servers[n])
        elif len(self.waiting) < self.room:
            level, job.server = divmod(len(self.waiting), len(self.servers))
            job.level = 1 + level
            self.seats.change(job.server, +1)
            self.waiting.append(job)
        else:
            job.level = self.places

    def send(self, job: Job, server: Server) -> None:
        """Start a job at an idle server."""
        self.idle.remove((self.speed_class[server.index], server.index))
        self.seats.change(server.index, +1)
        self.serve(job, server)

    def serve(self, job: Job, server: Server) -> None:
        server.queue_length = 1
        server.accept(job)

    def depart(self, server: Server, job: Job) -> None:
        self.seats.see_until(self.env.now, inclusive=False)  # snapshots come after departures
        server.queue_length = 0
        if self.waiting:
            self.serve(self.waiting.popleft(), server)
            self.seats.change(len(self.waiting) % len(self.servers), -1)  # the last seat is given up
        else:
            self.idle.add((self.speed_class[server.index], server.index))
            self.seats.change(server.index, -1)
        self.on_departure(job)


class SeatCounter(JobCounter):
    """Counts jobs from their records, and snapshots as they come: who is seated where is in no record."""

    def __init__(self, system: System, window: Window, observe: Observables) -> None:
        super().__init__(system, window, observe)
        self.level, self.group = self.queue.tolist(), self.group_of.tolist()
        self.next_time = self._time_of_next()

    def change(self, server: int, jobs: int) -> None:
        """A server's level goes up or down by one."""
        group, level = self.group[server], self.level[server]
        self.cells[group, level] -= 1
        self.cells[group, level + jobs] += 1
        self.level[server] += jobs

    def see_until(self, time: float, inclusive: bool) -> None:
        """Take the snapshots before `time`, or up to it, of the servers as they are."""
        while self.next_time < time or (inclusive and self.next_time == time):
            batch = int(np.searchsorted(self.first_of, self.next_snapshot, side="right")) - 1
            tally = self.tallies[batch]
            if self.observe == NOTHING:  # then `Tally.observe` does no more than this
                tally.levels += self.cells
                tally.snapshots += 1
            else:
                tally.observe(self.observe, self.groups, self.cells)
            self.next_snapshot += 1
            self.next_time = self._time_of_next()

    def _time_of_next(self) -> float:
        """Infinite when all have been taken."""
        time = self.window.warmup + self.next_snapshot / SNAPSHOTS_PER_UNIT
        return time if self.next_snapshot < self.first_of[-1] else math.inf

    def _replay(self, columns: Columns, until: float) -> None:
        """Nothing is rebuilt from records; at the end the last snapshots are taken."""
        if until == math.inf:
            self.see_until(until, inclusive=False)
