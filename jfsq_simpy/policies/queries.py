"""Whom a dispatcher asks: everybody, a sample, the idle ones first, or nobody, for one queue is enough.

In    a Sight: the job's uniform numbers, the speed classes and, where a rule looks at them, the servers
Out   the candidates: indices of servers, ascending, each once
Rule  without replacement pick i is number floor(s_i (N - i)) of those not yet picked, so that asking
      all N by sampling is asking everybody, path by path
Cost  O(servers asked), and O(N) where a rule looks at every server first
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies.sight import Sight
from jfsq_simpy.rates import FloatArray, IntArray, Rates


@dataclass(frozen=True)
class AskAll:
    """Every server is looked at. O(N).

    >>> from jfsq_simpy.rates import homogeneous
    >>> AskAll().candidates(Sight.of(homogeneous(3), places=2, queue_lengths=[0, 1, 0])), AskAll().asks(homogeneous(3))
    (array([0, 1, 2]), 3.0)
    """

    samples: int = field(default=0, init=False)

    def candidates(self, sight: Sight) -> IntArray:
        return np.arange(sight.rates.n_servers)

    def check(self, rates: Rates) -> None:
        """Nothing can be wrong."""

    def asks(self, rates: Rates) -> float:
        return float(rates.n_servers)

    def describe(self) -> dict[str, Any]:
        return {"ask": "all"}


@dataclass(frozen=True)
class AskSample:
    """`d` servers drawn uniformly are looked at; with replacement a server may be drawn twice. O(d^2). Errors: ModelError.

    >>> from jfsq_simpy.rates import homogeneous
    >>> sight = Sight.of(homogeneous(3), places=2, queue_lengths=[0, 0, 0], samples=[0.5, 0.5])
    >>> AskSample(2).candidates(sight)
    array([1, 2])
    """

    d: int
    replace: bool = False

    def __post_init__(self) -> None:
        at_least_one(self.d, "policy.d")
        if not isinstance(self.replace, bool):
            raise ModelError(f"policy.replace = {self.replace!r} must be true or false: whether a server may be drawn twice.")

    @property
    def samples(self) -> int:
        return self.d

    def candidates(self, sight: Sight) -> IntArray:
        return drawn(sight.samples, 0, sight.rates.n_servers, self.replace)

    def check(self, rates: Rates) -> None:
        if not self.replace and self.d > rates.n_servers:
            raise ModelError(
                f"policy.d = {self.d} servers cannot be drawn without replacement from N = {rates.n_servers}; "
                "ask fewer, or set replace = true."
            )

    def asks(self, rates: Rates) -> float:
        return float(self.d)

    def describe(self) -> dict[str, Any]:
        return {"ask": "sample", "d": self.d, "replace": self.replace}


@dataclass(frozen=True)
class IdleFirst:
    """The idle servers, whom the dispatcher remembers from their reports; if there are none, `then`. O(N) to read.

    Whatever the policy's key says, its rank table puts idle servers ahead of busy ones.

    >>> from jfsq_simpy.rates import homogeneous
    >>> [IdleFirst(AskSample(1)).candidates(Sight.of(homogeneous(2), 3, q, samples=[0.9])).tolist() for q in ([1, 0], [1, 2])]
    [[1], [1]]
    """

    then: AskSample

    @property
    def samples(self) -> int:
        return self.then.samples

    def candidates(self, sight: Sight) -> IntArray:
        idle = np.flatnonzero(sight.queue_lengths == 0)
        return idle if idle.size else self.then.candidates(sight)

    def check(self, rates: Rates) -> None:
        self.then.check(rates)

    def asks(self, rates: Rates) -> float:
        """Of a job that finds nobody idle."""
        return self.then.asks(rates)

    def describe(self) -> dict[str, Any]:
        return {"ask": "idle, else sample", "d": self.then.d, "replace": self.then.replace}


@dataclass(frozen=True)
class AskWork:
    """Every server is asked when it will have done what it has; those with the least work left are candidates.

    All idle servers have no work left. A full server is a candidate only when all are full. O(N).

    >>> from jfsq_simpy.rates import homogeneous
    >>> AskWork().candidates(Sight.of(homogeneous(2), places=3, queue_lengths=[1, 2], free_at=[7.0, 4.0]))
    array([1])
    """

    samples: int = field(default=0, init=False)

    def candidates(self, sight: Sight) -> IntArray:
        queue_lengths = sight.queue_lengths
        done = np.where(queue_lengths == 0, -np.inf, np.where(queue_lengths < sight.places, sight.free_at, np.inf))
        return np.flatnonzero(done == done.min())

    def check(self, rates: Rates) -> None:
        """Nothing can be wrong."""

    def asks(self, rates: Rates) -> float:
        return float(rates.n_servers)

    def describe(self) -> dict[str, Any]:
        return {"ask": "work left"}


@dataclass(frozen=True)
class OneQueue:
    """Nobody is asked: jobs wait together, and a server takes the first of them when it is free.

    Not a dispatcher at all, since it need not choose before it knows who is free first: a bound from below. Only
    the engine `process` has it.

    >>> from jfsq_simpy.rates import homogeneous
    >>> OneQueue().asks(homogeneous(3))
    0.0
    """

    samples: int = field(default=0, init=False)

    def candidates(self, sight: Sight) -> IntArray:
        raise ModelError("a central queue chooses a server when one is free, not when a job comes.")

    def check(self, rates: Rates) -> None:
        """Nothing can be wrong."""

    def asks(self, rates: Rates) -> float:
        return 0.0

    def describe(self) -> dict[str, Any]:
        return {"ask": "one queue"}


def drawn(samples: FloatArray, first: int, n: int, replace: bool) -> IntArray:
    """Servers picked from first .. first + n - 1 by uniform numbers, ascending, each once."""
    picks: list[int] = []
    for i, s in enumerate(samples.tolist()):
        if replace:
            picks.append(int(s * n))
            continue
        pick = int(s * (n - i))
        for earlier in sorted(picks):
            pick += pick >= earlier
        picks.append(pick)
    return first + np.unique(np.array(picks, dtype=np.int64))


def at_least_one(value: Any, name: str) -> None:
    """Refuse what is no whole number above 0. Errors: ModelError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ModelError(f"{name} = {value!r} must be a whole number of servers to ask, at least 1.")
