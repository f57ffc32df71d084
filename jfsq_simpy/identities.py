"""What must balance in every run: work, jobs, levels, idle capacity.

In    Averages (from counts, or from an exact law)
Out   a list of Identity: two numbers, and whether they must be equal or in order
Rule  a *pathwise* identity holds for any counts at all, so a breach is a bug; a *stationary* one holds
      in the mean, so a breach is judged against the spread between replications
Cost  O(groups x places)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jfsq_simpy import metrics
from jfsq_simpy.metrics import Averages

Relation = Literal["=", "<="]
Kind = Literal["pathwise", "stationary"]

ROUNDING = 1e-9  # relative: pathwise identities are sums of integers, so only rounding can part the sides
CANCELLATION = 1e-12  # of the numbers that are subtracted: what is left of N - N when nobody is idle


@dataclass(frozen=True)
class Identity:
    """`left` relation `right`, with the place that says why; `slack` is the relative error the counts allow.

    `noise` is an absolute one, for sides that are differences of larger numbers.
    """

    name: str
    left: float
    right: float
    relation: Relation
    kind: Kind
    source: str
    slack: float = ROUNDING
    noise: float = 0.0

    @property
    def excess(self) -> float:
        """By how much the relation is missed: left - right, for "<=" only when positive; 0 when it holds, nan without counts."""
        gap = self.left - self.right
        if math.isnan(gap):
            return gap
        allowed = self.slack * max(abs(self.left), abs(self.right)) + self.noise
        if self.relation == "<=":
            return gap if gap > allowed else 0.0
        return gap if abs(gap) > allowed else 0.0

    @property
    def holds(self) -> bool:
        """Whether the two sides agree up to rounding; nan (nothing was counted) does not hold."""
        return self.excess == 0.0


def identities(a: Averages) -> list[Identity]:
    """Every identity that applies to this system, pathwise ones first.

    Jobs balance for any policy and any laws of mean 1. Work does where a job's own size has no part in where it
    goes: else the jobs blocked may be larger than others. The balance of levels needs exponential sizes that the
    dispatcher does not know. What does not apply is left out. Servers that fail hold jobs without
    working: what is done is then at most what busy servers could do, and levels do not balance.

    >>> from jfsq_simpy import System, rates, tally
    >>> system = System(rates.homogeneous(1), load=0.5, places=1)      # M/M/1/1: idle with probability 2/3
    >>> law = Averages(system, tally.groups_of(system), np.array([[2 / 3]]), 1 / 3, np.array([[2 / 3, 1 / 3]]))
    >>> [i.name for i in identities(law) if not i.holds]
    []
    """
    done = _of_work(a) if a.system.policy.blind_to_size else []
    return [*pathwise(a), *done, *little(a), *(level_balance(a) if a.system.erlang_waits else [])]


def pathwise(a: Averages) -> list[Identity]:
    """What holds for any counts: servers are conserved, and capacity ties busy servers to their speeds.

    So many servers busy cannot have more capacity than the fastest so many: E[busy] >= N2(capacity),
    with N2 fractional, survives averaging because N2 is convex in the capacity.
    """
    system, capacity = a.system, metrics.busy_capacity(a)
    n, idle, busy = system.n_servers, float(a.levels[:, 0].sum()), metrics.mean_busy(a)
    slack = ROUNDING + a.groups.spread  # a group of adjacent speeds is counted at its mean speed
    fastest, slowest = system.rates.fastest, system.rates.slowest
    noise, unused = CANCELLATION * n, n - capacity
    # Inside a speed class, groups may share its counts in proportion (rounded): the class is what is conserved.
    speed_class = np.unique(a.groups.speed_class if a.groups.spread == 0 else np.arange(a.groups.n_groups), return_inverse=True)[1]
    found = float(np.abs(np.bincount(speed_class, a.levels.sum(axis=1) - a.groups.sizes)).max())
    return [
        Identity("every server is counted once", found, ROUNDING * n, "<=", "pathwise", "section 2"),
        Identity("idle capacity / mu_1 <= idle", unused / fastest, idle, "<=", "pathwise", "section 3", slack, noise / fastest),
        Identity("idle <= idle capacity / mu_N", idle, unused / slowest, "<=", "pathwise", "section 3", slack, noise / slowest),
        Identity("N2(busy capacity) <= busy", _n2(a, capacity), busy, "<=", "pathwise", "section 3.5", slack, noise / slowest),
    ]


def _of_work(a: Averages) -> list[Identity]:
    return work(a) if a.system.breakdowns is None else work_of_failing(a)


def work(a: Averages) -> list[Identity]:
    """Work that comes in is done: busy capacity = lambda N (1 - p_B), and what follows for idle servers."""
    system = a.system
    n, taken = system.n_servers, system.arrival_rate * a.accepted
    idle, busy = float(a.levels[:, 0].sum()), metrics.mean_busy(a)
    spare = n - taken  # X + lambda N p_B
    slack = ROUNDING + a.groups.spread
    return [
        Identity("busy capacity = accepted work", metrics.busy_capacity(a), taken, "=", "stationary", "section 2", slack),
        Identity("(X + lambda N p_B) / mu_1 <= idle", spare / system.rates.fastest, idle, "<=", "stationary", "section 3", slack),
        Identity("idle <= (X + lambda N p_B) / mu_N", idle, spare / system.rates.slowest, "<=", "stationary", "section 3", slack),
        Identity("N2(accepted work) <= busy", _n2(a, taken), busy, "<=", "stationary", "section 3.5", slack),
    ]


def work_of_failing(a: Averages) -> list[Identity]:
    """Of `work`, what is left where servers fail: a busy server may be down, so busy capacity >= lambda N (1 - p_B)."""
    taken = a.system.arrival_rate * a.accepted
    idle, busy, slack = float(a.levels[:, 0].sum()), metrics.mean_busy(a), ROUNDING + a.groups.spread
    spare = (a.system.n_servers - taken) / a.system.rates.slowest
    return [
        Identity("accepted work <= busy capacity", taken, metrics.busy_capacity(a), "<=", "stationary", "section 2", slack),
        Identity("idle <= (X + lambda N p_B) / mu_N", idle, spare, "<=", "stationary", "section 3", slack),
        Identity("N2(accepted work) <= busy", _n2(a, taken), busy, "<=", "stationary", "section 3.5", slack),
    ]


def little(a: Averages) -> list[Identity]:
    """Little's law twice: jobs that wait against waits, jobs present against responses. Equation (26)."""
    accepted_rate = a.system.arrival_rate * a.accepted
    slack = ROUNDING + a.groups.spread
    return [
        Identity(
            "waiting jobs = rate x E[W]",
            metrics.mean_waiting_jobs(a),
            accepted_rate * metrics.mean_wait(a),
            "=",
            "stationary",
            "(26)",
            slack,
        ),
        Identity(
            "jobs = rate x E[T]", metrics.mean_jobs(a), accepted_rate * metrics.mean_response(a), "=", "stationary", "(26)", slack
        ),
    ]


