"""One metric, one number, one interval.

In    a Sample, the name of a metric
Out   its Estimate, on the scale that suits it
Rule  0 events seen is not probability 0, nor 1 when nothing else was seen: then one limit is where the metric stood
      all along, the other as far off as what was never seen could take it
Cost  one evaluation of the metric a unit
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy import metrics
from jfsq_simpy.estimate.limits import Limits, on_log_scale, on_logit_scale, symmetric, upper_limit
from jfsq_simpy.estimate.sample import Estimate, Sample
from jfsq_simpy.estimate.spreads import method_of, spread
from jfsq_simpy.system import System

ROUNDING = 1e-12  # relative: shares that should add up to a whole
RARE = frozenset(
    {"waiting_probability", "blocking_probability", "buffered_probability", "mean_wait", "mean_waiting_jobs"}
    | {"idle_among_n1", "idle_among_n2"}
)  # means of what may hardly ever happen


def estimate(sample: Sample, name: str) -> Estimate:
    """One metric with its interval. Errors: KeyError for an unknown name."""
    formula = metrics.formula_of(name)
    flow = _by_flow(sample.system, name) if sample.n_controls else None
    if flow is not None:
        return _from_blocking(estimate(sample, "blocking_probability"), *flow)
    ends = _range(sample.system, name)
    found = spread(sample.counts, lambda t: formula(sample.averages(t)), ends.high)
    value, width = float(found.value), _longest_wait(sample.system) if name == "mean_wait" else ends.high - ends.low
    reach = upper_limit(sample) * width
    if value <= ends.low < ends.high:
        return Estimate(value, value, value + reach, sample.level, found.n, "none seen: one-sided upper limit")
    if value >= ends.high * (1 - ROUNDING) > ends.low:
        return Estimate(ends.high, ends.high - reach, ends.high, sample.level, found.n, "nothing else seen: one-sided lower limit")
    scale = limits_of(sample.system, name)
    low, high = np.clip(scale(value, found.half), ends.low, ends.high)
    return Estimate(value, float(low), float(high), sample.level, found.n, method_of(sample, found, scale.__name__))


def limits_of(system: System, name: str) -> Callable[[ArrayLike, ArrayLike], Limits]:
    """The scale on which a metric's interval is symmetric."""
    if name not in RARE or not _range(system, name).high:
        return symmetric
    return on_logit_scale if name in metrics.PROBABILITIES else on_log_scale


def _range(system: System, name: str) -> Limits:
    """The least and the most a metric can be; without bounds where no state or job alone says how far it goes."""
    n, places = float(system.n_servers), float(system.places)
    room = places > 1
    most = {
        "waiting_probability": 1.0,
        "blocking_probability": 1.0,
        "buffered_probability": float(room),
        "mean_wait": math.inf if room else 0.0,  # of waits measured one by one no mean is out of reach
        "mean_jobs": places * n,
        "mean_queue": places,
        "mean_waiting_jobs": (places - 1) * n,
        "mean_busy": n,
        "busy_capacity": n,
        "idle_among_n1": float(system.n1().floor),
        "idle_among_n2": float(system.n2.floor),
    }
    return Limits(0.0, most[name]) if name in most else Limits(-math.inf, math.inf)


def _longest_wait(system: System) -> float:
    """The most a wait can be in the mean, whatever a job finds."""
    # behind j jobs a wait has mean j / mu_N at most; a job found in service has (1 + scv) / 2 left in the mean
    return (system.places - 2 + max((1 + system.size.scv) / 2, 1.0)) / system.rates.slowest


def _by_flow(system: System, name: str) -> tuple[float, float] | None:
    """(a, c) for metrics that are a + c p_B where accepted work is done work: what controls by work leave of them.

    Corrected by a regression they would be a constant while nobody is blocked, with an interval of width 0;
    what they hang on is p_B, which has limits even then.
    """
    work = system.arrival_rate
    if name == "busy_capacity":
        return work, -work
    if system.rates.n_classes > 1 or name not in ("mean_busy", "idle_among_n1", "idle_among_n2"):
        return None
    if name == "mean_busy":
        return work, -work
    if system.policy.ties == "index":
        return None
    share = (system.n1() if name == "idle_among_n1" else system.n2).floor / system.n_servers
    return share * (system.n_servers - work), share * work


def _from_blocking(blocked: Estimate, a: float, c: float) -> Estimate:
    low, high = sorted((a + c * blocked.low, a + c * blocked.high))
    return replace(blocked, value=a + c * blocked.value, low=low, high=high, method=f"accepted work; p_B: {blocked.method}")
