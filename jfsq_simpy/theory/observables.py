"""What a run must count so that the theory can judge it: tails of V, idle servers, powers, a joint histogram.

In    a System
Out   tally.Observables, for `simulate(observe=...)`
Rule  engines count these at snapshots and know not why; asking changes no path and no other count
Cost  2 to 12 % of the compiled chain's time
"""

from __future__ import annotations

import math

import numpy as np

from jfsq_simpy.system import System
from jfsq_simpy.tally import Observables
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.lemmas import lemma_1_threshold, lemma_2_threshold
from jfsq_simpy.theory.scope import why_silent

CELLS = 80  # a side of the joint histogram, where single states would be too many, beside the finer ones near 0
FINER = 1.2  # near 0 cells grow by this factor, from single states up to the width of the others
SINGLE_STATES = 200  # up to so many values a side, every cell is one state
ORDERS = (1, 2, 3)


def observables(system: System, orders: tuple[int, ...] = ORDERS) -> Observables:
    """Everything `check` wants counted for a system.

    The joint law of (waiting jobs, idle servers), Figure 4; P(V >= T) of Lemma 3 or 4; idle servers among
    the N1 and N2 fastest against the thresholds of Lemmas 1 and 2; P(some server is idle); the moments of
    Theorem 2 for r in `orders`. Only the first and the last but one where the paper does not speak
    (load above 1 - 1/N, one place, N = 1).

    >>> from jfsq_simpy import rates
    >>> observables(System(rates.homogeneous(100), alpha=0.5, places=2)).idle_tails[-1]
    (100, 1.0)
    """
    some_idle = (system.n_servers, 1.0)
    joint = (waiting_edges(system), idle_edges(system))
    if why_silent(system):
        return Observables(joint=joint, idle_tails=(some_idle,))
    p = Parameters.from_system(system)
    idle = [(system.n1(p.delta).floor, lemma_1_threshold(p)), (system.n2.floor, lemma_2_threshold(p))]
    powers = tuple((p.with_order(r).eta, r) for r in orders)
    return Observables(
        joint=joint,
        tails=((p.a, p.b, p.threshold),),
        idle_tails=(*((m, t) for m, t in idle if m > 0), some_idle),
        powers=powers,
    )


def waiting_edges(system: System) -> tuple[int, ...]:
    """Cells of waiting jobs: fine near 0, then equal widths to several times the scale N^alpha, then the rest."""
    most = system.n_servers * (system.places - 1)
    scale = 1 / (1 - system.load) if system.load < 1 else math.inf
    return _edges(most, 12 * scale + 4 * math.sqrt(system.n_servers))


def idle_edges(system: System) -> tuple[int, ...]:
    """Cells of idle servers: fine near 0, then equal widths to beyond the mean X / mu_N, then the rest."""
    spare = max(system.spare_capacity, 0.0) / system.rates.slowest
    return _edges(system.n_servers, 1.5 * spare + 8 * math.sqrt(system.n_servers))


def _edges(most: int, wanted: float) -> tuple[int, ...]:
    if most <= SINGLE_STATES:
        return tuple(range(most + 2))
    last = int(min(math.ceil(wanted), most))
    width = last / CELLS
    fine = [0]
    while fine[-1] < last and fine[-1] * (FINER - 1) < width:
        fine.append(max(fine[-1] + 1, math.ceil(fine[-1] * FINER)))
    wide = np.arange(fine[-1] + width, last + 1, width)  # from where the fine ones have that width
    return tuple(dict.fromkeys([*fine, *np.ceil(wide).astype(np.int64).tolist(), most + 1]))
