"""The queue-length chain of a System: its states by number of jobs, and its transition rates.

In    a System with Poisson arrivals and exponential sizes, and units
Out   a Chain: the states it keeps returning to, sorted by jobs present, with arrival and service rates
Rule  an event changes the number of jobs by one: arrivals lead from j jobs to j + 1 only, services back
Cost  O(states x cells) time; O(transitions) memory
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy
from numpy.typing import NDArray

from jfsq_simpy.exact.states import StateSpace, Units
from jfsq_simpy.policies.probabilities import cell_probabilities
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.system import System

CELLS_AT_ONCE = 2_000_000  # routing probabilities are worked out for so many cells at a time


@dataclass(frozen=True)
class Chain:
    """The recurrent states and how they follow each other.

    `states` int array (n_states,): numbers in `space`, sorted by jobs present; those with j jobs are
    `states[first[j] : first[j + 1]]`. `arrivals`, `services`: sparse (n_states, n_states), rates per unit time.
    """

    system: System
    space: StateSpace
    states: IntArray
    first: IntArray
    arrivals: scipy.sparse.csr_array
    services: scipy.sparse.csr_array

    @property
    def n_states(self) -> int:
        return int(self.states.size)

    @cached_property
    def up(self) -> FloatArray:
        """float array (n_states,): the rate of arrivals that are not blocked."""
        return np.asarray(self.arrivals.sum(axis=1), dtype=np.float64)

    @cached_property
    def down(self) -> FloatArray:
        """float array (n_states,): the rate of services."""
        return np.asarray(self.services.sum(axis=1), dtype=np.float64)

    @property
    def most_jobs(self) -> int:
        return int(self.first.size) - 2

    def parts(self) -> Iterator[tuple[slice, IntArray]]:
        """The states a portion at a time: which, and their counts int array (n, n_units, places + 1)."""
        for part in _portions(self.space, self.n_states):
            yield part, self.space.counts(self.states[part])

    def sent(self, counts: IntArray) -> FloatArray:
        """P(a job is sent to each cell) at given counts, float array of their shape."""
        return routing(self.system, self.space.units)(counts)


def chain_of(system: System, units: Units) -> Chain:
    """The chain whose states count the servers of each unit at each level."""
    space = StateSpace(units, system.places)
    arrivals, services = _rates(system, space)
    # every state drains to the empty one, so the states reached from there are the recurrent ones
    reached = scipy.sparse.csgraph.breadth_first_order(arrivals + services, space.empty, return_predecessors=False)
    jobs = space.jobs[reached]
    order = np.lexsort((reached, jobs))
    states, jobs = reached[order].astype(np.int64), jobs[order]
    first = np.searchsorted(jobs, np.arange(int(jobs[-1]) + 2))
    return Chain(system, space, states, first, arrivals[states][:, states].tocsr(), services[states][:, states].tocsr())


def _portions(space: StateSpace, n_states: int) -> Iterator[slice]:
    step = max(1, CELLS_AT_ONCE // (space.units.n_units * (space.places + 1)))
    return (slice(low, min(low + step, n_states)) for low in range(0, n_states, step))


def routing(system: System, units: Units) -> Callable[[IntArray], FloatArray]:
    """Counts int array (n_states, n_units, places + 1) to P(a job is sent to each cell), of their shape. Errors: ModelError."""
    ranks = system.policy.rank_table(system.rates, system.places)[units.speed_class]
    return lambda counts: cell_probabilities(system.policy, ranks, units.speeds, counts)


class _Entries:
    """Transitions gathered in pieces, then made a sparse matrix."""

    def __init__(self) -> None:
        self.source: list[IntArray] = []
        self.target: list[IntArray] = []
        self.rate: list[FloatArray] = []

    def add(self, source: IntArray, target: IntArray, rate: FloatArray) -> None:
        self.source.append(source)
        self.target.append(target)
        self.rate.append(rate)

    def matrix(self, n: int) -> scipy.sparse.csr_array:
        place = (np.concatenate(self.source), np.concatenate(self.target))
        return scipy.sparse.csr_array((np.concatenate(self.rate), place), shape=(n, n))


def _rates(system: System, space: StateSpace) -> tuple[scipy.sparse.csr_array, scipy.sparse.csr_array]:
    send = routing(system, space.units)
    arrivals, services = _Entries(), _Entries()
    for part in _portions(space, space.n_states):
        states = np.arange(part.start, part.stop)
        counts = space.counts(states)
        sent = send(counts)
        for unit, speed in enumerate(space.units.speeds.tolist()):
            for level in range(space.places):
                up, to = _there(sent[:, unit, level]), _there(counts[:, unit, level + 1])
                arrivals.add(states[up], space.moved(states[up], unit, level, 1), system.arrival_rate * sent[up, unit, level])
                services.add(states[to], space.moved(states[to], unit, level + 1, -1), speed * counts[to, unit, level + 1])
    return arrivals.matrix(space.n_states), services.matrix(space.n_states)


def _there(values: NDArray[np.generic]) -> NDArray[np.intp]:
    return np.flatnonzero(values)
