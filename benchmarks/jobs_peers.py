"""The same system as other tools write it: textbook SimPy, SimPy with a sorted list, Ciw.

In    a System with the policy JFSQ, how many jobs, a seed
Out   the jobs' waits (nan: blocked), in the order of arrival or of departure
Rule  each as its own documentation would have it: an honest program of a page, not a straw man; all
      record every job's wait
Cost  10 to 10,000 microseconds a job: that is what the benchmark is about
"""

from __future__ import annotations

import math
import random

import ciw
import numpy as np
import simpy
from sortedcontainers import SortedList

from jfsq_simpy import System
from jfsq_simpy.rates import FloatArray


def textbook_simpy(system: System, jobs: int, seed: int) -> FloatArray:
    """A Resource for each server; each job looks at all of them."""
    env, rng, waits = simpy.Environment(), random.Random(seed), [math.nan] * jobs
    rates = system.rates.vector().tolist()
    servers = [simpy.Resource(env, capacity=1) for _ in rates]

    def present(n: int) -> int:
        return servers[n].count + len(servers[n].queue)

    def job(k: int, n: int):
        arrival = env.now
        with servers[n].request() as turn:
            yield turn
            waits[k] = env.now - arrival
            yield env.timeout(rng.expovariate(rates[n]))

    def source():
        for k in range(jobs):
            yield env.timeout(rng.expovariate(system.arrival_rate))
            n = min(range(len(servers)), key=lambda n: (present(n), -rates[n]))
            if present(n) < system.places:
                env.process(job(k, n))

    env.process(source())
    env.run()
    return np.array(waits)


def sorted_list_simpy(system: System, jobs: int, seed: int) -> FloatArray:
    """The same with the servers kept in a sorted list, so that a choice takes O(log N)."""
    env, rng, waits = simpy.Environment(), random.Random(seed), [math.nan] * jobs
    rates = system.rates.vector().tolist()
    servers = [simpy.Resource(env, capacity=1) for _ in rates]
    queue = [0] * len(rates)
    order = SortedList((0, -rate, n) for n, rate in enumerate(rates))

    def change(n: int, by: int) -> None:
        order.remove((queue[n], -rates[n], n))
        queue[n] += by
        order.add((queue[n], -rates[n], n))

    def job(k: int, n: int):
        arrival = env.now
        with servers[n].request() as turn:
            yield turn
            waits[k] = env.now - arrival
            yield env.timeout(rng.expovariate(rates[n]))
        change(n, -1)

    def source():
        for k in range(jobs):
            yield env.timeout(rng.expovariate(system.arrival_rate))
            length, _, n = order[0]
            if length < system.places:
                change(n, +1)
                env.process(job(k, n))

    env.process(source())
    env.run()
    return np.array(waits)


def ciw_load_balancing(system: System, jobs: int, seed: int) -> FloatArray:
    """Ciw's load-balancing router over one node a server, ties in order (fastest first): JFSQ.

    Ciw blocks where the model here turns away, so its buffers are unlimited; at the benchmark's loads
    no job ever finds a full server.
    """
    rates = system.rates.vector().tolist()
    entrance = 1  # a node without service, where arrivals are routed from
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(system.arrival_rate)] + [None] * len(rates),
        service_distributions=[ciw.dists.Deterministic(0.0)] + [ciw.dists.Exponential(rate) for rate in rates],
        number_of_servers=[float("inf")] + [1] * len(rates),
        routing=ciw.routing.NetworkRouting(
            routers=[
                ciw.routing.LoadBalancing(destinations=list(range(2, len(rates) + 2)), tie_break="order"),
                *(ciw.routing.Leave() for _ in rates),
            ]
        ),
    )
    ciw.seed(seed)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(jobs, method="Finish")
    return np.array([r.waiting_time for r in simulation.get_all_records() if r.node != entrance])


PEERS = {"SimPy, min over servers": textbook_simpy, "SimPy, sorted list": sorted_list_simpy, "Ciw 3.2": ciw_load_balancing}
