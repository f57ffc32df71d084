"""An independent route: small systems solved from the definition, state by state, server by server.

Shares no code with the package: queue-length vectors, a dense generator, its null space.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Law:
    """A stationary law over all queue-length vectors."""

    rates: np.ndarray  # (N,)
    arrival_rate: float
    places: int
    q: np.ndarray  # (n_states, N)
    pi: np.ndarray  # (n_states,)
    generator: np.ndarray  # (n_states, n_states)
    sent: np.ndarray  # (n_states, N): where an arrival goes

    def mean(self, f) -> float:
        """Mean of a function of the queue-length vectors (array (n_states, N) -> (n_states,))."""
        return float(self.pi @ f(self.q))

    @property
    def waiting(self):
        return np.maximum(self.q - 1, 0).sum(axis=1)

    @property
    def busy(self):
        return (self.q > 0).sum(axis=1)

    @property
    def blocked(self):
        """A_b of every state."""
        return (self.sent * (self.q == self.places)).sum(axis=1)


def choose(policy: str, q, rates, places: int) -> np.ndarray:
    """Probability of each server, from the words of section 2."""
    n = len(q)
    if policy == "random":
        return np.full(n, 1 / n)
    keys = [(qi, -mu) if policy.startswith("jfsq") else (qi,) for qi, mu in zip(q, rates, strict=True)]
    tied = [i for i in range(n) if keys[i] == min(keys)]
    if policy.endswith("index"):
        tied = tied[:1]
    p = np.zeros(n)
    p[tied] = 1 / len(tied)
    return p


def solve(rates, arrival_rate: float, places: int, policy: str = "jfsq") -> Law:
    """Stationary law of "jfsq", "jfsq index", "jsq", "jsq index" or "random" by the null space of the generator."""
    rates = np.asarray(rates, dtype=float)
    states = list(itertools.product(range(places + 1), repeat=len(rates)))
    place = {s: i for i, s in enumerate(states)}
    generator = np.zeros((len(states), len(states)))
    sent = np.zeros((len(states), len(rates)))
    for s, i in place.items():
        sent[i] = choose(policy, s, rates, places)
        for n in range(len(rates)):
            if s[n] < places:
                generator[i, place[(*s[:n], s[n] + 1, *s[n + 1 :])]] += arrival_rate * sent[i, n]
            if s[n] > 0:
                generator[i, place[(*s[:n], s[n] - 1, *s[n + 1 :])]] += rates[n]
    generator -= np.diag(generator.sum(axis=1))
    system = np.vstack([generator.T, np.ones(len(states))])
    pi = np.linalg.lstsq(system, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    return Law(rates, arrival_rate, places, np.array(states), pi, generator, sent)
