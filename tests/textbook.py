"""Small systems solved as a textbook would: every state, one linear system. Owes nothing to the package."""

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats


@dataclass(frozen=True)
class Solved:
    """The stationary law of JFSQ (Poisson arrivals, exponential sizes) at the servers given."""

    mu: list[float]
    arrival_rate: float
    places: int
    states: list[tuple[int, ...]]
    law: np.ndarray
    joins: dict[tuple[int, int], float]  # (server, level found) -> probability, a tie being shared
    blocking_probability: float

    @property
    def waiting_probability(self) -> float:
        return self.blocking_probability + sum(p for (_, level), p in self.joins.items() if level)

    @property
    def mean_wait(self) -> float:
        return sum(p * level / self.mu[n] for (n, level), p in self.joins.items()) / (1 - self.blocking_probability)

    @property
    def mean_jobs(self) -> float:
        return float(self.law @ [sum(q) for q in self.states])

    def wait_ccdf(self, t: float) -> float:
        tail = sum(p * stats.erlang.sf(t, level, scale=1 / self.mu[n]) for (n, level), p in self.joins.items() if level)
        return float(tail) / (1 - self.blocking_probability)

    def wait_quantile(self, p: float) -> float:
        if self.wait_ccdf(0) <= 1 - p:
            return 0.0
        return float(optimize.brentq(lambda t: self.wait_ccdf(t) - (1 - p), 0, 1000, xtol=1e-12))

    @property
    def relaxation_time(self) -> float:
        """1 / spectral gap: how fast the chain forgets."""
        eigenvalues = np.sort(-np.linalg.eigvals(generator(self.mu, self.arrival_rate, self.places)[1]).real)
        return 1 / float(eigenvalues[1])


def fastest_shortest(mu, q):
    """The servers a job may go to, alike."""
    shortest = [n for n in range(len(mu)) if q[n] == min(q)]
    return [n for n in shortest if mu[n] == max(mu[m] for m in shortest)]


def generator(mu, arrival_rate, places):
    states = list(itertools.product(range(places + 1), repeat=len(mu)))
    number = {q: i for i, q in enumerate(states)}
    rates = np.zeros((len(states), len(states)))

    def move(q, n, change, rate):
        to = (*q[:n], q[n] + change, *q[n + 1 :])
        rates[number[q], number[to]] += rate
        rates[number[q], number[q]] -= rate

    for q in states:
        for n in range(len(mu)):
            if q[n] > 0:
                move(q, n, -1, mu[n])
        tied = fastest_shortest(mu, q)
        for n in tied:
            if q[n] < places:
                move(q, n, +1, arrival_rate / len(tied))
    return states, rates


def solve(mu, load, places) -> Solved:
    mu = sorted(mu, reverse=True)
    arrival_rate = load * sum(mu)
    states, rates = generator(mu, arrival_rate, places)
    balance = np.vstack([rates.T, np.ones(len(states))])
    law = np.linalg.lstsq(balance, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    joins, blocked = {}, 0.0
    for q, p in zip(states, law, strict=True):
        tied = fastest_shortest(mu, q)
        if min(q) == places:
            blocked += p
            continue
        for n in tied:
            joins[n, q[n]] = joins.get((n, q[n]), 0.0) + p / len(tied)
    return Solved(mu, arrival_rate, places, states, law, joins, float(blocked))
