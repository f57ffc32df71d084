"""The reference model: JFSQ as SimPy processes, written to be read. Section 2 of the paper, line by line.

In    a System, a seed, a replication number and a Window
Out   an Outcome (tallies); every job's record goes to the sink it is handed
Rule  a job leaving at time t is already gone for a job arriving at t: arrivals are scheduled at a
      priority after SimPy's NORMAL
Time  in mean service times of a rate-1 server
Cost  O(log N) a job

The pieces alone make a runnable model: two servers, three places each, nine jobs.

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

from collections.abc import Callable, Generator, Iterable, Sequence
from copy import deepcopy
from typing import Any

import simpy
from sortedcontainers import SortedList

from jfsq_simpy.draws import JobDraws, Seed
from jfsq_simpy.jobs.central import CentralQueue
from jfsq_simpy.jobs.job import Job, arriving_jobs, initial_jobs
from jfsq_simpy.jobs.records import JobRecorder, Sink
from jfsq_simpy.jobs.server import Arrival, Server
from jfsq_simpy.policies import AskAll, OneQueue, Sight
from jfsq_simpy.policies.policy import choose_among
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Observables, Outcome, Window


class Dispatcher:
    """Routes each arriving job by the policy: for JFSQ a shortest queue, of these a fastest, ties uniform."""

    def __init__(self, env: simpy.Environment, system: System, servers: list[Server]) -> None:
        self.env, self.policy = env, deepcopy(system.policy)  # a rule of the user's own may keep notes: each run its own
        self.servers: Sequence[Server] = servers
        self.sight = Sight(system.rates, system.places, servers)
        self.on_departure: Callable[[Job], None] = lambda job: None
        # key[n][q] = (rank, n) places server n at queue length q; for JFSQ ranks order as (q, -mu_n) does
        rank = system.policy.rank_table(system.rates, system.places).tolist()
        classes = system.rates.class_of_server().tolist()
        self.key: list[list[tuple[int, int]]] = [[(r, n) for r in rank[c]] for n, c in enumerate(classes)]
        self.order = SortedList(self.key[s.index][s.queue_length] for s in servers)
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
        key = self.key[server.index]
        self.order.remove(key[server.queue_length])
        server.queue_length += jobs
        self.order.add(key[server.queue_length])

    def choose(self, job: Job) -> Server:
        chosen: int
        if not isinstance(self.policy.query, AskAll) or self.policy.ties == "rate":
            return self.servers[choose_among(self.policy, self.rank_now, self.sight.at(self.env.now, job))]
        best, chosen = self.order[0]
        if self.policy.ties == "uniform" and len(self.order) > 1 and self.order[1][0] == best:
            tied = self.order.bisect_left((best + 1,))  # this many servers share the best rank, in order of index
            _, chosen = self.order[int(job.tie * tied)]
        return self.servers[chosen]

    def rank_now(self, n: int) -> int:
        return self.key[n][self.servers[n].queue_length][0]


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
    """One replication, until every job of the window has left or `window.drain` has passed."""
    env, draws = simpy.Environment(), JobDraws(system, seed, replication)
    servers = [Server(env, n, rate, system.places) for n, rate in enumerate(system.rates.vector().tolist())]
    recorder = JobRecorder(system, window, observe, sink)
    dispatcher: Dispatcher | CentralQueue
    if isinstance(system.policy.query, OneQueue):
        dispatcher = CentralQueue(env, system, servers, recorder)
    else:
        dispatcher = Dispatcher(env, system, servers)
    dispatcher.on_departure = recorder.left
    for server, job in zip(servers, initial_jobs(draws, system.n2.floor if start == "busy" else 0), strict=False):
        dispatcher.send(job, server)
        recorder.present[job.id] = job
    env.process(dispatcher.run(recorder.watch(arriving_jobs(draws))))
    env.run(until=window.end)
    while recorder.present and env.peek() <= window.end + window.drain:
        env.step()
    return recorder.outcome()


def supports(system: System) -> str | None:
    """Why this engine cannot run a system, in one line; None: it runs every one."""
    return None
