"""Whom a dispatcher asks: everybody, a sample, a class chosen first, some of each class, the idle ones first.

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

SHARES_SUM_TO_1 = 1e-9  # how far probabilities may be from a sum of 1
LISTED = 8  # speed classes whose sizes a message spells out


@dataclass(frozen=True)
class AskAll:
    """Every server is looked at."""

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
    """`d` servers drawn uniformly are looked at; with replacement a server may be drawn twice.

    >>> from jfsq_simpy.rates import homogeneous
    >>> sight = Sight.of(homogeneous(3), places=2, queue_lengths=[0, 0, 0], samples=[0.5, 0.5])
    >>> AskSample(2).candidates(sight)
    array([1, 2])
    """

    d: int
    replace: bool = False

    def __post_init__(self) -> None:
        _at_least_one(self.d, "policy.d")
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
class AskClass:
    """One speed class, chosen with given probabilities (fastest class first); inside it all, or a sample of d.

    The first uniform number chooses the class, the next d draw without replacement inside it.
    """

    probabilities: tuple[float, ...]
    d: int | None = None

    def __post_init__(self) -> None:
        try:
            p = np.array(self.probabilities, dtype=np.float64)
        except (TypeError, ValueError):
            p = np.array([np.nan])
        if p.ndim != 1 or p.size == 0 or not np.all(p >= 0) or not abs(p.sum() - 1) <= SHARES_SUM_TO_1:
            raise ModelError(
                f"policy.probabilities = {self.probabilities!r} must be one number >= 0 for each speed class, fastest first, "
                "with sum 1."
            )
        object.__setattr__(self, "probabilities", tuple(p.tolist()))
        if self.d is not None:
            _at_least_one(self.d, "policy.d")

    @property
    def samples(self) -> int:
        return 1 + (self.d or 0)

    def chosen_class(self, u: float) -> int:
        """The first class whose cumulative probability is above u (the last that can be chosen, if rounding leaves none)."""
        p = np.array(self.probabilities)
        return min(int(np.searchsorted(np.cumsum(p), u, side="right")), int(np.flatnonzero(p)[-1]))

    def candidates(self, sight: Sight) -> IntArray:
        k = self.chosen_class(float(sight.samples[0]))
        first, n = int(sight.rates.first_server[k]), int(sight.rates.counts[k])
        return np.arange(first, first + n) if self.d is None else drawn(sight.samples[1:], first, n, replace=False)

    def check(self, rates: Rates) -> None:
        if len(self.probabilities) != rates.n_classes:
            raise ModelError(
                f"policy.probabilities has {_entries(len(self.probabilities))} but there {_classes(rates)}; "
                "give one for each, fastest first."
            )
        smallest = min(int(n) for n, p in zip(rates.counts, self.probabilities, strict=True) if p > 0)
        if self.d is not None and self.d > smallest:
            raise ModelError(f"policy.d = {self.d} servers cannot be drawn from a speed class of {smallest}; ask fewer.")

    def asks(self, rates: Rates) -> float:
        return float(np.dot(self.probabilities, rates.counts)) if self.d is None else float(self.d)

    def describe(self) -> dict[str, Any]:
        return {"ask": "class", "probabilities": list(self.probabilities), "d": self.d}


@dataclass(frozen=True)
class AskEachClass:
    """d_k servers of each speed class k (fastest first), drawn without replacement: JSQ-(d_F, d_S)."""

    d: tuple[int, ...]

    def __post_init__(self) -> None:
        given = self.d
        whole = isinstance(given, (list, tuple)) and all(isinstance(x, int) and not isinstance(x, bool) and x >= 0 for x in given)
        if not whole or sum(given) == 0:
            raise ModelError(f"policy.d = {given!r} must be one whole number >= 0 for each speed class (fastest first), not all 0.")
        object.__setattr__(self, "d", tuple(given))

    @property
    def samples(self) -> int:
        return sum(self.d)

    def candidates(self, sight: Sight) -> IntArray:
        first, n, ends = sight.rates.first_server.tolist(), sight.rates.counts.tolist(), np.cumsum(self.d).tolist()
        parts = [drawn(sight.samples[ends[k] - d : ends[k]], first[k], n[k], replace=False) for k, d in enumerate(self.d)]
        return np.concatenate(parts)

    def check(self, rates: Rates) -> None:
        if len(self.d) != rates.n_classes:
            raise ModelError(f"policy.d has {_entries(len(self.d))} but there {_classes(rates)}; give one for each, fastest first.")
        for k, (d, n) in enumerate(zip(self.d, rates.counts.tolist(), strict=True)):
            if d > n:
                raise ModelError(f"policy.d[{k}] = {d} servers cannot be drawn from a speed class of {n}; ask fewer.")

    def asks(self, rates: Rates) -> float:
        return float(sum(self.d))

    def describe(self) -> dict[str, Any]:
        return {"ask": "each class", "d": list(self.d)}


@dataclass(frozen=True)
class AskFastSlow:
    """d_F fast and d_S slow servers, of which the fast or the slow ones are then left: an idle fast one, else by a coin.

    With two speed classes. If a fast server polled is idle, the fast ones are candidates; else if a slow
    one is, the slow ones with probability p_slow; else the fast ones with probability p_fast. The first
    uniform number is the coin, the next ones draw fast servers, then slow ones, without replacement.
    Whatever the policy's key says, its rank table puts idle servers ahead of busy ones.
    """

    d: tuple[int, int]
    p_slow: float
    p_fast: float

    def __post_init__(self) -> None:
        given = self.d
        if not isinstance(given, (list, tuple)) or len(given) != 2:
            raise ModelError(f"policy.d = {given!r} must be two whole numbers: fast and slow servers to ask.")
        for d in given:
            _at_least_one(d, "policy.d")
        for name in ("p_slow", "p_fast"):
            p = getattr(self, name)
            if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
                raise ModelError(f"policy.{name} = {p!r} must be a probability, from 0 to 1.")
        object.__setattr__(self, "d", tuple(given))

    @property
    def samples(self) -> int:
        return 1 + sum(self.d)

    def candidates(self, sight: Sight) -> IntArray:
        fast, slow = self.polled(sight.rates, sight.samples[1:])
        seen = sight.servers
        if any(seen[n].queue_length == 0 for n in fast.tolist()):
            return fast
        to_slow = self.p_slow if any(seen[n].queue_length == 0 for n in slow.tolist()) else 1 - self.p_fast
        return slow if sight.samples[0] < to_slow else fast

    def polled(self, rates: Rates, samples: FloatArray) -> tuple[IntArray, IntArray]:
        """The fast and the slow servers asked."""
        n_fast, n_slow = rates.counts.tolist()
        d_fast = self.d[0]
        return drawn(samples[:d_fast], 0, n_fast, replace=False), drawn(samples[d_fast:], n_fast, n_slow, replace=False)

    def check(self, rates: Rates) -> None:
        if rates.n_classes != 2:
            raise ModelError(f"policy: fast and slow servers are asked where there are 2 speed classes; there {_classes(rates)}.")
        AskEachClass(self.d).check(rates)

    def asks(self, rates: Rates) -> float:
        return float(sum(self.d))

    def describe(self) -> dict[str, Any]:
        return {"ask": "fast and slow", "d": list(self.d), "p_slow": self.p_slow, "p_fast": self.p_fast}


@dataclass(frozen=True)
class IdleFirst:
    """The idle servers, whom the dispatcher remembers from their reports; if there are none, `then`.

    Whatever the policy's key says, its rank table puts idle servers ahead of busy ones.
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

    All idle servers have no work left. A full server is a candidate only when all are full.
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

    Not a dispatcher at all, since it need not choose before it knows who is free first: a bound from below.
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


def _at_least_one(value: Any, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ModelError(f"{name} = {value!r} must be a whole number of servers to ask, at least 1.")


def _entries(n: int) -> str:
    return f"{n} entr{'y' if n == 1 else 'ies'}"


def _classes(rates: Rates) -> str:
    sizes = f", of {', '.join(map(str, rates.counts.tolist()))} servers" if rates.n_classes <= LISTED else ""
    return f"{'is 1 speed class' if rates.n_classes == 1 else f'are {rates.n_classes} speed classes'}{sizes}"
