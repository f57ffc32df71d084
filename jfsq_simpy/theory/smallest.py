"""From which N on: where conditions begin to hold, where a bound begins to say something.

In    a Family of fleets, alpha, b, r, and conditions or a bound as functions of Parameters
Out   Smallest: log10 N and what binds there
Rule  "from N on" means for every larger N as well, so the search comes down from above; conditions are
      solved in log N (as far as the family's rates are floats: 10^43429 where mu_1 is fixed), bounds as far as floats go (10^300)
Cost  a few hundred evaluations
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jfsq_simpy.theory import conditions as given
from jfsq_simpy.theory.families import HOMOGENEOUS, Family
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.record import Condition, Statement, log

LN10 = math.log(10)
LOWEST = math.log(2)
HIGHEST_BOUND = 300 * LN10
STEPS_PER_DOUBLING = 40

Conditions = Callable[[Parameters], tuple[Condition, ...]]
Bound = Callable[[Parameters], float]


@dataclass(frozen=True)
class Smallest:
    """From which N on something holds; `log10_n` is inf when it never does within reach."""

    log10_n: float
    binding: str

    @property
    def exists(self) -> bool:
        """Whether such an N was found."""
        return math.isfinite(self.log10_n)

    def __str__(self) -> str:
        return f"10^{self.log10_n:.2f}" if self.exists else "no N"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"log10_n": self.log10_n if self.exists else None, "binding": self.binding}


def smallest_n(
    alpha: float,
    places: int,
    *,
    order: int = 1,
    family: Family = HOMOGENEOUS,
    epsilon: float | None = None,
    conditions: Conditions = given.assumption,
) -> Smallest:
    """From which N on all `conditions` hold (default: Assumption 1 or 2, corrected).

    Returns log10 N and the condition that binds there. Source: section 2.

    >>> print(smallest_n(0.25, 2, epsilon=0.5), smallest_n(0.5, 2), smallest_n(0.75, 2))
    10^33.81 10^8.54 10^20.04
    """

    def at(log_n: float) -> Parameters:
        return family.parameters(log_n=log_n, alpha=alpha, places=places, order=order, epsilon=epsilon)

    def margin(log_n: float) -> float:
        # relative to the rounding that counts as meeting, so that nu = 3 (always an equality) does not bind
        return min(c.log_factor for c in conditions(at(log_n))) + 1e-11

    log_n = _last_crossing(margin, LOWEST, family.reach)
    worst = min(conditions(at(min(log_n, family.reach))), key=lambda c: c.log_factor)
    return Smallest(log_n / LN10, worst.name)


def first_below(
    bound: Bound,
    level: float,
    alpha: float,
    places: int,
    *,
    order: int = 1,
    family: Family = HOMOGENEOUS,
    epsilon: float | None = None,
) -> Smallest:
    """From which N on `bound(parameters)` is below `level`, whether or not its conditions hold there.

    >>> from jfsq_simpy.theory.waiting import waiting_probability
    >>> print(first_below(lambda p: waiting_probability(p, "paper", 1 / p.n), 1.0, 0.25, 2, epsilon=0.5))
    10^5.63
    """

    def margin(log_n: float) -> float:
        return math.log(level) - log(
            bound(family.parameters(log_n=log_n, alpha=alpha, places=places, order=order, epsilon=epsilon))
        )

    return Smallest(_last_crossing(margin, LOWEST, min(HIGHEST_BOUND, family.reach)) / LN10, "the bound itself")


def first_meaningful(
    build: Callable[[Parameters], Statement], alpha: float, places: int, *, order: int = 1, family: Family = HOMOGENEOUS
) -> Smallest:
    """From which N on a statement's bound beats the trivial one, whether or not its conditions hold there."""

    def margin(log_n: float) -> float:
        s = build(family.parameters(log_n=log_n, alpha=alpha, places=places, order=order))
        gap = log(s.trivial) - s.log_bound
        return gap if gap > 0 else -math.inf  # as good as trivial is still vacuous

    return Smallest(_last_crossing(margin, LOWEST, min(HIGHEST_BOUND, family.reach)) / LN10, "the bound itself")


def _last_crossing(margin: Callable[[float], float], low: float, high: float) -> float:
    """The largest log N where `margin` turns from negative to positive; inf when it ends negative."""
    grid = np.geomspace(low, high, math.ceil(STEPS_PER_DOUBLING * math.log2(high / low)))
    if not margin(float(grid[-1])) >= 0:
        return math.inf
    for k in range(grid.size - 2, -1, -1):
        if not margin(float(grid[k])) >= 0:
            return _bisect(margin, float(grid[k]), float(grid[k + 1]))
    return low


def _bisect(margin: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(60):
        middle = (low + high) / 2
        if margin(middle) >= 0:
            high = middle
        else:
            low = middle
    return high
