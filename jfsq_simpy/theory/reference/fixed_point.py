"""Servers at rest in the limit of many: the shares that hold 0, 1, .. b jobs, and where jobs are sent.

In    for each speed class the law of its servers' levels; the probability that a job is sent to each cell
Out   a FixedPoint: the metrics by their usual names
Rule  nothing fluctuates in this limit: a share is a number, and a job meets the shares
Cost  nothing
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jfsq_simpy.rates import FloatArray


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """Where the mean field rests.

    `law[c, k]` : the share of class c that holds k jobs, k = 0 .. b. `sent[c, k]` : the probability that a
    job is sent to such a server; at k = b it is blocked. Both float arrays (n_classes, places + 1).
    """

    load: float
    shares: FloatArray
    speeds: FloatArray
    law: FloatArray
    sent: FloatArray

    @property
    def tails(self) -> FloatArray:
        """float array (n_classes, places + 1): the share of class c that holds at least k jobs."""
        return np.asarray(np.cumsum(self.law[:, ::-1], axis=1)[:, ::-1])

    @property
    def waiting_probability(self) -> float:
        """p_W: jobs sent to a busy server, blocked ones counted."""
        return float(self.sent[:, 1:].sum())

    @property
    def blocking_probability(self) -> float:
        """p_B."""
        return float(self.sent[:, -1].sum())

    @property
    def mean_queue(self) -> float:
        """Jobs a server holds in the mean."""
        return float(self.shares @ self.tails[:, 1:].sum(axis=1))

    @property
    def mean_waiting(self) -> float:
        """Waiting jobs per server."""
        return float(self.shares @ self.tails[:, 2:].sum(axis=1))

    @property
    def mean_response(self) -> float:
        """E[T] of accepted jobs, by Little's law."""
        return self.mean_queue / self._accepted

    @property
    def mean_wait(self) -> float:
        """E[W] of accepted jobs, by Little's law."""
        return self.mean_waiting / self._accepted

    @property
    def busy_capacity(self) -> float:
        """Rates of busy servers, per server; at rest it is what is accepted, load (1 - p_B)."""
        return float((self.shares * self.speeds) @ (1 - self.law[:, 0]))

    @property
    def _accepted(self) -> float:
        return self.load * (1 - self.blocking_probability)


def birth_and_death(births: FloatArray, deaths: FloatArray) -> FloatArray:
    """The law of each class's levels, float array (n_classes, n_levels): births from level k, deaths to level k.

    Parameters
    ----------
    births, deaths : float array (n_classes, n_levels - 1)   rates of k -> k + 1 and of k + 1 -> k

    In logarithms, since the 254th power of a ratio may be no float. A birth rate of 0 ends the levels there.

    >>> birth_and_death(np.array([[1.0, 1.0]]), np.array([[2.0, 2.0]]))[0] * 7
    array([4., 2., 1.])
    """
    with np.errstate(divide="ignore"):
        steps = np.log(births) - np.log(deaths)
    weight = np.concatenate([np.zeros((births.shape[0], 1)), np.cumsum(steps, axis=1)], axis=1)
    weight = np.exp(weight - weight.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
