"""Which parts a system's SimPy model is made of: `process` has the plain ones, other modules what takes their place.

In    a System, a replication's draws and its recorder
Out   servers, and who hands them their jobs
Rule  a variant replaces one part and leaves the others as they are, so each can be read beside `process` alone
Cost  that of the parts
"""

from __future__ import annotations

from typing import Any

import simpy

from jfsq_simpy.draws import JobDraws
from jfsq_simpy.jobs import process
from jfsq_simpy.jobs.believing import Believer
from jfsq_simpy.jobs.central import CentralQueue
from jfsq_simpy.jobs.dispatchers import Dispatchers
from jfsq_simpy.jobs.failing import FailingServer, Lookout
from jfsq_simpy.jobs.records import JobRecorder
from jfsq_simpy.policies import OneQueue
from jfsq_simpy.system import System


def model_of(env: simpy.Environment, system: System, draws: JobDraws, recorder: JobRecorder) -> tuple[list[Any], Any]:
    """Servers, fastest first, and a dispatcher with `run`, `send` and `on_departure`."""
    servers = servers_of(env, system, draws)
    return servers, dispatcher_of(env, system, servers, draws, recorder)


def servers_of(env: simpy.Environment, system: System, draws: JobDraws) -> list[Any]:
    """Servers that never fail, or such as do."""
    speeds, places = enumerate(system.rates.vector().tolist()), system.places
    if system.breakdowns is None:
        return [process.Server(env, n, rate, places) for n, rate in speeds]
    return [FailingServer(env, n, rate, places, draws.spells(n)) for n, rate in speeds]


def dispatcher_of(env: simpy.Environment, system: System, servers: list[Any], draws: JobDraws, recorder: JobRecorder) -> Any:
    """Who chooses a server for each job."""
    if isinstance(system.policy.query, OneQueue):  # nobody dispatches
        return CentralQueue(env, system, servers, recorder)
    kind = process.Dispatcher if system.knowledge.true_queues else Dispatchers
    dispatcher = kind(env, system, servers)
    if system.knowledge.speeds is not None:
        Believer(env, system, dispatcher, draws.beliefs())
    if system.breakdowns is not None and system.breakdowns.seen:
        Lookout(dispatcher, system, servers)
    return dispatcher
