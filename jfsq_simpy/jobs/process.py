"""The reference model: JFSQ as SimPy processes, written to be read beside section 2 of the paper.

In    a System, a seed, a replication number and a Window
Out   an Outcome (tallies); every job's record goes to the sink it is handed
Rule  a job leaving at time t is already gone for a job arriving at t. SimPy runs the events of one instant in
      the order they were scheduled, so an arrival scheduled before that departure would find the server busy
Cost  O(log N) a job; times are in mean service times of a rate-1 server

The pieces alone make a runnable model: two servers with b = 3 places (one in service, two waiting), six jobs.

>>> from jfsq_simpy import System
>>> system = System(rates=[1.5, 0.5], load=1.0, places=3)     # the jobs below bring their own gaps
>>> env = simpy.Environment()
>>> servers = [Server(env, n, rate, system.places) for n, rate in enumerate(system.rates.vector().tolist())]
>>> jobs = [Job(k, gap=0.5, size=1.0, tie=0.5) for k in range(6)]     # for uniform ties draw tie in [0, 1)
>>> _ = env.process(Dispatcher(env, system, servers).run(jobs))
>>> env.run()
>>> [(job.server, round(job.start - job.arrival, 3)) for job in jobs]     # a blocked job has server -1
[(0, 0.0), (1, 0.0), (0, 0.0), (0, 0.167), (0, 0.333), (1, 0.0)]
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from copy import deepcopy
from importlib import import_module
from typing import Any

import simpy
from sortedcontainers import SortedList

from jfsq_simpy.draws import JobDraws, Seed
from jfsq_simpy.jobs.job import Job, arriving_jobs, initial_jobs
from jfsq_simpy.jobs.records import JobRecorder
from jfsq_simpy.policies import AskAll, Sight, choose_among
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Observables, Outcome, Window


class Arrival(simpy.Event):
    """Like a timeout, but after every departure of its instant: SimPy's URGENT is 0, NORMAL 1, lower goes first."""

    def __init__(self, env: simpy.Environment, delay: float, priority: Any = 2) -> None:
        self.env, self.callbacks, self._ok, self._value = env, [], True, None
        env.schedule(self, priority, delay)


class Server:
    """Server n: a FIFO buffer of b - 1 places, and a process that serves one job at a time at rate mu_n."""

    def __init__(self, env: simpy.Environment, index: int, rate: float, places: int) -> None:
        self.env, self.index, self.rate, self.places = env, index, rate, places
        self.queue_length = 0  # Q_n: counts the job in service; kept by the dispatcher
        self.free_at = 0.0  # when the last job taken leaves; seen only by dispatchers that know sizes
        self.buffer = simpy.Store(env, capacity=max(places - 1, 1))  # SimPy refuses 0; for b = 1 it stays empty
        self.on_departure: Callable[[Server, Job], None] = lambda server, job: None
        self.process = env.process(self.serve())

    def accept(self, job: Job) -> None:
        job.server, self.free_at = self.index, max(self.env.now, self.free_at) + job.size / self.rate
        self.buffer.put(job)  # an idle server takes it out again at once

    def serve(self) -> Generator[simpy.Event, Any, None]:
        while True:
            job = yield self.buffer.get()
            job.start = self.env.now
            yield self.env.timeout(job.size / self.rate)
            job.departure = self.env.now
            self.on_departure(self, job)


class Dispatcher:
    """Routes each arriving job by the policy: for JFSQ a shortest queue, of these a fastest, ties uniform."""

    def __init__(self, env: simpy.Environment, system: System, servers: list[Server]) -> None:
        self.env, self.policy, self.servers = env, deepcopy(system.policy), servers  # a rule may keep notes: its own
        self.sight = Sight(system.rates, system.places, servers)  # for rules that look at more than queue lengths
        self.on_departure: Callable[[Job], None] = lambda job: None  # for whoever keeps records
        # Ranks order servers as (queue length, -rate) for JFSQ: [[0, 2, 4], [1, 3, 4]] for rates (1.5, 0.5), b = 2.
        rank, classes = system.policy.rank_table(system.rates, system.places).tolist(), system.rates.class_of_server().tolist()
        self.key: list[list[tuple[int, int]]] = [[(r, n) for r in rank[c]] for n, c in enumerate(classes)]
        self.order = SortedList(self.key[n][s.queue_length] for n, s in enumerate(servers))  # best first; ties by index
        for server in servers:
            server.on_departure = self.depart

    def run(self, jobs: Iterable[Job]) -> Generator[simpy.Event, Any, None]:
        for job in jobs:
            yield Arrival(self.env, job.gap)
            self.route(job)

    def route(self, job: Job) -> None:
        server = self.choose(job)
        job.arrival, job.level = self.env.now, server.queue_length
        if server.queue_length < server.places:  # else all b places are taken: the job is blocked
            self.send(job, server)

    def send(self, job: Job, server: Server) -> None:
        self.change(server, +1)
        server.accept(job)

    def depart(self, server: Server, job: Job) -> None:
        self.change(server, -1)
        self.on_departure(job)

    def change(self, server: Server, jobs: int) -> None:
        key = self.key[server.index]  # Q_n and the server's place in the order change together
        self.order.remove(key[server.queue_length])
        server.queue_length += jobs
        self.order.add(key[server.queue_length])

    def choose(self, job: Job) -> Server:
        chosen: int
        if not isinstance(self.policy.query, AskAll) or self.policy.ties == "rate":  # neither JFSQ nor JSQ
            return self.servers[choose_among(self.policy, self.rank_now, self.sight.at(self.env.now, job))]
        best, chosen = self.order[0]
        if self.policy.ties == "uniform" and len(self.order) > 1 and self.order[1][0] == best:
            tied = self.order.bisect_left((best + 1,))  # so many servers have rank `best`, and come first, by index
            _, chosen = self.order[int(job.tie * tied)]
        return self.servers[chosen]

    def rank_now(self, n: int) -> int:
        return self.key[n][self.servers[n].queue_length][0]


def run(
    system: System,
    seed: Seed,
    replication: int,
    window: Window,
    observe: Observables = NOTHING,
    start: str = "empty",
    sink: Any = None,
) -> Outcome:
    """One replication, until every job of the window has left or `window.drain` has passed; see `simulate`."""
    env, draws = simpy.Environment(), JobDraws(system, seed, replication)  # gaps exponential of rate lambda N, sizes
    recorder = JobRecorder(system, window, observe, sink)
    servers, dispatcher = import_module("jfsq_simpy.jobs.models").model_of(env, system, draws, recorder)  # of the parts above
    dispatcher.on_departure = recorder.left
    for server, job in zip(servers, initial_jobs(draws, system.n2.floor if start == "busy" else 0), strict=False):
        dispatcher.send(job, server)
        recorder.present[job.id] = job
    env.process(dispatcher.run(recorder.watch(arriving_jobs(draws))))
    env.run(until=window.end)
    while recorder.present and env.peek() <= window.end + window.drain:  # jobs of the window still here, nobody new
        env.step()
    return recorder.outcome()