def level_balance(a: Averages) -> list[Identity]:
    """Jobs that join behind j leave as many as servers that fall from j + 1 to j: one identity a level.

    lambda N P(joins behind j) = E[sum of mu_n over servers that hold j + 1]. Exponential sizes.
    """
    slack = ROUNDING + a.groups.spread
    up = a.system.arrival_rate * a.joins.sum(axis=0)
    down = a.groups.speeds @ a.levels[:, 1:]
    levels = [
        Identity(f"up from {j} = down to {j}", float(up[j]), float(down[j]), "=", "stationary", "section 2", slack)
        for j in range(up.size)
    ]
    return levels + (waiting_sandwich(a) if a.system.places > 1 else [])


def waiting_sandwich(a: Averages) -> list[Identity]:
    """mu_N E[Q_W] / (b - 1) <= lambda N p_wait <= mu_1 E[Q_W]: what the waiting probability really obeys.

    Section 3.5 has mean wait of jobs that wait >= mean service time instead, which unequal servers break.
    """
    rates, slack = a.system.rates, ROUNDING + a.groups.spread
    waiting = metrics.mean_waiting_jobs(a)
    buffered = a.system.arrival_rate * metrics.buffered_probability(a)
    low, high = rates.slowest * waiting / (a.system.places - 1), rates.fastest * waiting
    return [
        Identity("mu_N E[Q_W] / (b - 1) <= rate of waits", low, buffered, "<=", "stationary", "section 3.5", slack),
        Identity("rate of waits <= mu_1 E[Q_W]", buffered, high, "<=", "stationary", "section 3.5", slack),
    ]


def _n2(a: Averages, capacity: float) -> float:
    """N2, fractional; beyond N as if more of the slowest came: a kink there would hide the noise of an overloaded run."""
    if math.isnan(capacity):  # nothing was counted
        return math.nan
    n, rates = a.system.n_servers, a.system.rates
    return rates.critical_index(max(capacity, 0.0)).fractional + max(capacity - n, 0.0) / rates.slowest
