"""How fast waiting vanishes: the log-log slope of a metric in N, beside the theorem's order.

In    Runs (or exact laws) of one alpha at several N
Out   a slope with its interval, and the slope of Theorem 1's order over the same N
Rule  all points of a seed see the same jobs, so the replication is the unit: one is left out at every point
      at once (jackknife). An order is an upper bound: falling faster breaks nothing
Cost  replications x points evaluations of the metric
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from jfsq_simpy.errors import PlanError
from jfsq_simpy.metrics import METRICS
from jfsq_simpy.run import Run
from jfsq_simpy.tally import Tally, merged
from jfsq_simpy.theory import waiting
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.record import number
from jfsq_simpy.theory.report import FALSE_ALARM

ORDERS: dict[str, Callable[[Parameters], float]] = {
    "waiting_probability": waiting.waiting_probability_order,
    "mean_wait": waiting.mean_wait_order,
}


@dataclass(frozen=True)
class Scaling:
    """A metric's slope d log(value) / d log N over some N, and what Theorem 1's order does there."""

    metric: str
    alpha: float
    n_servers: tuple[int, ...]
    values: tuple[float, ...]
    slope: float
    low: float
    high: float
    error: float  # standard error; 0 when the values are exact
    units: int  # replications; 0 when exact
    order_slope: float  # of Theorem 1's (corrected) order over the same N, logarithms included
    order_exponent: float  # the power of N in it: -min(alpha, 1 - alpha)

    @property
    def verdict(self) -> str:
        """Whether the metric falls at least as fast as the order."""
        gap = self.slope - self.order_slope
        if gap <= 1e-9:
            return "falls at least as fast as the theorem's order"
        if self.error > 0 and gap / self.error <= float(scipy.stats.t.isf(FALSE_ALARM, self.units - 1)):
            return "falls as fast as the theorem's order, within noise"
        return "falls more slowly than the theorem's order over these N"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {k: number(v) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return {**plain, "n_servers": list(self.n_servers), "values": list(self.values), "verdict": self.verdict}


def slope(n_servers: ArrayLike, values: ArrayLike) -> float:
    """Least-squares slope of log values against log N. Errors: PlanError for fewer than two N, or values <= 0.

    >>> round(slope([100, 1000, 10000], [1.0, 0.1, 0.01]), 12)
    -1.0
    """
    n, v = np.asarray(n_servers, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if np.unique(n).size < 2:
        raise PlanError(f"a slope in N needs at least two different N; given {n.tolist()}.")
    if not (v > 0).all():
        raise PlanError(
            f"a value of 0 has no logarithm: at N = {n[v <= 0].tolist()} nothing was seen. Measure longer, or leave it out."
        )
    x = np.log(n) - np.log(n).mean()
    return float(x @ np.log(v) / (x @ x))


def scaling(points: Sequence[Any], metric: str = "waiting_probability", *, level: float = 0.95) -> Scaling:
    """The slope of a metric over Runs (or exact laws) of one alpha, with its interval.

    Runs must have the same replication numbers, since those are the units. Errors: PlanError.

    >>> from jfsq_simpy import System, exact, rates
    >>> laws = [exact.solve(System(rates.homogeneous(n), alpha=0.75, places=2)) for n in (100, 200)]
    >>> scaling(laws, "mean_wait").order_exponent
    -0.25
    """
    if metric not in ORDERS:
        raise PlanError(f"metric = {metric!r}: Theorem 1 gives orders for {', '.join(ORDERS)}.")
    points = sorted(points, key=lambda p: p.system.n_servers)
    alpha = _one_alpha(points)
    n = [p.system.n_servers for p in points]
    values = [float(p[metric]) for p in points]
    found = slope(n, values)
    error, units = _jackknife(points, metric, n) if all(isinstance(p, Run) for p in points) else (0.0, 0)
    half = float(scipy.stats.t.ppf((1 + level) / 2, units - 1)) * error if units > 1 else (0.0 if units == 0 else math.nan)
    at = [Parameters.from_system(p.system) for p in points]
    return Scaling(
        metric=metric,
        alpha=alpha,
        n_servers=tuple(n),
        values=tuple(values),
        slope=found,
        low=found - half,
        high=found + half,
        error=error,
        units=units,
        order_slope=slope(n, [ORDERS[metric](p) for p in at]),
        order_exponent=-waiting.order_exponent(at[-1]),
    )


def _one_alpha(points: Sequence[Any]) -> float:
    alphas = [p.system.alpha for p in points]
    if not points or any(a is None for a in alphas) or max(alphas) - min(alphas) > 1e-9:
        raise PlanError(f"a slope in N is taken at one alpha; these points have alpha = {sorted(set(map(str, alphas)))}.")
    return float(alphas[0])


def _jackknife(points: Sequence[Run], metric: str, n: Sequence[int]) -> tuple[float, int]:
    numbers = points[0].replications
    if any(p.replications != numbers for p in points):
        raise PlanError(
            "the points have different replication numbers, but a slope's unit is the replication; run all with the same."
        )
    if len(numbers) < 2:
        return math.nan, len(numbers)
    left_out = []
    for i in range(len(numbers)):
        values = [_value(p, metric, [b for r, batches in enumerate(p.tallies) if r != i for b in batches]) for p in points]
        left_out.append(slope(n, values))
    spread = np.array(left_out)
    k = len(numbers)
    return float(np.sqrt((k - 1) / k * ((spread - spread.mean()) ** 2).sum())), k


def _value(run: Run, metric: str, tallies: Sequence[Tally]) -> float:
    return METRICS[metric](run.sample.averages(merged(tallies)))
