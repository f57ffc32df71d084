"""Whom a dispatcher asks who tells classes of speed apart: one class drawn first, some of each, or fast and slow.

In    a Sight: the job's uniform numbers and the speed classes
Out   the candidates: indices of servers, ascending, each once
Rule  a class is drawn by its probability, not by its share of servers; inside a class the draws of `queries` hold
Cost  O(servers asked + speed classes)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies.queries import at_least_one, drawn
from jfsq_simpy.policies.sight import Sight
from jfsq_simpy.rates import FloatArray, IntArray, Rates

SHARES_SUM_TO_1 = 1e-9  # how far probabilities may be from a sum of 1
LISTED = 8  # speed classes whose sizes a message spells out


@dataclass(frozen=True)
class AskClass:
    """One speed class, chosen with given probabilities (fastest class first); inside it all, or a sample of d.

    The first uniform number chooses the class, the next d draw without replacement inside it. O(servers asked).
    Errors: ModelError.

    >>> from jfsq_simpy.rates import two_speed
    >>> AskClass((0.6, 0.4)).candidates(Sight.of(two_speed(4, ratio=3), 2, [0, 0, 0, 0], samples=[0.7]))
    array([2, 3])
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
            at_least_one(self.d, "policy.d")

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
    """d_k servers of each speed class k (fastest first), drawn without replacement: JSQ-(d_F, d_S).

    O(sum of d). Errors: ModelError.

    >>> from jfsq_simpy.rates import two_speed
    >>> AskEachClass((1, 1)).candidates(Sight.of(two_speed(4, ratio=3), 2, [0, 0, 0, 0], samples=[0.0, 0.9]))
    array([0, 3])
    """

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
    Whatever the policy's key says, its rank table puts idle servers ahead of busy ones. O(sum of d). Errors: ModelError.

    >>> from jfsq_simpy.rates import two_speed
    >>> query = AskFastSlow((1, 1), p_slow=1.0, p_fast=0.0)
    >>> query.candidates(Sight.of(two_speed(2, ratio=3), 2, [1, 0], samples=[0.5, 0.0, 0.0]))
    array([1])
    """

    d: tuple[int, int]
    p_slow: float
    p_fast: float

    def __post_init__(self) -> None:
        given = self.d
        if not isinstance(given, (list, tuple)) or len(given) != 2:
            raise ModelError(f"policy.d = {given!r} must be two whole numbers: fast and slow servers to ask.")
        for d in given:
            at_least_one(d, "policy.d")
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


def _entries(n: int) -> str:
    return f"{n} entr{'y' if n == 1 else 'ies'}"


def _classes(rates: Rates) -> str:
    sizes = f", of {', '.join(map(str, rates.counts.tolist()))} servers" if rates.n_classes <= LISTED else ""
    return f"{'is 1 speed class' if rates.n_classes == 1 else f'are {rates.n_classes} speed classes'}{sizes}"
