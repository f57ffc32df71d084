"""How fast the servers are: speeds and counts, fastest first, summing to N.

In    a profile (homogeneous, linear, ...), any vector of speeds, or a CSV file
Out   Rates: distinct speeds and how many servers have each; `.vector()` only on demand
Rule  the sum is N (the paper's normalisation), so a rate is a share of the average server: rescaling
      changes the unit of time, hence only `from_speeds`, `file` and the profiles do it, and say so
Cost  O(speed classes) memory; a fleet of 10^9 servers in five generations takes a few hundred bytes
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jfsq_simpy.rates.fleet import CriticalIndex, Heterogeneity, Rates
from jfsq_simpy.rates.from_file import file
from jfsq_simpy.rates.given import as_rates, from_speeds
from jfsq_simpy.rates.limits import FloatArray, IntArray
from jfsq_simpy.rates.profiles import classes, geometric, homogeneous, linear, pareto, two_speed

__all__ = [
    "PROFILES",
    "CriticalIndex",
    "FloatArray",
    "Heterogeneity",
    "IntArray",
    "Rates",
    "as_rates",
    "classes",
    "file",
    "from_speeds",
    "geometric",
    "homogeneous",
    "linear",
    "pareto",
    "profile_names",
    "two_speed",
]

PROFILES: dict[str, Callable[..., Rates]] = {
    "homogeneous": homogeneous,
    "two_speed": two_speed,
    "linear": linear,
    "geometric": geometric,
    "pareto": pareto,
    "classes": classes,
    "file": file,
}


def profile_names() -> Iterable[str]:
    """The names a scenario's `system.rates.profile` may take.

    >>> "linear" in profile_names()
    True
    """
    return PROFILES.keys()
