"""A dispatcher that goes by speeds which are not the servers' own: beside `process`, to be read with `beliefs`.

In    the rates believed in, each time with the instant from which on
Out   the dispatcher's order of the servers, made of these; the servers serve as they do
Rule  beliefs that change at an instant do so after its departures and before its arrivals. Ranks, ties by rate
      and weights go by believed rates; which server is of which speed class, and ties by index, by true ones
Cost  O(N log N) whenever beliefs change
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import simpy
from sortedcontainers import SortedList

from jfsq_simpy.jobs.failing import Change
from jfsq_simpy.jobs.process import Dispatcher
from jfsq_simpy.policies import Policy
from jfsq_simpy.policies.ranking import RankTable
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.system import System

Beliefs = Iterator[tuple[float, FloatArray]]


class Believer:
    """Tells a dispatcher what to think of the servers' speeds."""

    def __init__(self, env: simpy.Environment, system: System, dispatcher: Dispatcher, beliefs: Beliefs) -> None:
        self.env, self.system, self.dispatcher = env, system, dispatcher
        self.believe(next(beliefs)[1])
        env.process(self.run(beliefs))

    def run(self, beliefs: Beliefs) -> Generator[simpy.Event, Any, None]:
        given = self.system.knowledge.speeds
        assert given is not None
        for _, speeds in beliefs:
            assert given.drift is not None
            yield Change(self.env, given.drift.every)  # at the instant said: both add up the same numbers
            self.believe(speeds)

    def believe(self, speeds: FloatArray) -> None:
        to, policy = self.dispatcher, self.system.policy
        rank, of = ranks_by_belief(policy, speeds, self.system.places)
        table = rank.tolist()
        to.key = [[(r, n) for r in table[c]] for n, c in enumerate(of.tolist())]
        to.order = SortedList(to.key[n][s.queue_length] for n, s in enumerate(to.servers))
        for sight in (to.sight, *getattr(to, "sights", ())):  # of several dispatchers each has its own
            sight.speeds = speeds


def ranks_by_belief(policy: Policy, speeds: FloatArray, places: int) -> tuple[RankTable, IntArray]:
    """How servers believed to have these speeds (N,) rank: a table (distinct speeds, places + 1), and each server's row (N,).

    >>> from jfsq_simpy.policies import as_policy
    >>> rank, of = ranks_by_belief(as_policy("jfsq"), np.array([0.5, 2.0]), places=2)
    >>> rank[of].tolist()
    [[1, 3, 4], [0, 2, 4]]
    """
    distinct, of = np.unique(speeds, return_inverse=True)
    return policy.ranks(distinct[::-1], places), distinct.size - 1 - of
