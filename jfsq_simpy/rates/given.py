"""Rates from a vector of speeds.

In    one speed a server, in any order
Out   Rates
Rule  rescaling changes the unit of time: `as_rates` refuses a vector that does not sum to N, `from_speeds` rescales
      and keeps the factor as `time_unit`
Cost  O(N log N), a sort
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy.errors import ModelError
from jfsq_simpy.rates.fleet import Rates
from jfsq_simpy.rates.limits import FloatArray, finite_positive


def as_rates(rates: Rates | ArrayLike) -> Rates:
    """Rates as they are, or an array (n_servers,) in any order that already sums to N.

    Rates in jobs per unit time. Another sum is refused (ModelError): rescaling it silently would change the
    unit of time. O(N log N).

    >>> as_rates([0.5, 1.5]).speeds
    array([1.5, 0.5])
    """
    return rates if isinstance(rates, Rates) else grouped(finite_positive(rates, "rates"), time_unit=1.0, labels=None)


def from_speeds(speeds: ArrayLike, labels: Sequence[str] | None = None) -> Rates:
    """Any vector of positive speeds, sorted and rescaled to sum N; `time_unit` and labels are kept.

    Parameters
    ----------
    speeds : float array (n_servers,)   jobs per unit of the user's time, any order
    labels : sequence of str, optional  one a server, in the order of `speeds`

    A time here times `time_unit` is the user's time. Errors: ModelError. O(N log N).

    >>> fleet = from_speeds([100, 300], labels=["old", "new"])
    >>> fleet.vector(), fleet.labels, fleet.time_unit
    (array([1.5, 0.5]), ('new', 'old'), 0.005)
    """
    values = finite_positive(speeds, "speeds")
    if labels is not None and len(labels) != values.size:
        raise ModelError(f"speeds: {values.size} speeds but {len(labels)} labels; give one label for each server.")
    mean = float(values.mean())
    return grouped(values / mean, time_unit=1.0 / mean, labels=labels)


def grouped(values: FloatArray, time_unit: float, labels: Sequence[str] | None) -> Rates:
    """Rates of speeds that sum to N: sorted, equal ones made one class, labels kept in step."""
    order = np.argsort(-values, kind="stable")
    values = values[order]
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    counts = np.diff(np.append(starts, values.size))
    kept = tuple(str(labels[i]) for i in order) if labels is not None else None
    return Rates(values[starts], counts.astype(np.int64), time_unit, kept)
