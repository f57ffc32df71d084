"""Controls: what is known to be 0 in the mean, and by being off tells how lucky a run was.

In    a Sample of replications
Out   the same Sample with controls, by which every number made from it is corrected
Rule  each control has mean 0 in steady state, by a law of conservation or because it is a sum of surprises:
      nothing about the answer is assumed, and nothing about the policy but that it is not shown sizes
Cost  as an estimate without, and two evaluations a replication; near saturation work conservation saves half
      to three quarters of the jobs a precision takes, work and surges together 19 of 20
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from jfsq_simpy import metrics
from jfsq_simpy.estimate import Controls, Estimate, Sample, estimate
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Tally


def sharpened(sample: Sample) -> Sample:
    """The sample with the controls its tallies hold; as it is where there are none.

    *Work*: busy capacity less accepted work, as both are counted; equal in the mean. *Surges*: arrivals
    between two snapshots less their expectation, times a power of how crowded it was at the first. What
    arrives is independent of who is present, so each such product has mean 0; together they are the luck
    that a run had, weighted by how much it mattered then. Source: Henderson & Glynn, Approximating
    martingales for variance reduction in Markov process simulation (2002).
    """
    if not _work_balances(sample.system):
        return sample
    light, surges = sample.counts, sample.units[0].surges.size

    def measure(tally: Tally) -> FloatArray:
        a = light.averages(tally)
        work = metrics.busy_capacity(a) - a.system.arrival_rate * a.accepted
        return np.concatenate([[work], tally.surges / max(tally.snapshots, 1)])

    return replace(sample, controls=Controls(("work conservation", *["surges"] * surges), measure))


def controlled(sample: Sample, name: str) -> Estimate:
    """One metric with its interval, corrected by the controls there are: narrower near saturation, the same truth.

    With fewer than 10 replications, with batches, or where nothing was seen it is the plain `estimate`.
    """
    return estimate(sharpened(sample), name)


def surges_of(system: System) -> tuple[float, float]:
    """Where to centre and how to scale the jobs present, for `Observables.surges`.

    The centre is about where a fleet works: as many jobs as its fastest servers need to carry the load, or
    all places in overload; the scale a few times how far it strays from there, sqrt(N) by the noise of N
    servers and 1 / (1 - load) by queueing. Both only say where controls tell luck apart best, and are
    bounded on purpose: a rare excess of jobs, raised to powers, would outweigh all other replications.
    """
    n, gap = system.n_servers, abs(1 - system.load)
    centre = system.n2.floor if system.load < 1 else n * system.places
    return float(centre), 2 * math.sqrt(n) + min(1 / gap if gap else math.inf, float(n * system.places))


def _work_balances(system: System) -> bool:
    # arrivals of a record or a rhythm have another mean in a window than in the long run; a server may be down and hold jobs;
    # who sees sizes may block large jobs more often than small ones
    return system.arrivals.memoryless and system.breakdowns is None and system.policy.blind_to_size
