"""A server, and an arrival, as SimPy has them: the parts every dispatcher works with.

In    jobs, put into a server's buffer
Out   each job's start and departure; a call when it leaves
Rule  a job leaving at time t is already gone for a job arriving at t: arrivals are scheduled at a
      priority after SimPy's NORMAL
Time  in mean service times of a rate-1 server
Cost  three SimPy events a job
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import simpy

from jfsq_simpy.jobs.job import Job

AFTER_DEPARTURES: Any = 2  # SimPy runs lower priorities first at one instant: URGENT is 0, NORMAL is 1


class Arrival(simpy.Event):
    """Like a timeout, but after every departure of its instant."""

    def __init__(self, env: simpy.Environment, delay: float) -> None:
        self.env, self.callbacks, self._ok, self._value = env, [], True, None
        env.schedule(self, AFTER_DEPARTURES, delay)


class Server:
    """Server n: a FIFO buffer of b - 1 places, and a process that serves one job at a time at rate mu_n."""

    def __init__(self, env: simpy.Environment, index: int, rate: float, places: int) -> None:
        self.env, self.index, self.rate, self.places = env, index, rate, places
        self.queue_length = 0  # Q_n: counts the job in service
        self.free_at = 0.0  # when the last job accepted leaves; seen only by dispatchers that know sizes
        self.buffer = simpy.Store(env, capacity=max(places - 1, 1))  # SimPy refuses 0; see `accept`
        self.on_departure: Callable[[Server, Job], None] = lambda server, job: None
        env.process(self.serve())

    def accept(self, job: Job) -> None:
        """Take a job for which there is a place. With b = 1 only an idle server has one, and serves it at once."""
        job.server = self.index
        self.free_at = max(self.env.now, self.free_at) + job.size / self.rate
        self.buffer.put(job)

    def serve(self) -> Generator[simpy.Event, Any, None]:
        while True:
            job = yield self.buffer.get()
            job.start = self.env.now
            yield self.env.timeout(job.size / self.rate)
            job.departure = self.env.now
            self.on_departure(self, job)
