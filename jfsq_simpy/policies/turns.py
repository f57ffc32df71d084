"""Taking turns: round robin, plain or in proportion to speed, as a function of a job's number alone.

In    the rates, the number of the first job of a block
Out   whose turn it is, one server a job
Rule  server n has its i-th turn (from 0) at (i + 1/2) / mu_n; turns are taken in the order of these times,
      lower index first. With equal rates this is 0, 1, ..., N - 1, 0, 1, ...
Cost  O(block + N) a block: nothing is carried over, so any block can be computed alone

Schedulers in production balancers keep a queue of such deadlines (earliest deadline first). Between two
times the number of turns a server has is within 1 of its rate times the time between them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jfsq_simpy.policies.sight import Sight
from jfsq_simpy.rates import FloatArray, IntArray, Rates


@dataclass(frozen=True)
class InTurn:
    """Nobody is asked: it is some server's turn, each as often as the others, or in proportion to its rate.

    >>> from jfsq_simpy.rates import as_rates
    >>> InTurn(weighted=True).turns(as_rates([1.5, 0.5]), first=0, n=8)
    array([0, 0, 1, 0, 0, 0, 1, 0])
    """

    weighted: bool
    samples: int = field(default=0, init=False)

    def turns(self, rates: Rates, first: int, n: int) -> IntArray:
        """int array (n,): whose turn it is for jobs first .. first + n - 1."""
        return self.turns_at(rates.vector(), first, n) if self.weighted else np.arange(first, first + n) % rates.n_servers

    def turns_at(self, speeds: FloatArray, first: int, n: int) -> IntArray:
        """The same where servers are believed to have these speeds (N,)."""
        return weighted_turns(speeds, first, n) if self.weighted else np.arange(first, first + n) % speeds.size

    def candidates(self, sight: Sight) -> IntArray:
        return np.array([sight.turn])

    def check(self, rates: Rates) -> None:
        """Nothing can be wrong."""

    def asks(self, rates: Rates) -> float:
        return 0.0

    def describe(self) -> dict[str, Any]:
        return {"ask": "in turn", "weighted": self.weighted}


def weighted_turns(rates: FloatArray, first: int, n: int) -> IntArray:
    """Turns first .. first + n - 1 of all servers, in the order of their times; int array (n,).

    Until time T server n has had mu_n T turns to within 1/2, so all together are within N/2 of T times the
    total rate: every turn of the block lies between the two times below, however the rates are.
    """
    total, n_servers = float(rates.sum()), rates.size
    begin = _turns_before(max(first - n_servers, 0) / total, rates)
    end = _turns_before((first + n + n_servers) / total, rates)
    had = end - begin
    server = np.repeat(np.arange(n_servers), had)
    i = np.arange(server.size) - np.repeat(np.cumsum(had) - had - begin, had)
    order = np.argsort((i + 0.5) / rates[server], kind="stable")  # stable: lower index first
    skip = first - int(begin.sum())
    return server[order[skip : skip + n]]


def _turns_before(time: float, rates: FloatArray) -> IntArray:
    """int array (N,): turns each server has at times below `time`, compared as they are when they are sorted."""
    n = np.maximum(np.floor(time * rates + 0.5).astype(np.int64) - 1, 0)  # one less: the product is rounded
    for _ in range(3):
        n += (n + 0.5) / rates < time
    return n
