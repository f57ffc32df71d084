"""When a metric is known well enough, how many more replications to ask for, and when more would not help.

In    a Precision, the estimate so far, how many replications it rests on and what they took
Out   how many more, and in words why a precision was not reached
Rule  of what was never seen no relative precision can be had: what is known is an upper limit, and a run goes on only
      while the precision might still be reached within the time, were the value as large as that limit
Cost  nothing
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import scipy

from jfsq_simpy.errors import PlanError
from jfsq_simpy.estimate import Estimate
from jfsq_simpy.metrics import METRICS

FEWEST_TO_STOP = 30  # units; of 10, whoever stops at a width that happens to be small covers 92 % where 95 % were asked for


@dataclass(frozen=True)
class Precision:
    """Add replications until `metric` is known to `relative` (half width over value), or `max_seconds` have passed."""

    metric: str = "waiting_probability"
    relative: float = 0.05
    max_seconds: float = 600.0

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise PlanError(f"precision.metric = {self.metric!r} is not a metric; known: {', '.join(METRICS)}.")
        if not _is_above_0(self.relative):
            raise PlanError(f"precision.relative = {self.relative!r} must be above 0: half width of the interval over the value.")
        if not _is_above_0(self.max_seconds):
            raise PlanError(f"precision.max_seconds = {self.max_seconds!r} must be a finite time above 0.")


def is_reached(goal: Precision, estimate: Estimate) -> bool:
    """Whether the half width is the share of the value that was asked for, on units enough to be believed."""
    return estimate.half_width <= goal.relative * estimate.value and estimate.n >= FEWEST_TO_STOP


def more_wanted(goal: Precision, estimate: Estimate, n: int, *, cost: float, spent: float) -> int:
    """How many replications to add to `n` that took `cost` seconds in all, `spent` of max_seconds being over; 0 to stop.

    At most twice as many at a time: the width is itself an estimate.
    """
    if _is_hopeless(goal, estimate, cost):
        return 0
    growth = 1.0
    if estimate.value > 0 and math.isfinite(estimate.half_width):
        growth = min((estimate.half_width / (goal.relative * estimate.value)) ** 2 - 1, 1.0)  # widths fall like 1/sqrt(n)
    affordable = math.floor((goal.max_seconds - spent) / max(spent / n, 1e-9))
    return max(min(max(math.ceil(n * growth), FEWEST_TO_STOP - n, 1), affordable), 0)


def times_as_much(goal: Precision, estimate: Estimate) -> float:
    """How many times what has been simulated a precision takes at least, of a metric that has been 0 so far.

    What would have shown with probability `level` happens -log(1 - level) times so far at most, three times for
    95 %; and a mean number m of independent events is known to z / sqrt(m) of its value.

    >>> never = Estimate(0.0, 0.0, 0.001, 0.95, 10, "none seen: one-sided upper limit")
    >>> round(times_as_much(Precision("blocking_probability", relative=0.05), never))
    513
    """
    z = float(scipy.special.ndtri((1 + estimate.level) / 2))
    return max((z / goal.relative) ** 2 / -math.log1p(-estimate.level), 2.0)


def why_not(goal: Precision, estimate: Estimate, n: int, *, cost: float, spent: float) -> str:
    """What is known instead of the precision asked for, and the way out."""
    if estimate.value == 0:
        factor = times_as_much(goal, estimate)
        return (
            f"{goal.metric} was 0 in all {n:,} replications and is known to be at most {estimate.high:.3g}: no interval is "
            f"{goal.relative:g} of a value that was never seen. Even if it is as large as that, it takes some {factor:,.0f} times "
            f"as much, {cost * factor:,.3g} s (max_seconds = {goal.max_seconds:g}). Rather take this limit, or sharpen it by more "
            "replications; a higher load or fewer places make the event less rare; small systems are solved exactly (jfsq exact)."
        )
    if estimate.half_width <= goal.relative * estimate.value:
        return (
            f"{goal.metric} = {estimate.value:.4g} lies in {estimate.low:.3g} .. {estimate.high:.3g} by the spread of {estimate.n} "
            f"units, and fewer than {FEWEST_TO_STOP} are not believed when a run stops at a width, after {spent:.3g} s; give more "
            "time (precision.max_seconds) or shorter replications (jobs, horizon)."
        )
    return (
        f"{goal.metric} = {estimate.value:.4g} is known to lie in {estimate.low:.3g} .. {estimate.high:.3g} (half width "
        f"{estimate.half_width:.3g}), not to {goal.relative:g} of its value, after {spent:.3g} s; give more time "
        "(precision.max_seconds) or a coarser goal (relative)."
    )


def _is_hopeless(goal: Precision, estimate: Estimate, cost: float) -> bool:
    """Whether a metric that was never seen could not be known within the time, even at its upper limit."""
    seen = estimate.value > 0 or estimate.n < FEWEST_TO_STOP
    return not seen and cost * times_as_much(goal, estimate) > goal.max_seconds


def _is_above_0(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < math.inf
