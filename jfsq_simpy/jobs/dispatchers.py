"""Dispatchers who do not know all queues as they are: `process` with several of them, each going by its board.

In    jobs as they come, each to one of the dispatchers
Out   jobs routed by what the boards show, right or wrong
Rule  the board decides where a job goes, the server decides whether it is taken: a truly full one blocks it,
      and the dispatcher is none the wiser
Cost  O(servers asked) a job, and that of the boards
"""

from __future__ import annotations

from copy import deepcopy

import simpy

from jfsq_simpy.jobs.boards import boards_of
from jfsq_simpy.jobs.job import Job
from jfsq_simpy.jobs.process import Dispatcher, Server
from jfsq_simpy.policies import Sight, choose_among
from jfsq_simpy.system import System


class Dispatchers(Dispatcher):
    """Routes each job by the policy, applied to the board of the dispatcher it came to."""

    def __init__(self, env: simpy.Environment, system: System, servers: list[Server]) -> None:
        super().__init__(env, system, servers)
        known = system.knowledge
        self.boards = boards_of(known, servers, system.places)
        everyone = range(known.dispatchers)
        self.policies = [deepcopy(system.policy) for _ in everyone]  # a rule may keep notes: to each its own
        self.sights = [Sight(system.rates, system.places, self.boards.of(m)) for m in everyone]

    def route(self, job: Job) -> None:
        self.boards.catch_up(self.env.now, arriving=True)
        super().route(job)

    def choose(self, job: Job) -> Server:
        board = self.boards.of(job.dispatcher)

        def rank(n: int) -> int:
            return self.key[n][board[n].queue_length][0]

        sight = self.sights[job.dispatcher].at(self.env.now, job)
        return self.servers[choose_among(self.policies[job.dispatcher], rank, sight)]

    def send(self, job: Job, server: Server) -> None:
        super().send(job, server)
        tell = self.boards.sent if job.id >= 0 else self.boards.present
        tell(server.index, job.dispatcher)

    def depart(self, server: Server, job: Job) -> None:
        self.boards.catch_up(self.env.now, arriving=False)
        super().depart(server, job)
        self.boards.left(server.index, job.dispatcher)

    def change(self, server: Server, jobs: int) -> None:
        server.queue_length += jobs  # nobody looks at the servers in order
