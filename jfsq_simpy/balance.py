"""Whether a run balances: every identity it must obey, with how far off it is in standard errors.

In    a Sample (tallies of independent units)
Out   a Balance an identity: both sides, z, and whether it holds
Rule  a pathwise identity that breaks is a bug and raises; a stationary one is judged against the spread
      between units, and only |z| > 5 is worth a word: one false alarm in 1.7 million
Cost  one evaluation of the identities a unit
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy

from jfsq_simpy.errors import IdentityError
from jfsq_simpy.estimate import Sample, spread
from jfsq_simpy.identities import Identity, identities
from jfsq_simpy.laws import LAWS, Law
from jfsq_simpy.laws.periodic import TimeVarying
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Tally

LOUDEST_NOISE = 5.0


@dataclass(frozen=True)
class Balance:
    """One identity as measured: `z` is its excess in standard errors, on the normal scale."""

    identity: Identity
    z: float

    @property
    def holds(self) -> bool:
        """Whether noise explains what is left of it."""
        return self.identity.holds or not abs(self.z) > LOUDEST_NOISE


def balances(sample: Sample) -> list[Balance]:
    """Every identity of a sample. Errors: IdentityError where one that holds on every path is broken."""
    light = sample.counts
    found = identities(light.averages(light.pooled))
    broken = [i for i in found if i.kind == "pathwise" and not (i.holds or math.isnan(i.excess))]
    if broken:
        i = broken[0]
        raise IdentityError(
            f"the counts of this run contradict themselves: {i.name} ({i.left:.12g}, {i.right:.12g}). This is a bug."
        )

    def gaps(tally: Tally) -> FloatArray:
        return np.array([i.left - i.right for i in identities(light.averages(tally))])

    rests_on = spread(light, gaps)
    if rests_on.n < 2:
        return [Balance(i, math.nan) for i in found]
    error = rests_on.half / scipy.stats.t.ppf((1 + sample.level) / 2, rests_on.n - 1)
    return [Balance(i, _normal(i.excess, float(e), rests_on.n - 1)) for i, e in zip(found, error, strict=True)]


def _normal(excess: float, error: float, freedom: int) -> float:
    """Student's t of `freedom` degrees as the normal deviate of the same tail: few units make large t common."""
    if excess == 0:
        return 0.0
    if error == 0:
        return math.copysign(math.inf, excess)
    return math.copysign(float(scipy.stats.norm.isf(scipy.stats.t.sf(abs(excess) / error, freedom))), excess)


def what_is_off(found: list[Balance], system: System) -> list[str]:
    """A line for the identities that noise does not explain, naming the possible causes."""
    off = [b for b in found if not b.holds]
    if not off:
        return []
    worst = max(off, key=lambda b: abs(b.z))
    uneven = "more or less comes in the window than in the long run, " if _uneven(system.arrivals) else ""
    own = "the sizes drawn by a law of your own have another mean than 1, " if system.size.name not in LAWS else ""
    return [
        f"{len(off)} of {len(found)} identities of steady state are off by more than noise, most of all {worst.identity.name} "
        f"(z = {worst.z:.1f}): either the warm-up is too short, {uneven}{own}or this is a bug."
    ]


def _uneven(arrivals: Law) -> bool:
    """Whether arrivals come in a rhythm, which all replications begin alike, or from a record."""
    return isinstance(arrivals, TimeVarying) or math.isfinite(arrivals.length)
