"""Control variables: what is known to be 0 in the mean, and was not, tells how much of a measure was noise.

In    a Sample with controls; a measure
Out   a Spread of the measure less what the controls explain
Rule  controls that say the same thing twice count once; each coefficient costs a degree of freedom
Cost  the jackknife's, and a decomposition of a replications x controls array
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy

from jfsq_simpy.estimate.leaving_out import Spread, left_out
from jfsq_simpy.estimate.sample import Sample
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.tally import Tally

NO_MORE_THAN_ROUNDING = 1e-8  # of the largest singular value: controls that say the same thing twice


def regressed(sample: Sample, measure: Callable[[Tally], Any]) -> Spread:
    """The measure less what the controls explain, coefficients fitted over replications.

    Jackknife pseudo-values stand for the replications, so ratios are treated as means are. Source: Lavenberg
    & Welch, A perspective on the use of control variables (1981): each coefficient costs a degree of freedom.
    """
    assert sample.controls is not None
    n, n_controls = len(sample.units), sample.n_controls
    shape, given = np.shape(measure(sample.pooled)), sample.controls.measure

    def both(tally: Tally) -> FloatArray:
        return np.concatenate([np.ravel(measure(tally)), given(tally)[:n_controls]])

    pooled = both(sample.pooled)
    pseudo = -(n - 1) * left_out(sample.pooled, sample.units, both)
    deviations = pseudo - pseudo.mean(axis=0)
    y, x = deviations[:, :-n_controls], deviations[:, -n_controls:]
    scale = np.sqrt((x * x).sum(axis=0))
    scale[scale == 0] = 1.0  # a control that never moved explains nothing
    u, strength, directions = np.linalg.svd(x / scale, full_matrices=False)
    kept = strength > NO_MORE_THAN_ROUNDING * strength[0]
    u, off = u[:, kept], (directions[kept] @ (pooled[-n_controls:] / scale)) / strength[kept]
    fitted, freedom = u.T @ y, n - 1 - int(kept.sum())
    residual = y - u @ fitted
    variance = (residual * residual).sum(axis=0) / freedom * (1 / n + off @ off)
    half = float(scipy.stats.t.ppf((1 + sample.level) / 2, freedom)) * np.sqrt(variance)
    value = pooled[:-n_controls] - off @ fitted
    return Spread(value.reshape(shape)[()], half.reshape(shape)[()], n, 0.0, sample.controls.names[:n_controls])
