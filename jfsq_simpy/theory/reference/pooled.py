"""One pooled queue served fastest server first: what no dispatcher can beat, and for what it says nothing.

In    a System
Out   the birth and death process n -> n + 1 at lambda N (n < N b), n -> n - 1 at S_min(n, N)
Rule  a policy that blocks only when all places are taken has at least as many jobs present as this queue,
      in law: so it bounds p_B, E[jobs], E[Q_W], E[W], E[T] and every tail of the jobs present from below.
      It does *not* bound p_W: pooled jobs wait whenever all servers are busy, and so M/M/N waits with
      probability 0.22 (beta = 1) where JSQ's p_W falls like 0.81 / sqrt N
Cost  O(N b); equal servers O(1) at any N
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jfsq_simpy.errors import TooLargeError
from jfsq_simpy.policies import AskAll
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.theory.reference.erlang import mmnk

MOST_STATES = 50_000_000


@dataclass(frozen=True)
class Pooled:
    """Lower bounds for policies that block only when every place is taken."""

    blocking_probability: float
    mean_jobs: float
    mean_waiting_jobs: float
    mean_wait: float
    mean_response: float

    def metrics(self) -> dict[str, float]:
        """By metric name: what each bounds from below."""
        return dict(vars(self))


def bounds_it(system: System) -> bool:
    """Whether the pooled queue bounds this system: Poisson, exponential, and blocking only when all is full."""
    return system.is_markov and system.policy.full_last and isinstance(system.policy.query, AskAll)


def pooled(system: System) -> Pooled:
    """The pooled queue of a system's servers. Errors: TooLargeError above 5e7 states with unequal servers.

    >>> from jfsq_simpy import rates
    >>> pooled(System(rates.homogeneous(1), load=0.5, places=2)).blocking_probability
    0.14285714285714285
    """
    arrival_rate = system.arrival_rate
    if system.rates.n_classes == 1:
        d = mmnk(system.n_servers, system.n_servers * system.places, arrival_rate)
        blocking, waiting, jobs = d.blocking_probability, d.mean_waiting_jobs, d.mean_busy + d.mean_waiting_jobs
    else:
        law = jobs_law(system)
        n = np.arange(law.size, dtype=np.float64)
        blocking = float(law[-1])
        jobs, waiting = float(law @ n), float(law @ np.maximum(n - system.n_servers, 0.0))
    accepted = arrival_rate * (1 - blocking)
    return Pooled(blocking, jobs, waiting, waiting / accepted, jobs / accepted)


def jobs_law(system: System) -> FloatArray:
    """P(n jobs present) in the pooled queue, float array (N b + 1,): stochastically below the real one's. O(N b)."""
    rates, size = system.rates, system.n_servers * system.places
    if size > MOST_STATES:
        raise TooLargeError(
            f"the pooled queue of N = {system.n_servers:,} unequal servers has {size:,} states; at most {MOST_STATES:,}."
        )
    death = np.full(size, float(system.n_servers))
    death[: system.n_servers] = np.cumsum(rates.vector())
    log_weight = np.concatenate([[0.0], np.cumsum(np.log(system.arrival_rate) - np.log(death))])
    weight = np.exp(log_weight - log_weight.max())
    return np.asarray(weight / weight.sum())
