"""What is estimated from, and what an estimate is.

In    tallies, one a replication or one a batch, and what is known of the noise they share (controls)
Out   a Sample for the measures; an Estimate for the reader
Rule  five replications pay for one coefficient of a control: with few of them, fewer controls are used
Cost  the pooled tally is added up once
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from jfsq_simpy import metrics
from jfsq_simpy.metrics import Averages
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups, Tally, merged

UNITS_PER_CONTROL = 5  # replications that fitting one more coefficient must be worth


@dataclass(frozen=True)
class Estimate:
    """A measured number: `low` to `high` is its confidence interval at `level`, from `n` units.

    >>> Estimate(0.25, 0.125, 0.5, 0.95, 10, "Student t").half_width
    0.1875
    """

    value: float
    low: float
    high: float
    level: float
    n: int
    method: str

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    def __float__(self) -> float:
        return self.value

    def to_dict(self) -> dict[str, Any]:
        """JSON's shape: value, low, high, level, n, method; nan and infinity become None."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Controls:
    """Quantities whose mean is known to be 0, the most useful first: what they are off is noise that other measures share."""

    names: tuple[str, ...]  # (n_controls,), the kind of each
    measure: Callable[[Tally], FloatArray]  # (n_controls,)


@dataclass(frozen=True)
class Sample:
    """The units an estimate is made from: one tally each, exchangeable, and how they came about.

    With `controls` every number made from it is corrected by a regression on them.
    """

    system: System
    groups: Groups
    units: Sequence[Tally]
    level: float
    what: str  # "replications" or "batches"
    looks: float  # independent glances at the system all units together amount to
    controls: Controls | None = None

    @property
    def n_controls(self) -> int:
        """How many controls the replications allow for: one coefficient for five of them, after the first five."""
        if self.controls is None or self.what != "replications":
            return 0
        return min(len(self.controls.names), max(len(self.units) // UNITS_PER_CONTROL - 1, 0))

    @cached_property
    def pooled(self) -> Tally:
        return merged(self.units)

    @cached_property
    def counts(self) -> Sample:
        """The same without the binned times, which are large and which no single number needs."""
        if self.units[0].wait_bins is None:
            return self
        none = np.zeros((0, 0), np.int64)
        return replace(self, units=[replace(t, wait_bins=none, response_bins=none) for t in self.units])

    def averages(self, tally: Tally) -> Averages:
        return metrics.averages(self.system, self.groups, tally)
