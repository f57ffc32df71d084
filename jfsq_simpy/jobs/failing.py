"""Servers that fail and are repaired, as SimPy has it: one process interrupts another.

In    jobs as they come; times up and down, one after another
Out   the same jobs, served while their server is up
Rule  a job whose server fails stays and goes on where it stopped, and the buffer keeps its jobs. At one
      instant: departures, then failures and repairs, then arrivals, each seeing those before it
Cost  two events a failure, O(log N) more each where the dispatcher sees it

A job starts when it has its server to itself, up or down: `start` is when the job before it left, or its
arrival if there was none. So a wait is for other jobs, and departure - start is the time at the server,
repairs included (queueing theory calls it a completion time: Gaver 1962; Avi-Itzhak & Naor 1963).

A server that is up for 2 units, then down for 1, and again; a job of size 3:

>>> from itertools import repeat
>>> from jfsq_simpy.jobs.job import Job
>>> env = simpy.Environment()
>>> server = FailingServer(env, 0, rate=1.0, places=2, spells=repeat((2.0, 1.0)))
>>> job = Job(0, gap=0.0, size=3.0, tie=0.0)
>>> server.accept(job)
>>> env.run(until=10)
>>> job.start, job.departure
(0, 4.0)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

import simpy
from sortedcontainers import SortedList

from jfsq_simpy.jobs.process import Arrival, Dispatcher, Server
from jfsq_simpy.system import System

Key = list[tuple[int, int]]


class Change(Arrival):
    """A failure or a repair: after every departure of its instant, before every arrival."""

    def __init__(self, env: simpy.Environment, delay: float) -> None:
        super().__init__(env, delay, priority=1.5)


class FailingServer(Server):
    """A server of which a second process now and then interrupts the first."""

    def __init__(self, env: simpy.Environment, index: int, rate: float, places: int, spells: Iterable[tuple[float, float]]) -> None:
        super().__init__(env, index, rate, places)
        self.down = False
        self.left = 0.0  # of the job in service: how long the server must still be up, as of the last start or failure
        self.working = False
        self.repaired = env.event()
        self.on_change: Callable[[FailingServer], None] = lambda server: None
        env.process(self.fail(spells))

    def serve(self) -> Generator[simpy.Event, Any, None]:
        while True:
            job = yield self.buffer.get()
            job.start, self.left = self.env.now, job.size / self.rate
            yield from self.work()
            job.departure = self.env.now
            self.on_departure(self, job)

    def work(self) -> Generator[simpy.Event, Any, None]:
        """Be up until nothing is left of the job."""
        while True:
            if self.down:
                yield self.repaired
            begun, self.working = self.env.now, True
            try:
                yield self.env.timeout(self.left)
                self.working = False
                return
            except simpy.Interrupt:
                self.left -= self.env.now - begun  # never below 0: the timeout would have come first

    def fail(self, spells: Iterable[tuple[float, float]]) -> Generator[simpy.Event, Any, None]:
        for up, down in spells:
            yield Change(self.env, up)
            self.down = True
            if self.working:
                self.working = False
                self.process.interrupt()
            self.on_change(self)
            yield Change(self.env, down)
            self.down = False
            if self.queue_length:  # whoever knows sizes reckons anew
                self.free_at = self.env.now + self.left + sum(job.size for job in self.buffer.items) / self.rate
            self.repaired.succeed()
            self.repaired = self.env.event()
            self.on_change(self)


class Lookout:
    """Tells a dispatcher who is down: such servers come after those that are up, and look full to who looks closely."""

    def __init__(self, dispatcher: Dispatcher, system: System, servers: list[FailingServer]) -> None:
        self.dispatcher = dispatcher
        behind = 1 + max(rank for key in dispatcher.key for rank, _ in key)
        full = system.places if system.policy.full_last else system.places + 1  # from this level on, all come last
        last = 2 * behind
        self.up: list[Key] = [[(r if q < full else last, n) for q, (r, n) in enumerate(key)] for key in dispatcher.key]
        self.down: list[Key] = [[(r + behind if q < full else last, n) for q, (r, n) in enumerate(key)] for key in dispatcher.key]
        dispatcher.key = list(self.up)
        dispatcher.order = SortedList(dispatcher.key[s.index][s.queue_length] for s in servers)
        dispatcher.sight.servers = [Shown(s) for s in servers]
        for server in servers:
            server.on_change = self.change

    def change(self, server: FailingServer) -> None:
        order, key, n = self.dispatcher.order, self.dispatcher.key, server.index
        order.remove(key[n][server.queue_length])
        key[n] = (self.down if server.down else self.up)[n]
        order.add(key[n][server.queue_length])


class Shown:
    """A server as rules see it that look at servers: full while it is down."""

    def __init__(self, server: FailingServer) -> None:
        self.server = server

    @property
    def queue_length(self) -> int:
        return self.server.places if self.server.down else self.server.queue_length

    @property
    def free_at(self) -> float:
        return self.server.free_at
