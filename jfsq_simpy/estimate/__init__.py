"""From tallies to numbers with honest intervals.

In    tallies of independent units: replications, or the batches of one long run
Out   Estimates: value, interval, how many units, by which method
Rule  the unit is the replication (or batch), never the job: one run's jobs are correlated. Zero events
      seen is not probability zero: then the upper limit is reported
Cost  one evaluation of the metric a unit
"""

from jfsq_simpy.estimate.batches import (
    FEWEST_BATCHES,
    LARGEST_BATCH_CORRELATION,
    STRONGEST_CORRECTION,
    correlation_factor,
    joined_in_pairs,
    neighbour_correlation,
)
from jfsq_simpy.estimate.distributions import ccdf_of, empirical_ccdf, quantile_estimate, shares
from jfsq_simpy.estimate.leaving_out import Spread, jackknife_half_width, left_out
from jfsq_simpy.estimate.limits import Limits, on_log_scale, on_logit_scale, symmetric, upper_limit
from jfsq_simpy.estimate.numbers import estimate, limits_of
from jfsq_simpy.estimate.regression import NO_MORE_THAN_ROUNDING
from jfsq_simpy.estimate.sample import UNITS_PER_CONTROL, Controls, Estimate, Sample
from jfsq_simpy.estimate.spreads import jackknife, spread

__all__ = [
    "FEWEST_BATCHES",
    "LARGEST_BATCH_CORRELATION",
    "NO_MORE_THAN_ROUNDING",
    "STRONGEST_CORRECTION",
    "UNITS_PER_CONTROL",
    "Controls",
    "Estimate",
    "Limits",
    "Sample",
    "Spread",
    "ccdf_of",
    "correlation_factor",
    "empirical_ccdf",
    "estimate",
    "jackknife",
    "jackknife_half_width",
    "joined_in_pairs",
    "left_out",
    "limits_of",
    "neighbour_correlation",
    "on_log_scale",
    "on_logit_scale",
    "quantile_estimate",
    "shares",
    "spread",
    "symmetric",
    "upper_limit",
]
