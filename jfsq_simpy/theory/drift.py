"""Lemma 5: from the drift of a Lyapunov function to a tail bound; and drifts, state by state.

In    any function V of the state, a System, states as counts of servers by unit and level
Out   drifts, the worst drift beyond a level, and the logarithm of Lemma 5's bound
Rule  the lemma's steps are whole numbers and its pull is the *worst* drift; where V may drift up there
      is no bound at all (log 1 = 0)
Cost  lemma_5 nothing; `drift` O(states x units x places) calls' worth of V, vectorised over states
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.exact.states import Units
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.system import System
from jfsq_simpy.theory import states
from jfsq_simpy.theory.states import Levels, every_state, routing, units_of

Lyapunov = Callable[[Levels], FloatArray]


def lemma_5(
    steps: float, *, pull: float, rate: float, jump: float = 1.0, push: float = 0.0, log_outside: float = -math.inf
) -> float:
    """log of ratio^steps + (push / pull + 1) P(outside): bounds log P(V >= B + 2 jump steps).

    Parameters
    ----------
    steps : float       j, a whole number in the lemma
    pull : float        gamma > 0: V drifts down at least this fast when V >= B inside the good set
    rate : float        q_max: the largest total rate at which V goes up
    jump : float        nu_max: the largest step of V
    push : float        delta: how fast V may drift up outside the good set
    log_outside : float log of the probability of being outside

    ratio = q_max nu_max / (q_max nu_max + gamma). Returns 0 (no bound) when pull <= 0.
    Source: Lemma 5.

    >>> round(lemma_5(10, pull=1.0, rate=1.0), 6) == round(10 * math.log(1 / 2), 6)
    True
    """
    if pull <= 0:
        return 0.0
    inside = -steps * math.log1p(pull / (rate * jump))
    if log_outside == -math.inf:
        return min(inside, 0.0)
    outside = math.log(push / pull + 1) + log_outside
    high, low = max(inside, outside), min(inside, outside)
    return min(high + math.log1p(math.exp(low - high)), 0.0)


# ---- drifts --------------------------------------------------------------------------------------------------


def drift(system: System, lyapunov: Lyapunov, levels: Levels, units: Units | None = None) -> FloatArray:
    """The generator applied to V at given states: sum over transitions of rate x change of V.

    Parameters
    ----------
    lyapunov : function of levels, int array (..., n_units, places + 1) -> float array (...)
    levels : int array (..., n_units, places + 1)   servers of each unit holding 0 .. b jobs
    units : Blocks    speed classes unless given

    Returns float array (...), V's change per unit time. Source: section 3 (nabla V), appendix A.

    >>> from jfsq_simpy import rates
    >>> mm1 = System(rates.homogeneous(1), load=0.5, places=2)
    >>> jobs = lambda levels: levels @ np.arange(3) @ np.ones(1)
    >>> drift(mm1, jobs, np.array([[[1, 0, 0]], [[0, 1, 0]], [[0, 0, 1]]]))
    array([ 0.5, -0.5, -1. ])
    """
    units = units_of(system.rates) if units is None else units
    levels = np.asarray(levels)
    here = lyapunov(levels)
    total = np.zeros(here.shape)
    for rate, moved in transitions(system, levels, units):
        # where a move is impossible its rate is 0 and V of the impossible state must not be looked at
        total += rate * np.where(rate > 0, lyapunov(moved) - here, 0.0)
    return total


def transitions(system: System, levels: Levels, units: Units) -> Iterator[tuple[FloatArray, Levels]]:
    """Every kind of event at given states: its rate there, and the states it leads to.

    Yields (float array (...), int array (..., n_units, places + 1)); a blocked job changes nothing and is left out.
    """
    arrival = system.arrival_rate * routing(system, levels, units)
    for unit, level in itertools.product(range(units.n_units), range(system.places)):
        yield arrival[..., unit, level], _moved(levels, unit, level, level + 1)
        yield units.speeds[unit] * levels[..., unit, level + 1], _moved(levels, unit, level + 1, level)


def worst_drift(system: System, lyapunov: Lyapunov, start: float, units: Units | None = None) -> tuple[float, IntArray]:
    """The largest drift of V over *all* states with V >= start, and a state that has it.

    (-inf and an empty state when V never gets there.) Errors: TooLargeError above 2,000,000 states.
    """
    units = units_of(system.rates) if units is None else units
    every = every_state(units, system.places)
    beyond = every[lyapunov(every) >= start]
    if not beyond.size:
        return -math.inf, np.empty((0, 0), dtype=np.int64)
    drifts = drift(system, lyapunov, beyond, units)
    worst = int(np.argmax(drifts))
    return float(drifts[worst]), beyond[worst]


@dataclass(frozen=True)
class DriftBound:
    """Lemma 5 with everything found by looking at every state."""

    log_bound: float
    pull: float
    jump: float
    rate: float
    steps: int
    worst_state: IntArray


def tail_from_drift(system: System, lyapunov: Lyapunov, start: float, threshold: float, units: Units | None = None) -> DriftBound:
    """Bound P(V >= threshold) by Lemma 5 for any V of one's own on a small system.

    gamma, nu_max and q_max are taken over all states, V+ in V's place (the lemma wants V >= 0, which
    needs start >= nu_max); steps = floor((threshold - start) / (2 nu_max)). Errors: ModelError when
    start is below a jump of V, TooLargeError above 2,000,000 states.
    """
    units = units_of(system.rates) if units is None else units
    every = every_state(units, system.places)
    here = np.maximum(lyapunov(every), 0.0)
    jump, ups = 0.0, np.zeros(here.shape)
    for rates, moved in transitions(system, every, units):
        change = np.where(rates > 0, np.maximum(lyapunov(moved), 0.0) - here, 0.0)
        jump = max(jump, float(np.abs(change).max()))
        ups += np.where(change > 0, rates, 0.0)
    if start < jump:
        raise ModelError(
            f"start = {start:.6g} must be at least the largest jump of V, {jump:.6g}: Lemma 5 speaks of V >= 0 (we take V+)."
        )
    worst, state = worst_drift(system, lyapunov, start, units)
    if not state.size or jump == 0:
        return DriftBound(-math.inf, math.inf, jump, 0.0, 0, state)  # V never reaches `start`
    pull, rate, steps = -worst, float(ups.max()), max(math.floor((threshold - start) / (2 * jump)), 0)
    return DriftBound(lemma_5(steps, pull=pull, rate=rate, jump=jump), pull, jump, rate, steps, state)


# ---- Lyapunov functions of the paper -------------------------------------------------------------------------


def collapse_function(a: float, b: float) -> Lyapunov:
    """V of equation (4): min(waiting jobs - A, B - busy servers)."""

    def value(levels: Levels) -> FloatArray:
        return np.asarray(np.minimum(states.waiting(levels) - a, b - states.busy(levels)), dtype=np.float64)

    return value


def idle_function(units: Units, m: int) -> Lyapunov:
    """V of Lemmas 1 and 2: idle servers among the m fastest. Errors: ModelError when m cuts a unit."""
    inside = np.cumsum(units.sizes) <= m
    if int(units.sizes[inside].sum()) != m:
        raise ModelError(f"m = {m} cuts a unit; give units with a cut there, `units_of(system.rates, cuts=[{m}])`.")

    def value(levels: Levels) -> FloatArray:
        return np.asarray(levels[..., inside, 0].sum(axis=-1), dtype=np.float64)

    return value


def _moved(levels: Levels, unit: int, source: int, target: int) -> Levels:
    moved = levels.copy()
    moved[..., unit, source] -= 1
    moved[..., unit, target] += 1
    return moved
