"""The fluid of a dispatcher that sees everybody: better-ranked servers are used up before worse ones.

In    a load, speed classes, a rank table in which a longer queue never ranks better
Out   where it rests: the law of each class's levels, where jobs are sent
Rule  a rank better than the best one held by a share of the servers is held by none, yet jobs go there: a
      server that falls to it is taken at once, so they go as fast as servers fall
Cost  O(cells) a step, some 50 steps; O(classes log classes) to find the rank

Let r be the best rank that a share of the servers holds. Class c then stands at its first level k_c of rank r or
worse, or above. Below k_c it gets as many jobs as its servers at k_c finish; what is left of the arrivals goes to
rank r, h times its weight to each server of it. Jobs sent, as a function of h, rise from the capacity of the classes
whose idle servers rank before r to that of the classes whose idle servers rank up to r: so the load picks r, then h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy

from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies.ranking import RankTable
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.theory.reference.fixed_point import FixedPoint, birth_and_death

CLOSE = 1e-12


@dataclass(frozen=True)
class Fluid:
    """Everybody is seen: rank r of `ranks[class, level]` is used up before rank r + 1, ties by `weights`."""

    shares: FloatArray  # (n_classes,), sum 1
    speeds: FloatArray  # (n_classes,)
    ranks: RankTable  # (n_classes, places + 1)
    weights: FloatArray  # (n_classes,): 1, or the speeds where ties fall by rate

    def __post_init__(self) -> None:
        if (np.diff(self.ranks, axis=1) < 0).any():
            raise ModelError("the mean field of a policy that asks everybody needs a key that does not fall with the queue length.")

    def at_rest(self, load: float) -> FixedPoint:
        """The fixed point. Errors: ModelError where the load is just a capacity that leaves more than one.

        >>> two = Fluid(np.array([0.5, 0.5]), np.array([1.5, 0.5]), np.array([[0, 2, 4], [1, 3, 4]]), np.ones(2))
        >>> point = two.at_rest(0.8)      # JFSQ: all fast servers are busy, and a fifth of the slow
        >>> point.tails[:, 1].round(12), point.waiting_probability
        (array([1. , 0.2]), 0.0)
        """
        best = self._best_rank_held(load)
        first = (self.ranks < best).sum(axis=1)  # k_c
        h = self._pressure(load, best, first)
        return self._point(load, self._law(h, best, first), h, best, first)

    def _best_rank_held(self, load: float) -> int:
        """r: the last rank before which there is not capacity enough; a rank of full servers loses what is too much."""
        idle, last = self.ranks[:, 0], int(self.ranks[:, -1].min())
        order = np.argsort(idle, kind="stable")
        capacity = np.concatenate([[0.0], np.cumsum((self.shares * self.speeds)[order])])
        ranks = np.unique(np.append(np.minimum(idle, last), last))
        before = capacity[np.searchsorted(idle[order], ranks)]
        at = int(np.searchsorted(before, load * (1 + CLOSE), side="right")) - 1
        if math.isclose(load, before[at], rel_tol=CLOSE) and at > 0 and ranks[at] - ranks[at - 1] > 1:
            raise ModelError(
                f"load = {load:.6g} is just what servers before the next rank can carry, and the fluid of this policy may then "
                "rest in more than one state; take another load."
            )
        return int(ranks[at])

    def _pressure(self, load: float, best: int, first: FloatArray) -> float:
        """h: jobs sent to each server of rank r, for weight 1."""

        def excess(log_h: float) -> float:
            h = math.exp(log_h)
            return float(self._sent(self._law(h, best, first), h, best, first).sum()) - load

        low = high = 0.0
        while excess(low) > 0 and low > -80:
            low -= 2
        while excess(high) < 0 and high < 80:
            high += 2
        if excess(low) >= 0 or excess(high) <= 0:  # the load is a capacity: at rest nothing, or everything, is pressed on
            return math.exp(low if excess(low) >= 0 else high)
        return math.exp(scipy.optimize.brentq(excess, low, high, xtol=1e-14, rtol=1e-14))

    def _law(self, h: float, best: int, first: FloatArray) -> FloatArray:
        """Levels k_c and above, births at those of rank r."""
        levels = np.arange(self.ranks.shape[1])
        births = np.where(self.ranks == best, h * self.weights[:, None], 0.0)[:, :-1]
        climbing = levels[:-1] < first[:, None]  # below k_c nobody stays
        deaths = np.broadcast_to(self.speeds[:, None], births.shape)
        law = birth_and_death(np.where(climbing, deaths, births), deaths)
        law = np.where(levels < first[:, None], 0.0, law)
        return np.asarray(law / law.sum(axis=1, keepdims=True))

    def _sent(self, law: FloatArray, h: float, best: int, first: FloatArray) -> FloatArray:
        """Jobs sent to each cell, per server of all and unit of time."""
        sent = np.where(self.ranks == best, h * self.weights[:, None], 0.0) * law
        falling = np.flatnonzero(first > 0)
        sent[falling, first[falling] - 1] += self.speeds[falling] * law[falling, first[falling]]
        return np.asarray(self.shares[:, None] * sent)

    def _point(self, load: float, law: FloatArray, h: float, best: int, first: FloatArray) -> FixedPoint:
        return FixedPoint(load, self.shares, self.speeds, law, self._sent(law, h, best, first) / load)
