"""The spread every interval starts from: corrected by controls where that is possible, plain where not.

In    a Sample; a measure, any function of a Tally
Out   its value and half width, what they rest on, and that in words
Rule  a correction that would take a value to 0, or past the most it can be, is not made
Cost  twice the jackknife's where there are controls
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jfsq_simpy.estimate.leaving_out import Spread, plain_spread
from jfsq_simpy.estimate.regression import regressed
from jfsq_simpy.estimate.sample import Sample
from jfsq_simpy.tally import Tally


def jackknife(sample: Sample, measure: Callable[[Tally], Any]) -> tuple[Any, Any]:
    """A measure of the pooled counts, and the half width of its interval (nan with fewer than two units).

    Leaves out one unit at a time; for a plain mean this is Student's t exactly, for a ratio it takes
    the correlation of numerator and denominator into account. Batches are treated as in `spread`.
    O(units) evaluations.
    """
    found = spread(sample, measure)
    return found.value, found.half


def spread(sample: Sample, measure: Callable[[Tally], Any], most: float = math.inf) -> Spread:
    """`jackknife`, and what it rests on; corrected where the sample has controls and replications enough.

    `most` : what no value can exceed; a correction that would leave (0, most) is not made.

    Batches of one run are joined in pairs while neighbours are correlated above 0.3 and 16 or more are
    left; for the correlation r that remains the variance is multiplied by (1 + r) / (1 - r), as for an
    autoregression, with r + 1/n for r because a lag-1 correlation is biased by -1/n.
    """
    plain = plain_spread(sample, measure)
    if not sample.n_controls:
        return plain
    sharp = regressed(sample, measure)
    usable = np.asarray((sharp.value > 0) & (sharp.value < most))
    if not usable.any():
        return plain
    value, half = np.where(usable, sharp.value, plain.value), np.where(usable, sharp.half, plain.half)
    return sharp._replace(value=value[()], half=half[()])


def method_of(sample: Sample, found: Spread, scale: str) -> str:
    """What an interval rests on, in words; `scale` is the name of the function that made limits of it."""
    units = f"batch means (lag-1 correlation {found.correlation:.2f})" if sample.what == "batches" else "replications"
    scaled = scale.removeprefix("symmetric").replace("_", " ").replace("on", " on", 1)
    n, by = len(found.controls), " and ".join(dict.fromkeys(found.controls))
    controlled = f", controlled by {by}" + (f" ({n} coefficients)" if n > 1 else "") if n else ""
    return f"{units}, jackknife, Student t{scaled}{controlled}"
