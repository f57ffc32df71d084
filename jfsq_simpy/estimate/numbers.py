"""One metric, one number, one interval.

In    a Sample, the name of a metric
Out   its Estimate, on the scale that suits it
Rule  0 events seen is not probability 0: then the upper limit is reported, times the most the metric can be
Cost  one evaluation of the metric a unit
"""

from __future__ import annotations

import math
from collections.abc import Callable

from numpy.typing import ArrayLike

from jfsq_simpy import metrics
from jfsq_simpy.estimate.limits import Limits, on_log_scale, on_logit_scale, symmetric, upper_limit
from jfsq_simpy.estimate.sample import Estimate, Sample
from jfsq_simpy.estimate.spreads import method_of, spread
from jfsq_simpy.system import System


def estimate(sample: Sample, name: str) -> Estimate:
    """One metric with its interval. Errors: KeyError for an unknown name."""
    formula = metrics.METRICS[name]
    most = 1.0 if name in metrics.PROBABILITIES else math.inf
    found = spread(sample.counts, lambda t: formula(sample.averages(t)), most)
    largest, value = _largest_value(sample.system, name), float(found.value)
    if value == 0 and largest is not None:
        limit = upper_limit(sample) * largest
        return Estimate(0.0, 0.0, limit, sample.level, found.n, "none seen: one-sided upper limit")
    scale = limits_of(sample.system, name)
    low, high = scale(value, found.half)
    return Estimate(value, float(low), float(high), sample.level, found.n, method_of(sample, found, scale.__name__))


def limits_of(system: System, name: str) -> Callable[[ArrayLike, ArrayLike], Limits]:
    """The scale on which a metric's interval is symmetric."""
    if _largest_value(system, name) is None:
        return symmetric
    return on_logit_scale if name in metrics.PROBABILITIES else on_log_scale


def _largest_value(system: System, name: str) -> float | None:
    """For metrics that are 0 exactly when no job waited (or was blocked): the most they can be."""
    room = system.places - 1
    # behind j jobs a wait has mean j / mu_N at most; a job found in service has (1 + scv) / 2 left in the mean
    longest = (room - 1 + max((1 + system.size.scv) / 2, 1.0)) / system.rates.slowest
    return {
        "waiting_probability": 1.0,
        "blocking_probability": 1.0,
        "buffered_probability": 1.0 if room else None,
        "mean_wait": longest if room else None,
        "mean_waiting_jobs": float(room * system.n_servers) if room else None,
    }.get(name)
