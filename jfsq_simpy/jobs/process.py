"""The reference model: JFSQ as SimPy processes, written to be read. Section 2 of the paper, line by line.

In    a System, a seed, a replication number and a Window
Out   an Outcome (tallies); every job's record goes to the sink it is handed
Rule  a job leaving at time t is already gone for a job arriving at t: arrivals are scheduled at a
      priority after SimPy's NORMAL
Time  in mean service times of a rate-1 server
Cost  O(log N) a job

The pieces alone make a runnable model: two servers, three places each, nine jobs:

>>> import simpy
>>> from jfsq_simpy import System
>>> system = System(rates=[1.5, 0.5], load=0.9, places=3)
>>> env = simpy.Environment()
>>> servers = [Server(env, n, rate, system.places) for n, rate in enumerate(system.rates.vector().tolist())]
>>> jobs = [Job(k, gap=0.5, size=1.0, tie=0.5) for k in range(9)]
>>> _ = env.process(Dispatcher(env, system, servers).run(jobs))
>>> env.run()
>>> [(job.server, round(job.start - job.arrival, 3)) for job in jobs[:5]]
[(0, 0.0), (1, 0.0), (0, 0.0), (0, 0.167), (0, 0.333)]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy
from sortedcontainers import SortedList

from jfsq_simpy.draws import JobDraws, Seed
from jfsq_simpy.jobs.records import JobRecorder, Sink
from jfsq_simpy.policies.policy import AskAll, asked, break_tie
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Observables, Outcome, Window

AFTER_DEPARTURES = 2  # SimPy runs lower priorities first at one instant: URGENT is 0, NORMAL is 1
BLOCKED = -1


@dataclass(slots=True, eq=False)
class Job:
    """One job: what it draws, and what happens to it."""

    id: int
    gap: float  # time since the arrival before
    size: float  # service requirement, mean 1
    tie: float  # in [0, 1): decides among equally good servers
    samples: tuple[float, ...] = ()  # in [0, 1): whom a sampling policy asks
    arrival: float = math.nan
    server: int = BLOCKED
    level: int = 0  # jobs found at the server
    start: float = math.nan
    departure: float = math.nan


class Arrival(simpy.Event):
    """Like a timeout, but after every departure of its instant."""

    def __init__(self, env: simpy.Environment, delay: float) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, AFTER_DEPARTURES, delay)  # type: ignore[arg-type]  # any int orders


class Server:
    """Server n: a FIFO buffer of b - 1 places, and a process that serves one job at a time at rate mu_n."""

    def __init__(self, env: simpy.Environment, index: int, rate: float, places: int) -> None:
        self.env, self.index, self.rate, self.places = env, index, rate, places
        self.queue_length = 0  # Q_n: counts the job in service
        self.buffer = simpy.Store(env, capacity=max(places - 1, 1))  # SimPy refuses 0; see Dispatcher.route
        self.on_departure: Callable[[Server, Job], None] = lambda server, job: None
        env.process(self.serve())

    def serve(self) -> Generator[simpy.Event, Any, None]:
        while True:
            job: Job = yield self.buffer.get()
            job.start = self.env.now
            yield self.env.timeout(job.size / self.rate)
            job.departure = self.env.now
            self.on_departure(self, job)


class Dispatcher:
    """Routes each arriving job by the policy: for JFSQ a shortest queue, of these a fastest, ties uniform."""

    def __init__(self, env: simpy.Environment, system: System, servers: list[Server]) -> None:
        self.env, self.policy = env, system.policy
        self.servers: list[Server] = servers
        self.rates = system.rates.vector()
        # rank[q] orders a server's preference at queue length q; for JFSQ as (q, -mu_n) would
        by_class = system.policy.rank_table(system.rates, system.places).tolist()
        self.rank = [by_class[c] for c in system.rates.class_of_server()]
        self.order = SortedList((self.rank[s.index][s.queue_length], s.index) for s in servers)
        self.departed: Callable[[Job], None] = lambda job: None
        for server in servers:
            server.on_departure = self.depart

    def run(self, jobs: Iterable[Job]) -> Generator[simpy.Event, Any, None]:
        for job in jobs:
            yield Arrival(self.env, job.gap)
            job.arrival = self.env.now
            self.route(job)

    def route(self, job: Job) -> None:
        server = self.choose(job)
        job.level = server.queue_length
        if server.queue_length == server.places:  # all b places taken: the job is blocked
            return
        job.server = server.index
        self.change(server, +1)
        server.buffer.put(job)  # for b = 1 only an idle server gets here, and takes the job at once

    def depart(self, server: Server, job: Job) -> None:
        self.change(server, -1)
        self.departed(job)

    def change(self, server: Server, jobs: int) -> None:
        rank = self.rank[server.index]
        self.order.remove((rank[server.queue_length], server.index))
        server.queue_length += jobs
        self.order.add((rank[server.queue_length], server.index))

    def choose(self, job: Job) -> Server:
        if not isinstance(self.policy.query, AskAll):
            return self.choose_among(asked(self.policy.query, len(self.servers), np.array(job.samples)), job)
        best, fastest = self.order[0]
        if self.policy.ties == "index":
            return self.servers[fastest]
        tied = self.order.bisect_left((best + 1,))  # how many servers share the best rank
        if self.policy.ties == "uniform":
            return self.servers[self.order[int(job.tie * tied)][1]]
        return self.choose_among(np.array([n for _, n in self.order[:tied]]), job)

    def choose_among(self, candidates: Any, job: Job) -> Server:
        ranks = np.array([self.rank[n][self.servers[n].queue_length] for n in candidates])
        return self.servers[break_tie(self.policy.ties, candidates[ranks == ranks.min()], self.rates, job.tie)]


@dataclass
class Model:
    """The whole system in one SimPy environment."""

    system: System
    env: simpy.Environment = field(default_factory=simpy.Environment)

    def __post_init__(self) -> None:
        rates = self.system.rates.vector().tolist()
        self.servers = [Server(self.env, n, rate, self.system.places) for n, rate in enumerate(rates)]
        self.dispatcher = Dispatcher(self.env, self.system, self.servers)

    def put_initial(self, sizes: Iterable[float]) -> Iterator[Job]:
        """Jobs -1, -2, ... present at time 0, one at each of the fastest servers."""
        for n, size in enumerate(sizes):
            job = Job(-1 - n, gap=0.0, size=size, tie=0.0, arrival=0.0, server=n)
            self.dispatcher.change(self.servers[n], +1)
            self.servers[n].buffer.put(job)
            yield job


def run(
    system: System,
    seed: Seed,
    replication: int,
    window: Window,
    *,
    observe: Observables = NOTHING,
    start: str = "empty",
    sink: Sink | None = None,
) -> Outcome:
    """One replication. Arrivals go on until every job of the window has left, or for `window.drain`."""
    model, draws = Model(system), JobDraws(system, seed, replication)
    recorder = JobRecorder(system, window, observe, sink)
    model.dispatcher.departed = recorder.left
    for job in model.put_initial(draws.initial_sizes(system.n2.floor if start == "busy" else 0)):
        recorder.came(job)
    model.env.process(model.dispatcher.run(recorder.watch(_jobs(draws))))
    model.env.run(until=window.end)
    while recorder.waiting_for and model.env.peek() <= window.end + window.drain:
        model.env.step()
    return recorder.outcome()


def supports(system: System) -> str | None:
    """Why this engine cannot run a system; it runs every one."""
    return None


def _jobs(draws: JobDraws) -> Iterator[Job]:
    for block in draws.blocks():
        samples = map(tuple, block.samples.tolist())
        rows = zip(block.gaps.tolist(), block.sizes.tolist(), block.ties.tolist(), samples, strict=True)
        for k, (gap, size, tie, sample) in enumerate(rows, start=block.first):
            if gap == math.inf:  # a recorded stream has ended
                return
            yield Job(k, gap, size, tie, sample)
