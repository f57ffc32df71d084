"""What policies are compared by: every metric, and quantiles of wait and response.

In    a name: one of `metrics.METRICS`, or wait_p50, wait_p99.9, response_p99, ...
Out   a Measure: an Estimate of a Run, and the values with each replication left out
Rule  a quantile of all replications together, never a mean of quantiles; a rare one moves by jumps, so its
      intervals need replications of many jobs
Cost  a metric is cheap; a quantile evaluates a tail some forty times for each replication
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from jfsq_simpy import metrics
from jfsq_simpy.errors import PlanError
from jfsq_simpy.estimate import Estimate, Sample, ccdf_of, left_out, quantile_estimate
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.run import Run
from jfsq_simpy.tally import Tally

DELAY = "mean_response"  # what a user of the system feels; a wait alone forgets how slow the server is
PERCENTS = ("50", "99", "99.9")
QUANTILES = tuple(f"{which}_p{percent}" for which in ("wait", "response") for percent in PERCENTS)
_QUANTILE = re.compile(r"(wait|response)_p(\d{1,2}(?:\.\d+)?)")


@dataclass(frozen=True)
class Measure:
    """One number about a run, by name."""

    name: str

    def estimate(self, run: Run) -> Estimate:
        """Its value and interval for one run alone."""
        if self.name in metrics.METRICS:
            return run[self.name]
        which, p = self._quantile()
        sample = _bands_together(run.sample)
        return quantile_estimate(sample, p, ccdf_of(sample, which, _method(sample)))

    def left_out(self, run: Run) -> tuple[float, FloatArray]:
        """Its value, and its values without each replication: float array (n_replications,)."""
        sample = run.sample.counts if self.name in metrics.METRICS else _bands_together(run.sample)
        measure = self._function(sample)
        return measure(sample.pooled), left_out(sample.pooled, sample.units, measure)

    def _function(self, sample: Sample) -> Callable[[Tally], float]:
        if self.name in metrics.METRICS:
            formula = metrics.METRICS[self.name]
            return lambda tally: formula(sample.averages(tally))
        which, p = self._quantile()
        tail = ccdf_of(sample, which, _method(sample))
        return lambda tally: metrics.quantile(lambda times: tail(tally, times), p)

    def _quantile(self) -> tuple[str, float]:
        found = _QUANTILE.fullmatch(self.name)
        assert found is not None
        return found[1], float(found[2]) / 100


def as_measure(name: str) -> Measure:
    """The Measure of a name. Errors: PlanError.

    >>> as_measure("response_p99.9")
    Measure(name='response_p99.9')
    """
    if not isinstance(name, str) or (name not in metrics.METRICS and _QUANTILE.fullmatch(name) is None):
        raise PlanError(
            f"metric = {name!r} is not one to compare by; known: {', '.join(metrics.METRICS)}, and quantiles such as wait_p99 "
            "or response_p99.9."
        )
    return Measure(name)


def _method(sample: Sample) -> str:
    return "erlang" if sample.units[0].wait_bins is None else "empirical"


def _bands_together(sample: Sample) -> Sample:
    """The same with waits and responses of all speeds in one histogram: a quantile looks at it many times."""
    if sample.units[0].wait_bins is None:
        return sample
    units = [
        replace(t, **{k: getattr(t, k).sum(axis=0, keepdims=True) for k in ("wait_bins", "response_bins")}) for t in sample.units
    ]
    return replace(sample, units=units)
