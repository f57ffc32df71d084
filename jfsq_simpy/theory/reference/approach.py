"""How fast runs come near their mean field: the error against N, and its slope.

In    Runs of one policy at several N, the rest alike
Out   an Approach: measured less limit at each N, the slope of its logarithm, with intervals
Rule  all N of a seed see the same jobs, so one replication is left out at every N at once (jackknife);
      a point whose interval reaches 0 says nothing of a slope
Cost  replications x points estimates
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from jfsq_simpy.controls import controlled
from jfsq_simpy.errors import PlanError
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.run import Run
from jfsq_simpy.theory.reference.mean_field import fixed_point
from jfsq_simpy.theory.scaling import slope


@dataclass(frozen=True, eq=False)
class Approach:
    """A metric less its limit: `errors`, `low`, `high` float arrays (n_points,), and d log |error| / d log N."""

    metric: str
    limit: float
    n_servers: FloatArray
    errors: FloatArray
    low: FloatArray
    high: FloatArray
    slope: float
    slope_low: float
    slope_high: float

    @property
    def coefficient(self) -> float:
        """N times the error at the largest N: about what 1/N is multiplied by."""
        return float(self.n_servers[-1] * self.errors[-1])


def approach(runs: Sequence[Run], metric: str = "mean_queue", *, level: float = 0.95) -> Approach:
    """How the runs come near their limit. Errors: PlanError for runs that have none in common, ModelError.

    >>> from jfsq_simpy import System, rates, simulate
    >>> systems = [System(rates.homogeneous(n), load=0.8, places=5, policy={"name": "jsq_d", "d": 2}) for n in (4, 8)]
    >>> found = approach([simulate(s, jobs=2000, replications=4, warmup=20, rng=1, workers=1) for s in systems])
    >>> round(found.limit, 4), found.errors.size
    (1.5579, 2)
    """
    runs = sorted(runs, key=lambda run: run.system.n_servers)
    limits = [float(getattr(fixed_point(run.system), metric)) for run in runs]
    if len(runs) < 2 or max(limits) - min(limits) > 1e-9 * max(map(abs, limits)):
        raise PlanError(f"runs of one limit at several N are needed; theirs are {sorted(set(limits))} for {metric}.")
    if len({tuple(run.replications) for run in runs}) > 1 or len(runs[0].replications) < 2:
        raise PlanError("the runs must have the same replications, two or more: they are the units of the interval.")
    n = np.array([run.system.n_servers for run in runs], dtype=np.float64)
    found = [controlled(replace(run.sample, level=level), metric) for run in runs]
    errors = np.array([e.value for e in found]) - limits[0]
    units = len(runs[0].replications)
    left_out = np.array([_slope(n, [_without(run, metric, i) - limits[0] for run in runs]) for i in range(units)])
    spread = float(np.sqrt((units - 1) / units * ((left_out - left_out.mean()) ** 2).sum()))
    half = float(scipy.stats.t.ppf((1 + level) / 2, units - 1)) * spread
    at = _slope(n, errors)
    low, high = (np.array([getattr(e, side) for e in found]) - limits[0] for side in ("low", "high"))
    return Approach(metric, limits[0], n, errors, low, high, at, at - half, at + half)


def _without(run: Run, metric: str, i: int) -> float:
    """The metric from all replications but one."""
    units = run.sample.units
    return controlled(replace(run.sample, units=[*units[:i], *units[i + 1 :]]), metric).value


def _slope(n: FloatArray, errors: Sequence[float] | FloatArray) -> float:
    return slope(n, np.abs(np.asarray(errors, dtype=np.float64)))
